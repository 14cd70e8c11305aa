// Redis is away while answers run: they end whole, each charge arrives once, what is new is refused at once, and nothing needs a
// restart. A responder that is killed meanwhile leaves its charges on disk for the next one; what it had running is booked once.
import test, { before, after } from 'node:test';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, readdir } from 'node:fs/promises';
import path from 'node:path';
import { startStack, call, until } from './stack.mjs';

const MODEL = 'claude-sonnet-4-6';
const PRICE = 1000 * 3000 + 500 * 15000; // nano-USD: 1000 tokens in, 500 out
const RECORD = Buffer.from('\x89drspl1\n', 'latin1'); // what a record in the spool begins with
let stack;

before(async () => {
  stack = await startStack({
    workers: 2,
    lighttpd: false,
    set: { default_rpm: '100000', default_concurrency: '1000', lease_time: '1s', sweep_after: '8s', store_timeout: '1s', drain_timeout: '1s' },
  });
  const standin = await stack.standin();
  await stack.provider('main', standin.url, { models: [MODEL] });
  await stack.online(MODEL);
});
after(() => stack?.stop());

const body = (prompt, extra) => ({ model: MODEL, max_tokens: 600, messages: [{ role: 'user', content: prompt }], ...extra });
const ask = (key, prompt, extra) => call(stack.nginx, { headers: { 'x-api-key': key }, body: body(prompt, extra) });
const stream = (key, events) => ask(key, `[[tokens in=1000 out=500]] [[stream events=${events} gap_ms=100]]`, { stream: true });
const running = async (account) => Number(await stack.redis('HGET', `{a:${account}}:account`, 'running'));
const spool = () => path.join(stack.state, 'spool');

async function customer() {
  const account = await stack.account_with('1000.00');
  return { account, key: await stack.key_of(account) };
}

async function stopRedis() {
  const pid = Number(await readFile(path.join(stack.state, 'redis.pid'), 'utf8'));
  await stack.redis('shutdown').catch(() => '');
  await until('Redis has ended', () => {
    try {
      process.kill(pid, 0);
      return false;
    } catch {
      return true;
    }
  });
}

async function startRedis() {
  const { state } = stack;
  const child = spawn('redis-server', ['--port', '0', '--unixsocket', `${state}/redis.sock`, '--unixsocketperm', '700', '--dir', `${state}/redis`,
    '--appendonly', 'yes', '--appendfsync', 'everysec', '--maxmemory-policy', 'noeviction', '--save', '', '--daemonize', 'yes',
    '--pidfile', `${state}/redis.pid`, '--logfile', `${state}/redis.log`], { stdio: 'ignore' });
  assert.deepEqual(await once(child, 'exit'), [0, null]);
  await until('Redis answers', async () => (await stack.redis('ping')) === 'PONG');
}

// Whole records on disk, over all files, and the bytes.
async function spooled() {
  let records = 0, bytes = 0;
  for (const name of await readdir(spool())) {
    const text = await readFile(path.join(spool(), name)).catch(() => Buffer.alloc(0));
    bytes += text.length;
    for (let at = text.indexOf(RECORD); at >= 0; at = text.indexOf(RECORD, at + 1)) records++;
  }
  return { records, bytes };
}

// Refused with 503, and nobody waited for Redis' time-out. The first calls may find the connection still half open.
async function refusedAtOnce(key) {
  const ms = [];
  for (let i = 0; i < 10; i++) {
    const began = performance.now();
    const got = await ask(key, 'hello');
    ms.push(performance.now() - began);
    assert.equal(got.status, 503);
    assert.equal(got.json.error.type, 'api_error');
  }
  const middle = ms.sort((a, b) => a - b)[5];
  assert.ok(middle < 250, `${ms}`); // a call waits for 300 ms where somebody accepts: nobody does
  return middle;
}

// The first call after Redis' return succeeds, of each responder: it does not wait for the next attempt of the responder's own.
async function firstSuccess(key) {
  for (let i = 0; i < 3; i++) await stack.redis('PING'); // more than the 20 ms between two attempts
  const began = performance.now();
  const answers = await Promise.all([1, 2, 3, 4].map(() => ask(key, '[[tokens in=0 out=0]] hello')));
  assert.deepEqual(answers.map((one) => one.status), [200, 200, 200, 200]);
  return performance.now() - began;
}

// Every one of these requests is charged once, in full, and nothing is left open.
async function chargedOnce(account, streams, price = PRICE) {
  await until('all charged', async () => (await running(account)) === 0 && (await spooled()).bytes === 0, 60);
  const rows = (await stack.json('ledger', account)).filter((row) => row.type === 'charge' && row.nano_usd !== 0);
  const ids = streams.map((one) => one.headers['request-id']);
  for (const id of ids) {
    const own = rows.filter((row) => row.request === id);
    assert.equal(own.length, 1, `${id}: ${own.length} rows`);
    assert.equal(own[0].nano_usd, -price);
  }
  assert.equal(await stack.redis('HGET', `{a:${account}}:account`, 'held'), '0');
  await stack.ctl('ledger', 'verify', account);
  return rows;
}

