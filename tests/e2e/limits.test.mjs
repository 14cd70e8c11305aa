// Limits and money: the sliding minute, running requests, and a balance that many share. Each test has keys
// and accounts of its own; the minute is crossed by moving the clock, never by waiting.
import test, { before, after } from 'node:test';
import assert from 'node:assert/strict';
import http from 'node:http';
import { startStack, call, until } from './stack.mjs';
import { dialects } from './dialects.mjs';

const MODEL = 'claude-sonnet-4-6'; // 3.00 in, 15.00 out
const { messages } = dialects;
let stack, standin, account;

before(async () => {
  stack = await startStack({ workers: 2, set: { lease_time: '2s', sweep_after: '2s', response_timeout: '1s', total_timeout: '10s', max_attempts: '1', breaker_failures: '1000' } });
  standin = await stack.standin();
  await stack.provider('main', standin.url, { models: [MODEL] });
  account = await stack.account_with('1000.00');
  await stack.online(MODEL);
});
after(() => stack?.stop());

const idOf = (key) => key.split('-').at(-2);
const ask = (key, prompt = 'hello', extra, where = messages) =>
  call(stack.nginx, { path: where.path, headers: { 'x-api-key': key }, body: where.body(MODEL, prompt, extra) });
const keyState = async (key) => (await call(stack.nginx, { method: 'GET', path: '/v1/key', headers: { 'x-api-key': key } })).json;
const statuses = (hits) => Object.fromEntries([...new Set(hits.map((h) => h.status))].sort().map((s) => [s, hits.filter((h) => h.status === s).length]));

// A stream that runs until it is ended from here.
function openStream(key, prompt = '[[stream events=2000 gap_ms=50]]', where = messages) {
  return new Promise((done, fail) => {
    const request = http.request(new URL(where.path, stack.nginx), { method: 'POST', headers: { 'x-api-key': key, 'content-type': 'application/json' } }, (response) => {
      response.on('error', () => {});
      response.once('data', () => done({ status: response.statusCode, id: response.headers['request-id'], end: () => request.destroy() }));
      response.resume();
    });
    request.on('error', fail);
    request.end(JSON.stringify(where.body(MODEL, prompt, { stream: true })));
  });
}

async function nothingRuns(accountId = account) {
  await until('all settled', async () => {
    const [held, running] = (await stack.redis('HMGET', `{a:${accountId}}:account`, 'held', 'running')).split('\n');
    return Number(held || 0) === 0 && Number(running || 0) === 0;
  });
  for (const name of (await stack.redis('KEYS', `{a:${accountId}}:open:*`)).split('\n').filter(Boolean))
    assert.equal(await stack.redis('HLEN', name), '0', name);
  await until('no provider lease', async () => {
    const names = (await stack.redis('KEYS', '{p:*}:running')).split('\n').filter(Boolean);
    return (await Promise.all(names.map((name) => stack.redis('ZCARD', name)))).every((n) => n === '0');
  });
}

test('60 requests in a minute pass, the 61st is told the exact wait', async () => {
  const key = await stack.key_of(account, '--concurrency', '100');
  const hits = await Promise.all(Array.from({ length: 80 }, () => ask(key)));
  assert.deepEqual(statuses(hits), { 200: 60, 429: 20 });
  for (const hit of hits.filter((h) => h.status === 429)) assert.equal(hit.json.error.message, 'Requests per minute limit (60) exceeded');
  const oldest = Math.min(...(await stack.redis('LRANGE', `{a:${account}}:recent:${idOf(key)}`, '0', '-1')).split('\n').map(Number));
  const clock = async () => (await stack.redis('TIME')).split('\n').reduce((s, us) => Number(s) * 1000 + Math.floor(Number(us) / 1000));
  const earliest = await clock();
  const refused = await ask(key);
  const latest = await clock();
  assert.equal(refused.status, 429);
  const wait = Number(refused.headers['retry-after-ms']);
  assert.ok(wait <= oldest + 60000 - earliest && wait >= oldest + 60000 - latest, `${wait}: ${oldest + 60000 - latest}..${oldest + 60000 - earliest}`);
  assert.equal(Number(refused.headers['retry-after']), Math.ceil(wait / 1000));
  // a refusal takes no place in the minute
  assert.equal(await stack.redis('LLEN', `{a:${account}}:recent:${idOf(key)}`), '60');
  await nothingRuns();
});

