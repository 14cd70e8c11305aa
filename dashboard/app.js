// app - the frame around the pages: navigation, theme, session, offline and other tabs; and the router: #/keys draws
// pages/keys.js. Each page is one module with `title` and `draw(node, context)`, fetched when it is first opened.
import { h, replace } from './dom.js';
import { icon } from './icons.js';
import { get } from './api.js';
import { state, on, tell, poll, remembered } from './store.js';
import { announce, errorBox, skeleton } from './ui.js';
import { comeBackTo, go, logOut, refreshMe } from './session.js';
import { decimals, nano, shortAddress } from './format.js';
import { discover } from './wallet.js';

// name, title, icon, for whom
const PAGES = [
  ['overview', 'Overview', 'overview', 'account'],
  ['keys', 'Keys', 'keys', 'account'],
  ['activity', 'Activity', 'activity', 'account'],
  ['models', 'Models', 'models', 'account'],
  ['deposit', 'Deposit', 'deposit', 'account'],
  ['wallets', 'Wallets & sessions', 'wallets', 'account'],
  ['start', 'Quick start', 'start', 'all'],
  ['errors', 'Errors', 'errors', 'all'],
];
const app = document.getElementById('app');
const forever = new AbortController().signal;
let leaving = new AbortController();
let frame = null; // { main, nav, … } once drawn
let opened = false; // the first page leaves the focus where the browser has it; before it there is nothing old to see

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // somebody's typing
  }
}