const whole = (one) => one.status === 200 && /event: message_stop/.test(one.text);

test('200 streams over 20 s without Redis: all whole, all charged once, new calls refused at once', async (t) => {
  const { account, key } = await customer();
  const early = Array.from({ length: 100 }, () => stream(key, 30)), late = Array.from({ length: 100 }, () => stream(key, 300));
  await until('all run', async () => (await running(account)) === 200, 60);
  const away = performance.now();
  await stopRedis();
  t.diagnostic(`refused in ${(await refusedAtOnce(key)).toFixed(1)} ms`);
  const ended = await Promise.all(early);
  assert.ok(ended.every(whole), 'streams end whole without Redis');
  await until('their charges are on disk', async () => (await spooled()).records >= 100);
  await until('20 s are over', async () => (await refusedAtOnce(key)) && performance.now() - away > 20_000);
  await startRedis();
  t.diagnostic(`first success ${(await firstSuccess(key)).toFixed(1)} ms after Redis answers`);
  ended.push(...(await Promise.all(late)));
  assert.ok(ended.every(whole), 'and those that outlive it too');
  const rows = await chargedOnce(account, ended);
  assert.equal(rows.filter((row) => row.nano_usd === -PRICE).length, 200);
});

test('responders killed while Redis is away: the next ones adopt what they left on disk', async () => {
  const { account, key } = await customer();
  const streams = Array.from({ length: 50 }, () => stream(key, 20));
  await until('all run', async () => (await running(account)) === 50, 60);
  await stopRedis();
  const ended = await Promise.all(streams);
  assert.ok(ended.every(whole));
  await until('their charges are on disk', async () => (await spooled()).records === 50);
  for (const pid of await stack.workerPids()) process.kill(pid, 'SIGKILL');
  await startRedis();
  await chargedOnce(account, ended);
  assert.match(await stack.operatorLog(), /settlements of a process that died/);
  assert.deepEqual((await readdir(spool())).filter((name) => !name.endsWith('.spool')), [], 'nothing was damaged');
});

test('a clean stop while Redis is away leaves every charge on disk', async () => {
  const { account, key } = await customer();
  const streams = Array.from({ length: 20 }, () => stream(key, 20));
  await until('all run', async () => (await running(account)) === 20, 60);
  const old = await stack.workerPids();
  await stopRedis();
  const ended = await Promise.all(streams);
  for (const pid of old) process.kill(pid, 'SIGTERM');
  await until('others serve', async () => (await stack.workerPids()).filter((pid) => !old.includes(pid)).length === stack.workers, 60);
  assert.ok((await spooled()).records >= 20);
  await startRedis();
  await chargedOnce(account, ended);
});

test('what ran in a killed responder is booked once, in an account that nobody calls any more', async () => {
  const { account, key } = await customer();
  const streams = Array.from({ length: 20 }, () => stream(key, 2000).catch(() => undefined));
  await until('all run', async () => (await running(account)) === 20, 60);
  await until('some cost is known', async () => (await stack.redis('HVALS', `{a:${account}}:open:${key.split('-').at(-2)}`)).split('\n').every((entry) => Number(entry.split(' ')[2]) > 0), 60);
  for (const pid of await stack.workerPids()) process.kill(pid, 'SIGKILL');
  await Promise.all(streams);
  await until('booked', async () => (await running(account)) === 0, 60);
  const rows = (await stack.json('ledger', account)).filter((row) => row.type === 'abandoned');
  assert.equal(rows.length, 20);
  for (const row of rows) {
    assert.ok(row.nano_usd < 0);
    assert.deepEqual([row.model, row.provider, row.price_date], [MODEL, 'main', '2026-02-17']);
  }
  // the caller reads what it is made of, and nothing of the operator's own
  const { json } = await call(stack.nginx, { method: 'GET', path: `/v1/requests/${rows[0].request}`, headers: { 'x-api-key': key } });
  assert.deepEqual([json.object, json.error, json.status, json.model_served, json.price_date], ['receipt', 'ABANDONED', 0, MODEL, '2026-02-17']);
  assert.equal(json.abandoned_nano_usd, json.usage.input * 3000 + json.usage.output * 15000);
  assert.deepEqual([json.provider, json.list_nano_usd], [undefined, undefined]);
  const [served] = await stack.json('provider', 'usage', 'main');
  assert.ok(served.requests >= rows.length && served.charged_nano_usd >= -rows.reduce((sum, row) => sum + row.nano_usd, 0));
  assert.equal(await stack.redis('HGET', `{a:${account}}:account`, 'held'), '0');
  await stack.ctl('ledger', 'verify', account);
  await until('the index forgets the account', async () => (await stack.redis('ZSCORE', 'open', account)) === '');
});
