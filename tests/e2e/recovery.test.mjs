// A provider goes down under steady load while another is up: no caller notices, hardly anybody is sent there to
// find out, over all responders together, and it is used again soon after it is back.
import test, { before, after } from 'node:test';
import assert from 'node:assert/strict';
import net from 'node:net';
import { startStack, call, until } from './stack.mjs';
import { dialects } from './dialects.mjs';

// A quarter of the shipped breaker_open (8 s), so a quarter of a minute down is what a minute is there.
const SCALE = 4, OPEN_MS = 8000 / SCALE, DOWN_MS = 60_000 / SCALE, FAILURES = 5, LOAD = 12, SILENT_MS = 4000, WORKERS = 4;
const MODEL = 'claude-sonnet-4-6';
let stack, account, key, standin;

before(async () => {
  stack = await startStack({
    workers: WORKERS, lighttpd: false,
    set: { breaker_open: `${OPEN_MS}ms`, breaker_failures: String(FAILURES), breaker_window: '30s', providers_poll: '250ms', metrics_interval: '100ms',
      default_rpm: '100000', default_concurrency: '1000', connect_timeout: '2s', response_timeout: `${SILENT_MS}ms`, cooldown: '1s', retry_wait_max: '0s' },
  });
  standin = await stack.standin('both', ['--name', 'both']);
  account = await stack.account_with('1000.00');
  key = await stack.key_of(account);
});
after(() => stack?.stop());

// In front of the stand-in, with a switch: `down` says what becomes of connections while it is down.
async function lever(down) {
  const sockets = new Set();
  const state = { up: true, attempts: [], served: 0 };
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    if (!state.up) {
      state.attempts.push(Date.now());
      down(socket);
      return;
    }
    state.served++;
    const to = net.connect(Number(new URL(standin.url).port), '127.0.0.1');
    to.on('error', () => socket.destroy());
    socket.on('close', () => to.destroy());
    socket.pipe(to).pipe(socket);
  });
  await new Promise((on) => server.listen(0, '127.0.0.1', on));
  server.unref();
  return Object.assign(state, {
    url: `http://127.0.0.1:${server.address().port}`,
    fall() {
      state.up = false;
      for (const socket of sockets) socket.resetAndDestroy();
    },
    stop() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  });
}

// Calls without a pause until stopped, in all dialects, unary and streamed.
function load() {
  const failed = [];
  let calls = 0, stopped = false;
  const one = async () => {
    while (!stopped) {
      const n = calls++, where = Object.values(dialects)[n % 3], stream = n % 2 === 1;
      const got = await call(stack.nginx, { path: where.path, headers: { 'x-api-key': key },
        body: where.body(MODEL, `[[tokens in=10 out=5]] conversation ${n}`, stream ? { stream: true } : {}) });
      const whole = stream ? /message_stop|finish_reason":"stop"|response\.completed/.test(got.text) : got.json;
      if (got.status !== 200 || !whole) failed.push(`${got.status} ${got.text.slice(0, 200)}`);
      await new Promise((on) => setTimeout(on, 40)); // steady, not all that the machine can do
    }
  };
  const all = Promise.all(Array.from({ length: LOAD }, one));
  return { failed, calls: () => calls, stop: () => ((stopped = true), all) };
}

// Answers that came from a provider, and tries there that failed, as the responders count them.
async function counted(name) {
  const { text } = await call(stack.nginx, { method: 'GET', path: '/metrics' });
  const sum = (pattern) => [...text.matchAll(pattern)].reduce((total, found) => total + Number(found[1]), 0);
  return { good: sum(new RegExp(`derouter_attempts_total\\{provider="${name}",outcome="ok"\\} (\\d+)`, 'g')),
    all: sum(new RegExp(`derouter_attempts_total\\{provider="${name}",outcome="\\w+"\\} (\\d+)`, 'g')) };
}

const kinds = {
  'resets every connection': (socket) => socket.resetAndDestroy(),
  'says nothing': () => {},
  'answers 500': (socket) => socket.once('data', () => socket.end('HTTP/1.1 500 No\r\ncontent-type: text/plain\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno')),
};

for (const [kind, down] of Object.entries(kinds))
  test(`a provider that ${kind} for a while: nobody notices, few are sent there, and it is soon used again`, async (t) => {
    const shaky = await lever(down), name = `shaky-${Object.keys(kinds).indexOf(kind)}`, other = name.replace('shaky', 'steady');
    await stack.provider(name, shaky.url, { models: [MODEL] });
    await stack.provider(other, standin.url, { models: [MODEL] });
    await stack.online(MODEL, key);
    const traffic = load();
    try {
      await until('both serve', async () => (await counted(name)).good > 20 && (await counted(other)).good > 20);

      shaky.fall();
      const fell = Date.now(), before = await counted(name);
      await until('its circuit is shown', async () => (await stack.json('provider', 'show', name)).state === 'open');
      assert.match((await stack.json('provider', 'show', name)).why, /^failed, its circuit is (open until 20|half open)/);
      await until('it has been down for long enough', () => Date.now() - fell > DOWN_MS, 120);
      const asked = shaky.attempts.length, early = shaky.attempts.filter((at) => at - fell < OPEN_MS / 2).length, later = asked - early;
      const windows = (Date.now() - fell) / OPEN_MS;

      shaky.up = true;
      const returned = Date.now();
      await until('it is used again', async () => (await counted(name)).good > before.good + 3 * WORKERS);
      const back = Date.now() - returned;
      t.diagnostic(`${traffic.calls()} calls, ${traffic.failed.length} failed; ${asked} connections to it in ${windows.toFixed(1)} windows, ${early} before the circuit was open everywhere; used again after ${back} ms`);
      assert.deepEqual(traffic.failed.slice(0, 3), []);
      // what was under way when it fell, and the failures that open the circuit ...
      assert.ok(early <= FAILURES + LOAD + WORKERS, `${early} at once`);
      // ... then one probe a window of all responders together; curl may send one again over a new connection
      assert.ok(later >= 2 && later <= 1.5 * windows + 1, `${later} later in ${windows} windows`);
      // 10 s, as shipped; the counts' own delay; and a last probe that still waits in vain when it returns
      assert.ok(back < 10_000 / SCALE + 1500 + (kind === 'says nothing' ? SILENT_MS : 0), `back after ${back} ms`);
    } finally {
      await traffic.stop();
      shaky.stop();
      for (const one of [name, other]) await stack.ctl('provider', 'remove', one);
    }
    assert.deepEqual(traffic.failed, []);
  });