test("a burst across the minute's border counts as one", async () => {
  const key = await stack.key_of(account, '--concurrency', '100');
  const burst = async (n) => statuses(await Promise.all(Array.from({ length: n }, () => ask(key))));
  assert.deepEqual(await burst(30), { 200: 30 });
  await stack.reload({ test_clock_offset: '45s' });
  assert.deepEqual(await burst(40), { 200: 30, 429: 10 });
  await stack.reload({ test_clock_offset: '90s' }); // the first thirty left the window, the second did not
  assert.deepEqual(await burst(40), { 200: 30, 429: 10 });
  await stack.reload({ test_clock_offset: '200s' });
  assert.deepEqual(await burst(61), { 200: 60, 429: 1 });
  await stack.reload({ test_clock_offset: '0s' });
  await nothingRuns();
});

test('a day of budget ends at midnight, a month with the month', async () => {
  for (const [period, hours] of [['day', 25], ['month', 32 * 24]]) {
    const key = await stack.key_of(account, '--budget', '0.000001', '--budget-period', period);
    assert.equal((await ask(key)).status, 200);
    await until('spent', async () => (await ask(key)).status === 402);
    await stack.reload({ test_clock_offset: `${hours * 3600}s` });
    assert.equal((await ask(key)).status, 200);
    await stack.reload({ test_clock_offset: '0s' });
  }
  await nothingRuns();
});

for (const [name, where] of Object.entries(dialects))
  test(`${name}: 5 run at once, the 6th is refused`, async () => {
    const key = await stack.key_of(account);
    const streams = await Promise.all(Array.from({ length: 5 }, () => openStream(key, undefined, where)));
    assert.ok(streams.every((s) => s.status === 200));
    const sixth = await ask(key, 'hello', {}, where);
    assert.equal(sixth.status, 429);
    assert.equal(sixth.json.error.message, 'Concurrent limit (5) exceeded');
    assert.equal(sixth.headers['retry-after'], '1');
    streams[0].end(); // the client leaves: its slot is free
    await until('slot', async () => (await ask(key, 'hello', {}, where)).status === 200);
    for (const stream of streams.slice(1)) stream.end();
    await nothingRuns();
  });

test('a long stream keeps its slot beyond its lease', async () => {
  const key = await stack.key_of(account, '--concurrency', '1', '--rpm', '1000');
  const stream = await openStream(key);
  const lease = async () => Number((await stack.redis('HGET', `{a:${account}}:open:${idOf(key)}`, stream.id)).split(' ')[1]);
  const first = await lease();
  await until('lease renewed twice over', async () => (await lease()) > first + 2000);
  assert.equal((await ask(key)).status, 429);
  stream.end();
  await nothingRuns();
});

test('slots come back after success, errors and time-outs', async () => {
  const key = await stack.key_of(account, '--concurrency', '1', '--rpm', '1000');
  for (const [prompt, status] of [['hello', 200], ['[[fault 500]]', 502], ['[[fault context-length]]', 400], ['[[fault silence]]', 504], ['[[fault cut-head]]', 503], ['[[fault reset]]', 503]]) {
    const got = await ask(key, prompt);
    if (status !== 503) assert.equal(got.status, status, `${prompt}: ${got.text}`);
    else assert.ok(got.status >= 502, got.text);
    await until(`slot after ${prompt}`, async () => (await keyState(key)).concurrency.remaining === 1, 5);
  }
  await nothingRuns();
});

