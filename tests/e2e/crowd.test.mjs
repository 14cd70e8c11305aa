// Crowds: a thousand at once against a balance, a budget and the minute, over several processes, and thousands
// of clients that leave their streams.
import test, { before, after } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { startStack, call, until } from './stack.mjs';
import { dialects } from './dialects.mjs';
import { cost } from './money.mjs';

const MODEL = 'claude-sonnet-4-6', WORKERS = 3;
const ABORTS = 10_000;
const { messages } = dialects;
const agent = new http.Agent({ keepAlive: true, maxSockets: 1000 });
let stack;

before(async () => {
  // freed memory must come back at once where growth is measured
  process.env.ASAN_OPTIONS = 'quarantine_size_mb=1:thread_local_quarantine_size_kb=64:malloc_context_size=2';
  stack = await startStack({ workers: WORKERS, lighttpd: false, set: { store_timeout: '20s', response_timeout: '60s', total_timeout: '60s', default_concurrency: '10000', default_rpm: '100000' } });
  const standin = await stack.standin();
  await stack.provider('main', standin.url, { models: [MODEL], max: 10000 });
  await stack.online(MODEL);
});
after(() => {
  agent.destroy();
  return stack?.stop();
});

const crowd = (n, key, prompt, extra) => Promise.all(Array.from({ length: n }, () =>
  call(stack.nginx, { path: messages.path, agent, headers: { 'x-api-key': key }, body: messages.body(MODEL, prompt, extra) })));
const by = (hits) => hits.reduce((counts, { status }) => ({ ...counts, [status]: (counts[status] ?? 0) + 1 }), {});
const left = async (account) => (await stack.redis('HMGET', `{a:${account}}:account`, 'balance', 'held', 'running')).split('\n');
const quiet = (account) => until('all settled', async () => {
  const [, held, running] = await left(account);
  return held === '0' && running === '0';
});

// What a thousand at once may cost: what there is, and what the served ones used above their holds.
const TOKENS = { in: 300, out: 100 }, EACH = cost(MODEL, TOKENS);
const PROMPT = `[[tokens in=${TOKENS.in} out=${TOKENS.out}]] [[fault slow-head=300]]`;
const limits = [
  ['a balance', async () => stack.account_with('0.01').then(async (account) => ({ account, key: await stack.key_of(account) }))],
  ["a key's budget", async () => stack.account_with('100.00').then(async (account) => ({ account, key: await stack.key_of(account, '--budget', '0.01', '--budget-period', 'month') }))],
];
for (const [what, open] of limits)
  test(`1,000 at once on ${what} of one cent`, async (t) => {
    const { account, key } = await open();
    const hits = await crowd(1000, key, PROMPT, { max_tokens: 50 }); // half of what comes: each costs more than it holds
    for (const hit of hits) assert.ok([200, 402, 429].includes(hit.status), hit.text);
    await quiet(account);
    let charged = 0n, excess = 0n;
    for (const hit of hits.filter(({ status }) => status === 200)) {
      const receipt = JSON.parse(await stack.redis('GET', `{a:${account}}:receipt:${hit.headers['request-id']}`));
      assert.equal(BigInt(receipt.charge_nano_usd), EACH);
      charged += EACH;
      if (receipt.charge_nano_usd > receipt.hold_nano_usd) excess += BigInt(receipt.charge_nano_usd - receipt.hold_nano_usd);
    }
    assert.ok(charged > 0n && excess > 0n);
    assert.ok(charged <= 10_000_000n + excess, `${charged} charged, ${excess} above the holds`);
    const rows = await stack.json('ledger', account);
    assert.equal(rows.filter((row) => row.type === 'charge').length, by(hits)[200]);
    if (what === 'a balance') assert.equal(BigInt((await left(account))[0]), 10_000_000n - charged);
    t.diagnostic(`${JSON.stringify(by(hits))}: ${charged} nano-dollars charged, ${excess} above the holds`);
  });

test('the minute is exact over several processes', async () => {
  const account = await stack.account_with('100.00'), key = await stack.key_of(account, '--rpm', '137');
  assert.deepEqual(by(await crowd(1000, key, 'hello')), { 200: 137, 429: 863 });
  await quiet(account);
});

const rss = async () => {
  const sizes = (await stack.workerPids()).map((pid) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]));
  return sizes.reduce((a, b) => a + b) / 1024; // MiB, of all responders
};

// Read the first piece of a stream, then hang up.
const leave = (key) => new Promise((done, fail) => {
  const request = http.request(new URL(messages.path, stack.nginx), { method: 'POST', headers: { 'x-api-key': key, 'content-type': 'application/json' } }, (response) => {
    response.on('error', () => {});
    response.once('data', () => {
      request.destroy();
      done(response.statusCode);
    });
  });
  request.on('error', fail);
  request.end(JSON.stringify(messages.body(MODEL, '[[tokens in=10 out=10]] [[stream events=3000 gap_ms=10 bytes=20]]', { stream: true })));
});

test(`${ABORTS} streams left by their clients leave nothing behind`, { timeout: 600_000 }, async (t) => {
  const account = await stack.account_with('1000.00'), key = await stack.key_of(account), pids = await stack.workerPids();
  const some = async (n) => {
    let begun = 0;
    await Promise.all(Array.from({ length: 40 }, async () => {
      while (begun < n) {
        begun++;
        assert.equal(await leave(key), 200);
      }
    }));
    await quiet(account);
  };
  await some(Math.ceil(ABORTS / 3)); // memory that every load needs
  const before = await rss();
  await some(ABORTS - Math.ceil(ABORTS / 3));
  const grown = (await rss()) - before;
  t.diagnostic(`resident memory of ${WORKERS} responders: ${before.toFixed(1)} MiB after a third of them, ${grown.toFixed(1)} more after all`);
  // a request kept for each of them would be 24 MiB; the sanitizer's quarantine and shadow take some
  assert.ok(grown < 16, `grown by ${grown.toFixed(1)} MiB`);
  assert.deepEqual(await stack.workerPids(), pids);
  for (const name of (await stack.redis('KEYS', `{a:${account}}:open:*`)).split('\n').filter(Boolean)) assert.equal(await stack.redis('HLEN', name), '0');
  await until('no provider lease', async () => (await stack.redis('ZCARD', '{p:main}:running')) === '0');
  const rows = (await stack.json('ledger', account)).filter((row) => row.type === 'charge');
  assert.equal(rows.length, ABORTS);
  assert.equal(new Set(rows.map((row) => row.request)).size, ABORTS);
});
