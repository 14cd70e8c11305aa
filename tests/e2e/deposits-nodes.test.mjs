// Deposits with several watchers, several nodes, other policies, and a node that was restarted.
import test, { before, after } from 'node:test';
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { until } from './stack.mjs';
import { startChain, startProxy, startWatched, chainRow, usdc } from './chain.mjs';

let chain;
before(async () => {
  chain = await startChain();
});
after(async () => chain?.stop());

const nano = (text) => usdc(text) * 1000n;
let used = 1;
async function sender(on = chain) {
  const address = `0x${(0xdef0000 + used++).toString(16).padStart(40, '0')}`;
  await on.rpc('anvil_impersonateAccount', address);
  await on.rpc('anvil_setBalance', address, '0xde0b6b3a7640000');
  await on.mint(address, usdc('1000'));
  await on.mine();
  return address;
}

// Each part has a redis-server and a watcher of its own; the chain is the same.
async function watched(rpc, more, run, settings) {
  const w = await startWatched(chainRow(chain, rpc, more), settings);
  const has = (account, text) => until(`balance ${text}`, async () => (await w.balance(account)) === nano(text));
  const row = async (tx) => (await w.deposits()).find((d) => d.id.includes(tx));
  w.startWatcher();
  try {
    await run(w, { has, row });
  } finally {
    assert.equal(await w.stop(), 0);
  }
}

test('of two watchers one asks the nodes; the other takes over when it is killed, and when it ends', async (t) => {
  const other = await startProxy(chain);
  t.after(() => other.stop());
  await watched([chain.url], {}, async (w, { has }) => {
    await w.round();
    assert.match(await w.redis('GET', '{dep:31337}:lock'), /^[a-z0-9]{16}$/);
    const second = w.anotherWatcher([other.url], '--set', 'watcher_ttl=2s');
    await until('the second one waits', async () => (await second.log()).includes('another watcher follows it'));
    const from = await sender();
    const account = await w.account(from);
    await chain.pay(from, usdc('3'));
    await chain.mine(2);
    await has(account, '3');
    assert.equal(await other.batches(), 0);
    await w.killWatcher('SIGKILL'); // gives nothing back: it lapses
    await chain.pay(from, usdc('4'));
    await chain.mine(2);
    await has(account, '7');
    assert.ok((await other.batches()) > 0);
    w.startWatcher();
    await w.says('another watcher follows it');
    assert.equal(await second.kill('SIGTERM'), 0);
    const ended = Date.now();
    const before = await other.batches();
    await chain.pay(from, usdc('5'));
    await chain.mine(2);
    await has(account, '12');
    assert.ok(Date.now() - ended < 2000, 'it was given back, not waited for');
    assert.equal(await other.batches(), before);
  }, { set: { watcher_ttl: '2s' } });
});

test('rounds by hand beside a watcher, many at a time: every deposit is credited once', async () => {
  await watched([chain.url], {}, async (w, { has }) => {
    const people = [];
    for (let i = 0; i < 3; i++) {
      const from = await sender();
      people.push({ from, account: await w.account(from) });
    }
    for (let i = 1; i <= 6; i++) {
      for (const { from } of people) await chain.pay(from, usdc(String(i)));
      await chain.mine(2);
      const rounds = Array.from({ length: 4 }, () => w.anotherWatcher([chain.url], '--once', 'deposits'));
      await Promise.all(rounds.map((r) => r.ended));
    }
    await chain.mine(12);
    for (const { account } of people) {
      await has(account, '21');
      assert.equal((await w.ledger(account)).filter((r) => r.type === 'deposit').length, 6);
      await w.ctl('ledger', 'verify', account);
    }
    await w.round();
    for (const { account } of people) assert.equal(await w.balance(account), nano('21'));
  });
});