function route() {
  const [path, search = ''] = location.hash.replace(/^#\/?/, '').split('?');
  const [name, ...rest] = path.split('/').map(decoded);
  return { name, rest, query: new URLSearchParams(search) };
}

// ---- the frame ----
function themeButton() {
  const system = matchMedia('(prefers-color-scheme: dark)');
  const dark = () => (document.documentElement.dataset.theme ?? (system.matches ? 'dark' : 'light')) === 'dark';
  const button = h('button.icon-button', {
    type: 'button',
    onclick() {
      const next = dark() ? 'light' : 'dark';
      document.documentElement.dataset.theme = next;
      remembered.set('theme', next);
      draw();
      tell('theme');
    },
  });
  function draw() {
    const label = dark() ? 'Switch to light' : 'Switch to dark';
    button.setAttribute('aria-label', label);
    button.title = label;
    replace(button, icon(dark() ? 'sun' : 'moon'));
  }
  system.addEventListener('change', () => (draw(), tell('theme')));
  draw();
  return button;
}

const mark = () => h('a.brand', { href: '#/overview', 'aria-label': 'DeRouter' }, h('span.mark', { 'aria-hidden': 'true' }), h('span', 'DeRouter'));

function drawFrame() {
  const main = h('main.page', { id: 'main', tabindex: '-1' });
  const banners = h('div.banners');
  const nav = h('nav.nav', { id: 'nav', 'aria-label': 'Pages' });
  const account = h('section.account', { 'aria-label': 'Account' });
  const toggle = h('button.icon-button.nav-toggle', { type: 'button', 'aria-expanded': 'false', 'aria-controls': 'nav', 'aria-label': 'Menu', onclick: () => openNav(toggle.getAttribute('aria-expanded') !== 'true') }, icon('menu'));
  const skip = h('a.skip', { href: '#main', onclick: (event) => (event.preventDefault(), main.focus()) }, 'Skip to the page');
  const balance = h('a.balance-pill', { href: '#/deposit', hidden: true });
  replace(app, skip,
    h('div.shell',
      h('header.top', mark(), h('div.top-end', balance, themeButton(), toggle)),
      h('div.side', nav, account),
      h('div.content', banners, main)));
  frame = { main, banners, nav, account, balance, toggle };
}

function openNav(open) {
  frame.toggle.setAttribute('aria-expanded', String(open));
  document.body.classList.toggle('nav-open', open);
  if (open) frame.nav.querySelector('a')?.focus();
}
document.addEventListener('keydown', (event) => {
  if (event.key === 'Escape' && document.body.classList.contains('nav-open')) (openNav(false), frame.toggle.focus());
});

function drawNav(name) {
  const pages = PAGES.filter(([, , , who]) => who === 'all' || state.me);
  replace(frame.nav,
    state.me ? null : h('a', { href: '#/login', 'aria-current': name === 'login' ? 'page' : null }, icon('wallets'), h('span', 'Log in')),
    pages.map(([page, title, drawing]) => h('a', { href: `#/${page}`, 'aria-current': page === name ? 'page' : null, 'data-key': `nav-${page}` }, icon(drawing), h('span', title))));
}

function drawAccount() {
  const { me } = state;
  frame.balance.hidden = !me;
  replace(frame.account, me ? [
    h('div.account-text', h('span.muted.small', 'Logged in as'), shortAddress(me.wallet)),
    h('button.icon-button', { type: 'button', 'aria-label': 'Log out', title: 'Log out', 'data-key': 'log-out', onclick: logOut }, icon('out'))] : null);
  if (!me) return;
  const left = nano(me.balance_usd);
  frame.balance.classList.toggle('bad', left < 0n || (left === 0n && nano(me.spent_usd) > 0n));
  replace(frame.balance, h('span.sr-only', 'Balance '), decimals(left, 2, 2));
}

// ---- what is told to the frame ----
on('me', drawAccount);
on('go', open);
on('offline', () => opened && replace(frame.banners, h('div.notice.bad', { role: 'alert' }, icon('offline'),
  h('div', h('strong', navigator.onLine ? 'DeRouter cannot be reached. ' : 'You are offline. '), 'What you see may be out of date; this page catches up by itself.'))));
on('online', () => (replace(frame.banners), state.me || open()));

// ---- the router ----
async function open() {
  const { name, rest, query } = route();
  const page = PAGES.find(([id]) => id === name);
  leaving.abort();
  leaving = new AbortController();
  const { signal } = leaving;
  openNav(false);
  let module = name;
  if (name === 'login' ? state.me : !page) return go(state.me ? '#/overview' : '#/login');
  if (page?.[3] === 'account' && !state.me) {
    comeBackTo(location.hash);
    module = 'login';
  }
  drawNav(module);
  drawAccount();
  const node = h('div.page-body');
  replace(frame.main, node);
  replace(node, skeleton(6));
  try {
    const { title, draw } = await import(`./pages/${module}.js`);
    if (signal.aborted) return undefined;
    document.title = `${title} · DeRouter`;
    node.replaceChildren();
    await draw(node, { rest, query, signal });
    if (signal.aborted) return undefined;
    announce(title);
    if (!rest.length || module !== 'errors') scrollTo(0, 0);
    if (opened && !node.contains(document.activeElement)) node.querySelector('h1')?.focus({ preventScroll: true });
    opened = true;
  } catch (error) {
    if (!signal.aborted && error.name !== 'AbortError') replace(node, errorBox(error, open));
  }
  return undefined;
}

// ---- begin ----
async function ready() {
  state.config = await get('/api/config');
  await refreshMe().catch((error) => {
    if (error.status !== 401) throw error;
  });
}

// Until DeRouter answers: again every few seconds, and at once when the browser is online again or the reader says so.
async function begin() {
  drawFrame();
  drawNav(route().name);
  replace(frame.main, skeleton(6));
  for (let done = false; !done;) {
    try {
      await ready();
      done = true;
    } catch (error) {
      await new Promise((again) => {
        replace(frame.main, errorBox(error, again));
        window.addEventListener('online', again, { once: true });
        setTimeout(again, Math.max(5000, error.retryAfter_ms));
      });
    }
  }
  discover();
  window.addEventListener('hashchange', open);
  await open();
  // The balance in the corner, and a session that ended elsewhere.
  poll(async () => {
    if (!state.me) return 15000;
    await refreshMe();
    const left = Date.parse(state.me.session?.expires_at) - Date.now();
    return left > 0 && left < 15000 ? left + 500 : 15000;
  }, 15000, forever);
}
begin();
