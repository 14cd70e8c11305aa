// session - who is logged in: asking, logging in and out, here and in other tabs. Where the reader was when the session
// ended is where the next one begins.
import { get, post } from './api.js';
import { state, on, tell, tellTabs } from './store.js';
import { toast } from './ui.js';

let afterLogin = '';
export const comeBackTo = (hash) => (afterLogin = hash);
export const go = (hash) => (location.hash === hash ? tell('go') : (location.hash = hash));

export async function refreshMe(options) {
  state.me = await get('/api/me', { quiet401: !state.me, ...options });
  tell('me', state.me);
  return state.me;
}

export function signedIn(me) {
  state.me = me;
  state.farewell = null;
  tell('me', me);
  tellTabs('login');
  const to = /^#\/(login)?$/.test(afterLogin) ? '' : afterLogin;
  afterLogin = '';
  go(to || '#/overview');
}

function signedOut(text, error = null) {
  if (!state.me) return;
  state.me = null;
  state.farewell = { text, error };
  if (error) comeBackTo(location.hash);
  go('#/login');
}

export async function logOut() {
  try {
    await post('/api/auth/logout');
  } catch (error) {
    if (error.status !== 401) return toast(error.message, 'bad');
  }
  signedOut('You are logged out.');
  tellTabs('logout');
  return undefined;
}

on('signed-out', (error) => (signedOut(null, error), tellTabs('expired')));
on('other-tab-logout', () => signedOut('You logged out in another tab.'));
on('other-tab-expired', () => state.me && refreshMe().catch(() => {}));
on('other-tab-login', () => state.me || refreshMe().then(signedIn).catch(() => {}));
