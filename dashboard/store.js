// store - what all pages share: the gateway's public settings, the account, and who wants to hear of changes. The
// session's token is not here: it is in a cookie that scripts cannot read.
const target = new EventTarget();
export const state = { config: null, me: null };

export function on(what, hear, signal) {
  target.addEventListener(what, (event) => hear(event.detail), { signal });
}

export function tell(what, detail) {
  target.dispatchEvent(new CustomEvent(what, { detail }));
}

// Other tabs of the same browser hear of log-ins and log-outs.
const channel = 'BroadcastChannel' in window ? new BroadcastChannel('derouter') : null;
if (channel) channel.onmessage = ({ data }) => tell(`other-tab-${data}`);
export const tellTabs = (what) => channel?.postMessage(what);

// Small preferences, never secrets.
export const remembered = {
  get(name) {
    try {
      return localStorage.getItem(name);
    } catch {
      return null;
    }
  },
  set(name, value) {
    try {
      if (value === null) localStorage.removeItem(name);
      else localStorage.setItem(name, value);
    } catch {
      // private windows may refuse
    }
  },
};

// Ask every so often, while the tab is seen and the page is there; what goes wrong makes it slower, not louder.
export function poll(ask, every_ms, signal) {
  let timer = 0;
  let failures = 0;
  let running = false;
  const next = (wait) => {
    clearTimeout(timer);
    if (!signal.aborted) timer = setTimeout(run, wait);
  };
  async function run() {
    if (running || signal.aborted) return;
    if (document.hidden) return;
    running = true;
    try {
      const wish = await ask();
      failures = 0;
      next(typeof wish === 'number' ? wish : every_ms);
    } catch (error) {
      if (error.name === 'AbortError') return;
      failures++;
      next(Math.max(error.retryAfter_ms ?? 0, Math.min(every_ms * 2 ** failures, 60000)));
    } finally {
      running = false;
    }
  }
  const seen = () => document.hidden || run();
  document.addEventListener('visibilitychange', seen, { signal });
  window.addEventListener('online', () => run(), { signal });
  signal.addEventListener('abort', () => clearTimeout(timer));
  next(every_ms);
  return { now: run };
}
