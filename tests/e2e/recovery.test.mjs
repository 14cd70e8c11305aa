// A provider is down for a minute under steady load while another is up, at the shipped settings of the breaker: no
// caller notices, hardly anybody is sent there to find out, over all responders together, and it is used again within
// 10 s of its return. Outages of different kinds run side by side, each with a model and a pair of its own, and so do
// providers that fail now and then, which stay in use.
import { describe, test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import http from 'node:http';
import net from 'node:net';
import { startStack, call, until } from './stack.mjs';
import { dialects } from './dialects.mjs';

const DOWN_MS = 60_000, OPEN_MS = 8000, LOAD = 10, SILENT_MS = 4000, WORKERS = 4;
// Of all responders together, in the minute: one after breaker_doubt, then one every breaker_open.
const PROBES = 1 + Math.floor(DOWN_MS / OPEN_MS);
let stack, account, key, standin;

before(async () => {
  stack = await startStack({
    workers: WORKERS, lighttpd: false,
    set: { response_timeout: `${SILENT_MS}ms`, metrics_interval: '100ms', default_rpm: '100000', default_concurrency: '1000' },
  });
  standin = await stack.standin('both', ['--name', 'both']);
  account = await stack.account_with('1000.00');
  key = await stack.key_of(account);
});
after(() => stack?.stop());

// In front of the stand-in, with a switch. While it is down every connection and every request on a kept one is an
// attempt; `refuse` says what becomes of it, and without one nothing does: what was there stays, and is silent.
async function lever(refuse) {
  const sockets = new Set();
  const state = { up: true, attempts: [] };
  const serve = (socket) => {
    const to = net.connect(Number(new URL(standin.url).port), '127.0.0.1');
    let swallowed = false;
    to.on('error', () => socket.destroy()).on('data', (bytes) => state.up && socket.write(bytes)).on('end', () => socket.end());
    socket.on('close', () => to.destroy()).on('data', (bytes) => {
      if (state.up) return to.write(bytes);
      if (!swallowed) state.attempts.push(Date.now());
      swallowed = true;
    });
  };
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    if (state.up) return serve(socket);
    state.attempts.push(Date.now());
    refuse?.(socket);
  });
  await new Promise((on) => server.listen(0, '127.0.0.1', on));
  server.unref();
  return Object.assign(state, {
    url: `http://127.0.0.1:${server.address().port}`,
    fall() {
      state.up = false;
      if (refuse) for (const socket of sockets) socket.resetAndDestroy();
    },
    rise() {
      state.up = true;
      for (const socket of sockets) socket.resetAndDestroy();
    },
    stop() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  });
}

// Calls without a pause until stopped, in all dialects, unary and streamed; each takes a while, so some are always under way.
function load(model) {
  const failed = [];
  let calls = 0, stopped = false;
  const one = async () => {
    while (!stopped) {
      const n = calls++, where = Object.values(dialects)[n % 3], stream = n % 2 === 1;
      const got = await call(stack.nginx, { path: where.path, headers: { 'x-api-key': key },
        body: where.body(model, `[[tokens in=10 out=5]] [[fault slow-head=200]] conversation ${n}`, stream ? { stream: true } : {}) });
      const whole = stream ? /message_stop|finish_reason":"stop"|response\.completed/.test(got.text) : got.json;
      if (got.status !== 200 || !whole) failed.push(`${got.status} ${got.text.slice(0, 200)}`);
      await new Promise((on) => setTimeout(on, 60)); // steady, not all that the machine can do
    }
  };
  const all = Promise.all(Array.from({ length: LOAD }, one));
  return { failed, calls: () => calls, stop: () => ((stopped = true), all) };
}

// Answers that came from a provider, as the responders count them.
async function good(name) {
  const { text } = await call(stack.nginx, { method: 'GET', path: '/metrics' });
  return [...text.matchAll(new RegExp(`derouter_attempts_total\\{provider="${name}",outcome="ok"\\} (\\d+)`, 'g'))].reduce((total, found) => total + Number(found[1]), 0);
}

// `most` attempts before it was known everywhere: each responder may meet it once. Who waits for a silent one learns
// nothing before response_timeout, and meanwhile everybody may come to wait there.
const kinds = {
  'resets every connection': { model: 'claude-sonnet-4-6', refuse: (socket) => socket.resetAndDestroy(), most: WORKERS },
  'answers 500': { model: 'claude-haiku-4-5', most: WORKERS,
    refuse: (socket) => socket.once('data', () => socket.end('HTTP/1.1 500 No\r\ncontent-type: text/plain\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno')) },
  'says nothing': { model: 'claude-opus-4-8', most: LOAD },
};

