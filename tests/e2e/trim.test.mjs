// ledger trim is killed with -9 at every step that it takes: before and behind each of its words to Redis. No row is lost and
// none is in the books twice, whatever there was of the file by then.
import test, { before, after } from 'node:test';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import { startStack, build } from './stack.mjs';

const ROWS = 7; // the first credit and what is adjusted
let stack, config, proxy, onAsked, onAnswered;

// Between derouterctl and Redis. onAsked(n): may word number n go on? onAnswered(n): may its answer?
before(async () => {
  stack = await startStack({ workers: 1, lighttpd: false });
  config = /^config=(.*)$/m.exec(await readFile(path.join(stack.state, 'env'), 'utf8'))[1];
  proxy = net.createServer((client) => {
    const redis = net.connect(stack.redisSocket);
    let n = 0;
    client.on('data', async (bytes) => (await onAsked(++n)) && redis.write(bytes));
    redis.on('data', (bytes) => onAnswered(n) && client.write(bytes));
    for (const [one, other] of [[client, redis], [redis, client]]) one.on('error', () => {}).on('close', () => other.destroy());
  });
  proxy.listen(path.join(stack.state, 'proxy.sock'));
  await once(proxy, 'listening');
});
after(async () => {
  proxy?.close();
  await stack?.stop();
});

async function account() {
  const id = await stack.account_with('5.00');
  for (let i = 1; i < ROWS; i++) await stack.ctl('account', 'adjust', id, i % 2 ? '0.5' : '-0.25', '--reason', `row ${i}`);
  return id;
}
const ledgerIds = async (id) => (await stack.redis('--json', 'XRANGE', `{a:${id}}:ledger`, '-', '+').then(JSON.parse)).map(([row]) => row);
const exported = async (file) => (await readFile(file, 'utf8').catch(() => '')).split('\n').slice(0, -1).map((line) => JSON.parse(line).id);

// Killed at step n, before the word leaves or before its answer comes; how many words there were.
async function trim(id, file, { at = Infinity, behind = false } = {}) {
  const child = spawn(path.join(build, 'derouterctl'), ['-c', config, 'ledger', 'trim', id, '--before', '2100-01-01', '--export', file], {
    stdio: 'ignore',
    env: { ...process.env, DEROUTER_REDIS_ADDRESS: `unix:${stack.state}/proxy.sock` },
  });
  let words = 0;
  const kill = () => child.kill('SIGKILL') && false;
  onAsked = (n) => {
    words = n;
    return n !== at || behind || kill();
  };
  onAnswered = (n) => n !== at || !behind || kill();
  const [code, signal] = await once(child, 'exit');
  return { words, code, signal };
}

test('killed at every step: each row is in the ledger, or in a whole file and the opening', async (t) => {
  const whole = await trim(await account(), path.join(stack.state, 'whole.jsonl'));
  assert.deepEqual([whole.code, whole.signal], [0, null]);
  assert.ok(whole.words >= 4, `${whole.words} words`);
  let trimmed = 0;
  for (let at = 1; at <= whole.words; at++)
    for (const behind of [false, true]) {
      const what = `killed ${behind ? 'behind' : 'before'} word ${at}`;
      const id = await account(), rows = await ledgerIds(id), balance = await stack.redis('HGET', `{a:${id}}:account`, 'balance');
      const first = path.join(stack.state, `${id}-1.jsonl`), second = path.join(stack.state, `${id}-2.jsonl`);
      assert.equal(rows.length, ROWS);
      assert.equal((await trim(id, first, { at, behind })).signal, 'SIGKILL', what);
      const left = await ledgerIds(id);
      if (left.length === 0) {
        trimmed++;
        assert.deepEqual(await exported(first), rows, what); // what is gone was on disk before
      } else {
        assert.deepEqual(left, rows, what); // all or nothing
      }
      assert.match(await stack.ctl('ledger', 'verify', id), / 0 differences/, what);
      // and again, as the operator does: what has gone does not go twice
      assert.equal((await trim(id, second)).code, 0, what);
      assert.deepEqual(await ledgerIds(id), [], what);
      assert.deepEqual(await exported(second), left, what);
      assert.match(await stack.ctl('ledger', 'verify', id), / 0 differences/, what);
      assert.equal(await stack.redis('HGET', `{a:${id}}:opening`, 'balance'), balance, what);
      await stack.ctl('account', 'adjust', id, '1', '--reason', 'goes on');
      assert.match(await stack.ctl('ledger', 'verify', id), /1 rows, 0 differences/, what);
    }
  assert.ok(trimmed >= 1, 'one was killed when Redis had trimmed already');
  t.diagnostic(`${whole.words} words, killed before and behind each`);
});

test('a row that comes while the others are trimmed stays', async () => {
  const { words } = await trim(await account(), path.join(stack.state, 'counted.jsonl'));
  const id = await account(), rows = await ledgerIds(id), file = path.join(stack.state, 'late-row.jsonl');
  const child = spawn(path.join(build, 'derouterctl'), ['-c', config, 'ledger', 'trim', id, '--before', '2100-01-01', '--export', file], {
    stdio: 'ignore',
    env: { ...process.env, DEROUTER_REDIS_ADDRESS: `unix:${stack.state}/proxy.sock` },
  });
  onAnswered = () => true;
  onAsked = async (n) => n < words || (await stack.ctl('account', 'adjust', id, '1', '--reason', 'in between'), true); // the file is written by now
  assert.deepEqual(await once(child, 'exit'), [0, null]);
  assert.deepEqual(await exported(file), rows);
  assert.equal((await ledgerIds(id)).length, 1);
  assert.match(await stack.ctl('ledger', 'verify', id), / 1 rows, 0 differences/);
});
