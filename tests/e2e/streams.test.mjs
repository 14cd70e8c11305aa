// Streams that do not end well: clients that leave, providers that break off, readers that are slow.
import test, { before, after } from 'node:test';
import assert from 'node:assert/strict';
import http from 'node:http';
import net from 'node:net';
import { readFileSync } from 'node:fs';
import { startStack, call, until } from './stack.mjs';
import { dialects, events } from './dialects.mjs';

const MODEL = 'claude-sonnet-4-6', BOTH = 'gpt-4.1';
let stack, standin, account, key;

before(async () => {
  // freed memory must come back at once where growth is measured
  process.env.ASAN_OPTIONS = 'quarantine_size_mb=1:thread_local_quarantine_size_kb=64:malloc_context_size=2';
  stack = await startStack({ workers: 1, set: { idle_timeout: '1s', default_rpm: '100000', default_concurrency: '100', breaker_failures: '1000', cooldown: '10ms', cooldown_max: '10ms' } });
  standin = await stack.standin('standin', ['--name', 'one', '--log-body', '4096']);
  const other = await stack.standin('other', ['--name', 'two']);
  await stack.provider('one', standin.url, { models: [MODEL, BOTH], extra: ['--priority', '1'] });
  await stack.provider('two', other.url, { models: [BOTH], extra: ['--priority', '2'] });
  account = await stack.account_with('1000.00');
  key = await stack.key_of(account);
  await stack.online(MODEL, key);
});
after(() => stack?.stop());

const ask = (where, prompt, { base = stack.nginx, model = MODEL } = {}) =>
  call(base, { path: where.path, headers: { 'x-api-key': key }, body: where.body(model, prompt, { stream: true }) });
const running = async () => Number(await stack.redis('HGET', `{a:${account}}:account`, 'running'));

// Read `n` pieces of a stream, then hang up.
function leaveAfter(base, where, prompt, n) {
  return new Promise((done, fail) => {
    const request = http.request(new URL(where.path, base), { method: 'POST', headers: { 'x-api-key': key, 'content-type': 'application/json' } }, (response) => {
      let pieces = 0;
      response.on('error', () => {});
      response.on('data', () => {
        if (++pieces < n) return;
        request.destroy();
        done(response.headers['request-id']);
      });
    });
    request.on('error', fail);
    request.end(JSON.stringify(where.body(MODEL, prompt, { stream: true })));
  });
}

for (const server of ['nginx', 'lighttpd'])
  for (const [name, where] of Object.entries(dialects))
    test(`${server} ${name}: a client that leaves ends the provider's work and is charged so far`, async () => {
      const mark = `mark-${Math.random()}`;
      const id = await leaveAfter(stack[server], where, `${mark} [[tokens in=1000 out=500]] [[stream events=2000 gap_ms=20 bytes=100]]`, 4);
      const seen = await until('cancelled upstream', async () => (await standin.requests()).find((r) => r.body?.includes(mark)));
      assert.equal(seen.end, 'client-gone');
      assert.equal(seen.closed_early, true);
      assert.ok(seen.events < 1000);
      const receipt = await until('receipt', () => stack.json('trace', id));
      assert.equal(receipt.estimated, true);
      assert.ok(receipt.charge_nano_usd > 0);
      assert.ok(receipt.usage.output > 0);
      if (where.anthropic) assert.equal(receipt.usage.input, 1000);
      await until('slot free', async () => (await running()) === 0);
    });

