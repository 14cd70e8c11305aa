// Redis comes back as another one, or with another history: a replica that was promoted without the last writes, an older file
// that was restored, a file that ends in the middle of a settlement, a master that had been another's replica for a moment. What
// was acknowledged and is gone is told again, once.
import test, { beforeEach, afterEach } from 'node:test';
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdir, readFile, readdir, rename, rm, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { startStack, call, freePort, until } from './stack.mjs';

const exec = promisify(execFile);
const MODEL = 'claude-sonnet-4-6';
const PRICE = 1000 * 3000 + 500 * 15000; // nano-USD: 1000 tokens in, 500 out
let stack, account, key, replicaPid;

beforeEach(async () => {
  stack = await startStack({ workers: 2, lighttpd: false, set: { default_rpm: '100000', default_concurrency: '100', lease_time: '1s', sweep_after: '8s' } });
  const standin = await stack.standin();
  await stack.provider('main', standin.url, { models: [MODEL] });
  account = await stack.account_with('1000.00');
  key = await stack.key_of(account);
  await stack.online(MODEL, key);
});
afterEach(async () => {
  if (replicaPid) process.kill(replicaPid, 'SIGKILL');
  replicaPid = 0;
  await stack?.stop();
});

const ask = () => call(stack.nginx, { headers: { 'x-api-key': key }, body: { model: MODEL, max_tokens: 600, messages: [{ role: 'user', content: '[[tokens in=1000 out=500]]' }] } });
const charges = async () => (await stack.json('ledger', account)).filter((row) => row.type === 'charge');

// n calls, and their charges acknowledged.
async function charged(n) {
  const had = (await charges()).length;
  const ids = [];
  for (const one of await Promise.all(Array.from({ length: n }, ask))) {
    assert.equal(one.status, 200, one.text);
    ids.push(one.headers['request-id']);
  }
  await until('charged', async () => (await charges()).length === had + n);
  return ids;
}

// Each of them once, in full; and the books add up.
async function allThere(ids) {
  await until('all are there again', async () => {
    const rows = await charges();
    return ids.every((id) => rows.some((row) => row.request === id));
  }, 60);
  const rows = await charges();
  assert.deepEqual(rows.map((row) => row.request).sort(), [...ids].sort());
  for (const row of rows) assert.equal(row.nano_usd, -PRICE);
  assert.match(await stack.ctl('ledger', 'verify', account), / 0 differences/);
}

// A second redis-server at its own socket; follows the one at the port.
async function startReplica(masterPort, ...options) {
  const dir = path.join(stack.state, 'replica'), socket = path.join(stack.state, 'replica.sock'), pidfile = path.join(stack.state, 'replica.pid');
  await mkdir(dir);
  await exec('redis-server', ['--port', '0', '--unixsocket', socket, '--unixsocketperm', '700', '--dir', dir, '--save', '', '--maxmemory-policy', 'noeviction',
    '--daemonize', 'yes', '--pidfile', pidfile, '--logfile', path.join(stack.state, 'replica.log'), '--repl-diskless-sync-delay', '0', '--replicaof', `127.0.0.1 ${masterPort}`, ...options]);
  replicaPid = await until('it has begun', async () => Number(await readFile(pidfile, 'utf8')));
  const cli = async (...words) => (await exec('redis-cli', ['-s', socket, ...words])).stdout.trim();
  await until('it has it all', async () => /master_link_status:up/.test(await cli('INFO', 'replication')));
  return { socket, cli };
}

async function masterPort() {
  const port = await freePort();
  await stack.redis('CONFIG', 'SET', 'repl-diskless-sync-delay', '0');
  await stack.redis('CONFIG', 'SET', 'port', String(port));
  return port;
}
const caughtUp = async () => assert.equal(await stack.redis('WAIT', '1', '10000'), '1');

test('a replica without the last writes is promoted', async () => {
  const replica = await startReplica(await masterPort());
  const ids = await charged(5);
  await caughtUp();
  await replica.cli('REPLICAOF', '127.0.0.1', '1'); // the line breaks; nobody notices
  ids.push(...(await charged(6)));
  await stack.killRedis();
  await replica.cli('REPLICAOF', 'NO', 'ONE');
  await rename(replica.socket, stack.redisSocket); // the address leads to it from now on
  await writeFile(path.join(stack.state, 'redis.pid'), `${replicaPid}\n`); // and it ends with the stack
  replicaPid = 0;
  await allThere(ids);
  ids.push(...(await charged(3)));
  await allThere(ids);
});

test('an older append-only file is restored', async () => {
  const ids = await charged(5);
  const files = path.join(stack.state, 'redis/appendonlydir'), older = path.join(stack.state, 'older');
  await cp(files, older, { recursive: true });
  ids.push(...(await charged(6)));
  await stack.killRedis();
  await rm(files, { recursive: true });
  await cp(older, files, { recursive: true });
  await stack.startRedis();
  await allThere(ids);
  ids.push(...(await charged(3)));
  await allThere(ids);
});

// Redis leaves the beginning of a torn transaction in its file, and would execute it at the start after the next.
test('Redis dies in the middle of writing a settlement, and once more later', async () => {
  const ids = await charged(3);
  const files = path.join(stack.state, 'redis/appendonlydir');
  const rewritten = () => until('the file is written anew', async () => !/aof_last_rewrite_time_sec:-1|aof_rewrite_in_progress:1/.test(await stack.redis('INFO', 'persistence')));
  for (const behind of [0, 40, 90]) {
    await rewritten();
    ids.push(...(await charged(2)));
    await stack.killRedis();
    const name = path.join(files, (await readdir(files)).find((file) => file.endsWith('.incr.aof')));
    const row = (await readFile(name)).lastIndexOf(`{a:${account}}:requests`); // what settle writes last, behind the row of the ledger
    assert.ok(row > 0);
    await truncate(name, row + behind);
    await stack.startRedis();
    await allThere(ids);
    await rewritten();
    ids.push(...(await charged(2)));
    await stack.killRedis();
    await stack.startRedis();
    await allThere(ids);
  }
});

test('a master that was made a replica of an older one, and a master again: the same process', async () => {
  const runId = async () => /run_id:(\w+)/.exec(await stack.redis('INFO', 'server'))[1];
  const port = await freePort();
  const replica = await startReplica(await masterPort());
  const ids = await charged(5), was = await runId();
  await caughtUp();
  await replica.cli('REPLICAOF', 'NO', 'ONE');
  await replica.cli('CONFIG', 'SET', 'port', String(port));
  ids.push(...(await charged(6)));
  await stack.redis('REPLICAOF', '127.0.0.1', String(port));
  await until('it has forgotten the last ones', async () => /master_link_status:up/.test(await stack.redis('INFO', 'replication')));
  await until('nobody writes to a replica', async () => (await Promise.all(Array.from({ length: 8 }, ask))).every((one) => one.status === 503));
  assert.equal(await stack.redis('XLEN', `{a:${account}}:ledger`), '6'); // the credit, and five
  await stack.redis('REPLICAOF', 'NO', 'ONE');
  assert.equal(await runId(), was);
  await allThere(ids);
  ids.push(...(await charged(3)));
  await allThere(ids);
});