test('slots come back after kill -9 of a responder', async () => {
  const key = await stack.key_of(account, '--concurrency', '4', '--rpm', '1000');
  const own = await stack.account_with('10.00');
  const lone = await stack.key_of(own, '--concurrency', '4', '--rpm', '1000');
  const streams = await Promise.all(Array.from({ length: 4 }, () => openStream(lone)));
  assert.equal((await ask(lone)).status, 429);
  const before = await stack.workerPids();
  for (const pid of before) process.kill(pid, 'SIGKILL');
  await until('responders are back', async () => {
    const now = await stack.workerPids();
    return now.length === before.length && now.every((pid) => !before.includes(pid)) && (await ask(key)).status === 200;
  });
  const since = Date.now();
  await until('slots are back', async () => (await ask(lone)).status === 200, 30);
  assert.ok(Date.now() - since < 30000);
  for (const stream of streams) stream.end();
  // What died with its process is booked as abandoned once it counts as dead: by the watcher, since
  // nobody calls with this account's keys meanwhile (a call looks for the dead only now and then).
  await until('abandoned rows', async () => (await stack.json('ledger', own)).filter((row) => row.type === 'abandoned').length === 4, 90);
  await nothingRuns(own);
});

test('50 at once never spend more than there is, and what is held is a 429', async () => {
  const own = await stack.account_with('0.05');
  const key = await stack.key_of(own, '--concurrency', '100', '--rpm', '1000');
  const cost = 1000 * 3000 + 1000 * 15000; // 0.018
  const prompt = '[[tokens in=1000 out=1000]] [[fault slow-head=800]]';
  const hits = await Promise.all(Array.from({ length: 50 }, () => ask(key, prompt, { max_tokens: 1000 })));
  for (const hit of hits) assert.ok([200, 402, 429].includes(hit.status), hit.text);
  const served = hits.filter((h) => h.status === 200);
  assert.ok(served.length >= 3, JSON.stringify(statuses(hits)));
  for (const hit of hits.filter((h) => h.status === 429)) assert.match(hit.json.error.message, /^Concurrent limit \(\d+\) exceeded$/);
  const receipts = [];
  for (const hit of served) receipts.push(await until('receipt', () => stack.json('trace', hit.headers['request-id'])));
  const charged = receipts.reduce((sum, r) => sum + r.charge_nano_usd, 0);
  const excess = receipts.reduce((sum, r) => sum + Math.max(0, r.charge_nano_usd - r.hold_nano_usd), 0);
  assert.equal(charged, served.length * cost);
  assert.ok(charged <= 50_000_000 + excess, `${charged} charged, ${excess} above the holds`);
  await nothingRuns(own);
  const balance = Number(await stack.redis('HGET', `{a:${own}}:account`, 'balance'));
  assert.equal(balance, 50_000_000 - charged);
  if (balance <= 0) assert.equal((await ask(key)).status, 402);
});

test('merely held: 429 while the others run, and served after them', async () => {
  const own = await stack.account_with('0.02');
  const key = await stack.key_of(own, '--concurrency', '100', '--rpm', '1000');
  const first = await openStream(key, '[[stream events=2000 gap_ms=50]]'); // max_tokens 64: about 0.001 held
  const second = call(stack.nginx, { headers: { 'x-api-key': key }, body: messages.body(MODEL, '[[fault slow-head=900]]', { max_tokens: 60000 }) });
  const refused = await until('all of it held', async () => {
    const hit = await ask(key);
    return hit.status !== 200 && hit;
  });
  assert.equal(refused.status, 429);
  assert.equal(refused.json.error.message, 'Concurrent limit (2) exceeded');
  assert.equal(refused.headers['retry-after'], '1');
  assert.equal((await second).status, 200);
  first.end();
  await until('served again', async () => (await ask(key)).status === 200);
  await nothingRuns(own);
});