const faults = {
  'cut between events': '[[stream events=9]] [[fault cut-after=4]]',
  'cut inside an event': '[[stream events=9 bytes=300]] [[fault cut-bytes=1500]]',
  'reset': '[[stream events=9]] [[fault cut-after=4 reset=1]]',
  'stall': '[[stream events=9]] [[fault stall-after=4]]',
  'clean end too early': '[[stream events=9]] [[fault early-end=4]]',
};
for (const [name, where] of Object.entries(dialects)) {
  for (const [what, prompt] of Object.entries(faults))
    test(`${name}: ${what} is told in the stream`, async () => {
      for (const base of [stack.nginx, stack.lighttpd]) {
        const got = await ask(where, prompt, { base });
        assert.equal(got.status, 200);
        // what an event's beginning left behind is closed by an empty line before the error
        const last = got.text.trimEnd().split(/\n\n/).at(-1);
        const data = JSON.parse(/^data: ?(.*)$/m.exec(last)[1]);
        const error = where.failed(data);
        assert.ok(error, got.text.slice(-400));
        assert.equal(error.message, what === 'stall' ? 'Provider timed out' : 'Provider error');
        assert.ok(!got.text.includes('[DONE]') && !got.text.includes('message_stop') && !got.text.includes('response.completed'));
        if (where.anthropic) assert.equal(data.request_id, got.headers['request-id']);
      }
      for (const [sdk, client] of Object.entries(where.clients(stack.nginx, key))) {
        let failed;
        try {
          for await (const event of await where.ask(client, where.body(MODEL, prompt, { stream: true }))) failed ||= name === 'responses' && where.failed(event);
        } catch (error) {
          failed = error;
        }
        assert.ok(failed, `${sdk} saw no error`);
      }
    });

  test(`${name}: an error event later on reaches the client as it is, once`, async () => {
    const got = await ask(where, '[[stream events=9]] [[fault error-later=7 type=overloaded_error failed=1]]');
    assert.equal(got.status, 200);
    assert.equal(events(got.text).filter((event) => event !== '[DONE]' && where.failed(event)).length, 1, got.text);
    assert.ok(!got.text.includes('[DONE]'));
  });

  test(`${name}: an error event first has a status, or another provider`, async () => {
    const alone = await ask(where, '[[fault error-first type=overloaded_error failed=1]]');
    assert.ok([529, 502].includes(alone.status), alone.text);
    if (where.anthropic) assert.equal(alone.status, 529);
    assert.match(alone.headers['content-type'], /json/);
    await until('rested', async () => (await ask(where, 'hello')).status === 200);
    const moved = await until('first provider asked', async () => {
      const got = await ask(where, '[[fault error-first at=one]]', { model: BOTH });
      return got.headers['x-derouter-provider-attempts'] === '2' && got;
    });
    assert.equal(moved.status, 200);
    assert.ok(events(moved.text).some((event) => where.terminal(event)));
    await until('rested', async () => (await ask(where, 'hello')).status === 200);
  });
}

const rss = (pid) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024;

test('a slow reader costs neither memory nor others their time', async () => {
  const [pid] = await stack.workerPids();
  const where = dialects.messages;
  await Promise.all(Array.from({ length: 20 }, () => ask(where, '[[stream events=50 bytes=20000]]'))); // memory that every load needs
  const before = rss(pid);
  const body = JSON.stringify(where.body(MODEL, '[[stream events=800 bytes=65536]]', { stream: true }));
  const { hostname, port } = new URL(stack.nginx);
  const socket = net.connect(Number(port), hostname);
  let bytes = 0, tail = '';
  socket.on('error', () => {});
  socket.on('data', (piece) => {
    bytes += piece.length;
    tail = (tail + piece.toString('latin1')).slice(-2000);
    if (bytes < 100_000) socket.pause();
  });
  socket.write(`POST ${where.path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-api-key: ${key}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
  await until('stream runs', () => bytes > 0);
  let slowest = 0;
  for (let i = 0; i < 40; i++) {
    const start = Date.now();
    assert.equal((await ask(where, 'hello')).status, 200);
    slowest = Math.max(slowest, Date.now() - start);
  }
  const grown = rss(pid) - before;
  assert.ok(grown < 8, `grew by ${grown.toFixed(1)} MB`);
  assert.ok(slowest < 1000, `${slowest} ms`);
  const idle = await running();
  assert.equal(idle, 1); // idle_timeout is the provider's, not the reader's
  const ended = new Promise((done) => socket.on('close', done));
  socket.on('data', () => {});
  const drain = setInterval(() => socket.resume(), 5);
  await ended;
  clearInterval(drain);
  assert.ok(bytes > 50 * 1024 * 1024, `${bytes} bytes, then ${tail.slice(-400)}`);
  assert.match(tail, /message_stop/);
  assert.ok(rss(pid) - before < 12, `grew by ${(rss(pid) - before).toFixed(1)} MB`);
});