// anvil's safe block is 4 behind the head here, the final one 8 (--slots-in-an-epoch 4).
for (const [policy, tag] of [['safe', 'safe'], ['finalized', 'finalized']])
  test(`policy ${policy}: nothing is credited before the node says so`, async () => {
    await watched([chain.url], { policy, confirmations: undefined }, async (w, { has, row }) => {
      const from = await sender();
      const account = await w.account(from);
      const tx = await chain.pay(from, usdc('2.5'));
      await chain.mine();
      const block = Number((await chain.receipt(tx)).blockNumber);
      await until('pending', async () => (await row(tx))?.status === 'pending');
      const reached = async () => Number((await chain.rpc('eth_getBlockByNumber', tag, false)).number) >= block;
      for (let i = 0; i < 30 && !(await reached()); i++) {
        await w.round();
        assert.equal(await w.balance(account), 0n, `${i} blocks later`);
        await chain.mine();
      }
      assert.ok(await reached());
      await has(account, '2.5');
    });
  });

test('deposits above finalized_above wait for finality, smaller ones do not', async () => {
  await watched([chain.url], { finalized_above: '100' }, async (w, { has }) => {
    const from = await sender();
    const account = await w.account(from);
    await chain.pay(from, usdc('100'));
    await chain.pay(from, usdc('100.000001'));
    await chain.mine(2);
    await has(account, '100');
    await w.round();
    assert.equal(await w.balance(account), nano('100'));
    await chain.mine(12);
    await has(account, '200.000001');
  });
});

test('a node that hides logs for good hides nothing for good where there is another one', async (t) => {
  const [hides, honest] = [await startProxy(chain), await startProxy(chain)];
  t.after(() => Promise.all([hides.stop(), honest.stop()]));
  await hides.fault({ kind: 'hide-logs' });
  await watched([hides.url, honest.url], {}, async (w, { has, row }) => {
    const from = await sender();
    const account = await w.account(from);
    const tx = await chain.pay(from, usdc('5'));
    await chain.mine(3);
    await w.round();
    assert.equal(await row(tx), undefined);
    await chain.mine(12);
    await has(account, '5');
    // the other one out of order: deposits go on being credited, the second look waits for it
    await hides.fault();
    await honest.fault({ kind: 'drop' });
    await chain.mine(4); // blocks that become final
    await w.says('second look');
    await chain.pay(from, usdc('6'));
    await chain.mine(2);
    await has(account, '11');
    await honest.fault();
    await chain.mine(12);
    await until('looked at twice', async () => Number(await w.redis('HGET', '{dep:31337}:state', 'final_next')) > (await chain.head()) - 10);
    await w.round();
    assert.equal(await w.balance(account), nano('11'));
  });
});

test('a node that is restarted is the same chain: nothing is lost, nothing comes twice', async (t) => {
  const dir = await mkdtemp(path.join(os.tmpdir(), 'derouter-anvil-'));
  const own = await startChain({ state: path.join(dir, 'state.json') });
  t.after(async () => {
    await own.stop();
    await rm(dir, { recursive: true, force: true });
  });
  const w = await startWatched(chainRow(own, [own.url]));
  t.after(async () => assert.equal(await w.stop(), 0));
  const has = (account, text) => until(`balance ${text}`, async () => (await w.balance(account)) === nano(text));
  w.startWatcher();
  const from = await sender(own);
  const account = await w.account(from);
  await own.pay(from, usdc('7'));
  await own.mine(2);
  await has(account, '7');
  const pending = await own.pay(from, usdc('8'));
  await own.mine();
  await until('pending', async () => (await w.deposits('--status', 'pending')).some((d) => d.id.includes(pending)));
  const head = await own.head();
  await own.restart();
  assert.equal(await own.head(), head);
  await own.rpc('anvil_impersonateAccount', from);
  await own.mine(2);
  await has(account, '15');
  await own.mine(12);
  await until('final', async () => (await w.deposits()).every((d) => d.final === 'yes'));
  assert.equal((await w.ledger(account)).filter((r) => r.type === 'deposit').length, 2);
});