async function outage(t, name, { model, refuse, most }) {
  const shaky = await lever(refuse), other = `${name}-steady`;
  await stack.provider(name, shaky.url, { models: [model] });
  await stack.provider(other, standin.url, { models: [model] });
  await stack.online(model, key);
  const traffic = load(model);
  try {
    await until('both serve', async () => (await good(name)) > 20 && (await good(other)) > 20);

    shaky.fall();
    const fell = Date.now();
    const shown = await until('its trouble is shown', async () => {
      const row = await stack.json('provider', 'show', name);
      return row.state !== 'alive' && row;
    });
    assert.match(shown.state, /^(doubted|open)$/);
    assert.match(shown.why, /^failed, (its circuit is (open until 20|half open)|others are asked first(: the next request|; a request tries it at 20))/);
    await until('it has been down for a minute', () => Date.now() - fell > DOWN_MS, 120);
    const ms = shaky.attempts.map((at) => at - fell);

    const before = await good(name);
    shaky.rise();
    const returned = Date.now();
    await until('it is used again', async () => (await good(name)) > before + WORKERS);
    const back = Date.now() - returned;
    t.diagnostic(`${traffic.calls()} calls, ${traffic.failed.length} failed; ${ms.length} attempts, ms after its fall: ${ms.join(' ')}; used again after ${back} ms`);
    assert.deepEqual(traffic.failed.slice(0, 3), []);
    assert.ok(ms.length <= most + PROBES, `${ms.length} attempts`);
    // once it is known: one every breaker_open, whether it fails at once or keeps silent
    const later = ms.filter((at) => at > SILENT_MS + 2 * OPEN_MS);
    const turns = (DOWN_MS - SILENT_MS - 2 * OPEN_MS) / OPEN_MS;
    assert.ok(later.length >= turns - 1 && later.length <= turns + 1, `${later.length} probes in ${turns} turns`);
    assert.ok(back < 10_000, `back after ${back} ms`);
  } finally {
    await traffic.stop();
    shaky.stop();
    for (const one of [name, other]) await stack.ctl('provider', 'remove', one);
  }
  assert.deepEqual(traffic.failed, []);
}

// In front of the stand-in: every so many requests `fail` answers instead. Each has a connection of its own: one that
// was kept, and breaks, may be replaced without a word.
async function flaky(every, fail) {
  const state = { asked: 0, failed: 0 };
  const server = http.createServer((request, answer) => {
    if (++state.asked % every === 0) {
      state.failed++;
      request.resume().on('end', () => fail(answer));
      return;
    }
    const on = http.request(new URL(request.url, standin.url), { method: request.method, headers: request.headers }, (got) => {
      answer.writeHead(got.statusCode, { ...got.headers, connection: 'close' });
      got.pipe(answer);
    });
    on.on('error', () => answer.destroy());
    request.pipe(on);
  });
  await new Promise((on) => server.listen(0, '127.0.0.1', on));
  server.unref();
  return Object.assign(state, { url: `http://127.0.0.1:${server.address().port}`, stop: () => server.closeAllConnections() ?? server.close() });
}

// Under the load of `calls` calls: nobody notices. Gives what the responders said of the providers.
async function served(names, model, calls) {
  const traffic = load(model);
  await until(`${calls} calls`, () => traffic.calls() >= calls, 120);
  await traffic.stop();
  assert.deepEqual(traffic.failed, []);
  return (await stack.operatorLog()).split('\n').filter((line) => names.some((name) => line.includes(` ${name}: `)));
}
const reset = (answer) => answer.socket.resetAndDestroy();
const says500 = (answer) => answer.writeHead(500, { 'content-type': 'text/plain' }).end('no');

describe('while another provider is up', { concurrency: true }, () => {
  for (const [i, [kind, how]] of Object.entries(kinds).entries())
    test(`one that ${kind} for a minute: nobody notices, few are sent there, and it is used again within 10 s of its return`, (t) => outage(t, `shaky-${i}`, how));

  test('two providers that fail every thirtieth call stay in use', async (t) => {
    const model = 'claude-opus-4-7', names = ['thirtieth-0', 'thirtieth-1'], both = [await flaky(30, says500), await flaky(30, says500)];
    for (const [i, name] of names.entries()) await stack.provider(name, both[i].url, { models: [model] });
    await stack.online(model, key);
    const said = await served(names, model, 600);
    t.diagnostic(`${both.map((one) => `${one.asked} asked, ${one.failed} failed`).join('; ')}; ${said.filter((line) => /in doubt, /.test(line)).length} times in doubt as a responder saw it`);
    assert.deepEqual(said.filter((line) => /circuit opened/.test(line)), []);
    for (const one of both) assert.ok(one.failed > 5 && one.asked > 200, `${one.asked} asked, ${one.failed} failed`);
    for (const one of both) one.stop();
  });

  test('a connection that breaks once puts its provider out for a moment only, and none out that is alone', async (t) => {
    const model = 'claude-sonnet-4-5', one = await flaky(60, reset), other = await flaky(Infinity);
    await stack.provider('broken', one.url, { models: [model] });
    await stack.online(model, key);
    const alone = await served(['broken'], model, 300);
    assert.ok(one.failed >= 5, `${one.failed} failed`);
    assert.deepEqual(alone.filter((line) => /circuit opened/.test(line)), []);

    await stack.provider('whole', other.url, { models: [model] });
    await until('both are used', async () => {
      await call(stack.nginx, { path: dialects.messages.path, headers: { 'x-api-key': key }, body: dialects.messages.body(model, `hello ${other.asked} ${Math.random()}`) });
      return other.asked > 0;
    });
    const was = one.asked;
    const said = await served(['broken', 'whole'], model, 600);
    t.diagnostic(`of 600 calls ${one.asked - was} asked the one that breaks, ${one.failed} broke; ${said.filter((line) => /broken: in doubt, /.test(line)).length} times in doubt as a responder saw it`);
    assert.deepEqual(said.filter((line) => /circuit opened/.test(line)), []);
    assert.ok(one.asked - was > 100, `${one.asked - was} asked`);
    for (const each of [one, other]) each.stop();
  });
});
