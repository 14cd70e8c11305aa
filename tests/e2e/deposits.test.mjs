// USDC deposits on a real chain: credited once, whatever the node, the chain, Redis or the watcher do meanwhile.
import test, { before, after } from 'node:test';
import assert from 'node:assert/strict';
import { until } from './stack.mjs';
import { startChain, startProxy, startWatched, chainRow, usdc, TREASURY } from './chain.mjs';

let chain, proxy, w;
before(async () => {
  chain = await startChain();
  proxy = await startProxy(chain);
  w = await startWatched(chainRow(chain, [proxy.url]));
  w.startWatcher();
});
after(async () => {
  assert.equal(await w?.stop(), 0);
  await proxy?.stop();
  await chain?.stop();
});

const nano = (text) => usdc(text) * 1000n;
const has = (account, text) => until(`balance ${text}`, async () => (await w.balance(account)) === nano(text));
const status = (tx, wanted) => until(`${tx} ${wanted}`, async () => (await w.deposits()).find((d) => d.id.includes(tx))?.status === wanted);
const row = async (tx) => (await w.deposits()).find((d) => d.id.includes(tx));
let used = 1;
// A sender that no test has used, with money.
async function sender() {
  const address = `0x${(0xabc0000 + used++).toString(16).padStart(40, '0')}`;
  await chain.rpc('anvil_impersonateAccount', address);
  await chain.rpc('anvil_setBalance', address, '0xde0b6b3a7640000');
  await chain.mint(address, usdc('1000'));
  await chain.mine();
  return address;
}

test('a deposit is pending, then credited after its confirmations, then final; once', async () => {
  const from = await sender();
  const account = await w.account(from, '1');
  const tx = await chain.pay(from, usdc('25.5'));
  await chain.mine();
  await status(tx, 'pending');
  await w.round();
  assert.equal(await w.balance(account), nano('1')); // one confirmation of two
  await chain.mine();
  await has(account, '26.5');
  assert.equal((await row(tx)).final, 'no');
  await chain.mine(9);
  await until('final', async () => (await row(tx)).final === 'yes');
  await w.round();
  assert.equal(await w.balance(account), nano('26.5'));
  const rows = (await w.ledger(account)).filter((r) => r.type === 'deposit');
  assert.equal(rows.length, 1);
  assert.equal(rows[0].nano, '25500000000');
  assert.equal(rows[0].balance, '26500000000');
  await w.ctl('ledger', 'verify', account);
});

test('two transfers in one transaction are two deposits; failed ones and other receivers are none', async () => {
  const from = await sender();
  const account = await w.account(from);
  const tx = await chain.payTwice(from, usdc('1'), usdc('2'));
  await chain.pay(from, usdc('999999')); // more than it has: fails in the block
  await chain.pay(from, usdc('3'), chain.accounts[1]);
  await chain.mine(3);
  await has(account, '3');
  assert.deepEqual((await w.deposits()).filter((d) => d.id.includes(tx)).map((d) => d.id.split(':')[2]).sort(), ['0', '1']);
});

test('a transfer of nothing, which anybody can make in anybody\'s name, is no deposit', async () => {
  const from = await sender();
  const account = await w.account(from);
  const tx = await chain.call(chain.accounts[1], 'transferFrom(address,address,uint256)', from, TREASURY, 0n);
  await chain.mine();
  assert.equal((await chain.receipt(tx)).logs.length, 1); // it is a Transfer from the wallet to the treasury
  const paid = await chain.pay(from, usdc('1'));
  await chain.mine(3);
  await has(account, '1');
  assert.deepEqual((await w.deposits()).filter((d) => d.id.includes(tx)), []);
  assert.equal((await row(paid)).status, 'credited');
});

test('a transaction that a re-organisation moves to another block and log index is credited once', async () => {
  const [from, other] = [await sender(), await sender()];
  const account = await w.account(from);
  const snapshot = await chain.rpc('evm_snapshot');
  const tx = await chain.pay(from, usdc('7'));
  await chain.mine();
  await status(tx, 'pending');
  await chain.mine();
  await has(account, '7');
  const before = await chain.receipt(tx);
  await chain.rpc('evm_revert', snapshot);
  await chain.mint(other, usdc('1')); // takes log index 0 of the block
  await chain.pay(other, usdc('1'), chain.accounts[1]);
  const again = await chain.pay(from, usdc('7'));
  assert.equal(again, tx);
  await chain.mine(3);
  const after = await chain.receipt(tx);
  assert.notEqual(after.blockHash, before.blockHash);
  assert.notEqual(after.logs[0].logIndex, before.logs[0].logIndex);
  await until('seen in its new block', async () => (await w.redis('HGET', `{dep:31337}:tx:${tx}:0`, 'block_hash')) === after.blockHash);
  await chain.mine(10);
  await until('final', async () => (await row(tx)).final === 'yes');
  assert.equal(await w.balance(account), nano('7'));
  assert.equal((await w.ledger(account)).length, 1);
});

test('a pending one that a re-organisation drops is orphaned, and lives again when it is mined after all', async () => {
  const from = await sender();
  const account = await w.account(from);
  const snapshot = await chain.rpc('evm_snapshot');
  const tx = await chain.pay(from, usdc('4'));
  await chain.mine();
  await status(tx, 'pending');
  await chain.rpc('evm_revert', snapshot);
  await chain.mine(3);
  await status(tx, 'orphaned');
  assert.equal(await w.balance(account), 0n);
  assert.equal(await chain.pay(from, usdc('4')), tx);
  await chain.mine(3);
  await has(account, '4');
});

test('a deep re-organisation takes a credited one back, below zero if need be, and it can come again', async () => {
  const from = await sender();
  const account = await w.account(from);
  const snapshot = await chain.rpc('evm_snapshot');
  const tx = await chain.pay(from, usdc('10'));
  await chain.mine(4);
  await has(account, '10');
  await w.redis('HINCRBY', `{a:${account}}:account`, 'balance', '-6000000000'); // spent
  await has(account, '4');
  await chain.rpc('evm_revert', snapshot);
  await chain.mine(6);
  await status(tx, 'reversed');
  await has(account, '-6');
  assert.deepEqual((await w.ledger(account)).filter((r) => r.deposit).map((r) => r.type), ['deposit', 'reversal']);
  assert.equal(await chain.pay(from, usdc('10')), tx);
  await chain.mine(4);
  await has(account, '4');
});

test('a log that the node hides at first is found when its block is final, once', async () => {
  const from = await sender();
  const account = await w.account(from);
  await proxy.fault({ kind: 'hide-logs' });
  const tx = await chain.pay(from, usdc('5'));
  await chain.mine(3);
  await w.round();
  assert.equal(await row(tx), undefined);
  await proxy.fault();
  await chain.mine(10);
  await has(account, '5');
});

test('blocks count as looked through only once what they hold stands in Redis', async () => {
  const from = await sender();
  const account = await w.account(from);
  const tx = await chain.pay(from, usdc('3.5'));
  await w.redis('SET', `{dep:31337}:tx:${tx}:0`, 'in the way'); // of what is seen, and of nothing else
  const refused = async () => (await w.log()).split('WRONGTYPE').length;
  const before = await refused();
  await chain.mine(3);
  await until('refused', async () => (await refused()) > before);
  assert.ok(Number(await w.redis('HGET', '{dep:31337}:state', 'next')) <= (await chain.head()) - 2);
  await w.redis('DEL', `{dep:31337}:tx:${tx}:0`);
  await has(account, '3.5'); // before it is final: no second look has found it
});

test('an unclaimed deposit waits for its owner: a wallet that is proved later claims it', async () => {
  const from = await sender();
  const tx = await chain.pay(from, usdc('6'));
  await chain.mine(12);
  await until('final', async () => (await row(tx))?.final === 'yes');
  assert.equal((await row(tx)).status, 'unclaimed');
  const account = await w.account(from);
  await has(account, '6');
  await chain.mine();
  await w.round();
  assert.equal(await w.balance(account), nano('6'));
});

test('an unclaimed deposit that a re-organisation drops is nobody\'s', async () => {
  const from = await sender();
  const snapshot = await chain.rpc('evm_snapshot');
  const tx = await chain.pay(from, usdc('6'));
  await chain.mine(2);
  await status(tx, 'unclaimed');
  await chain.rpc('evm_revert', snapshot);
  await chain.mine(4);
  await status(tx, 'orphaned');
  const account = await w.account(from);
  await w.round();
  assert.equal(await w.balance(account), 0n);
});

test('the operator assigns one; of claims at the same time one wins', async () => {
  const from = await sender();
  const tx = await chain.pay(from, usdc('8'));
  await chain.mine(3);
  await status(tx, 'unclaimed');
  const { id } = await row(tx);
  const accounts = await Promise.all(Array.from({ length: 6 }, () => w.account()));
  await assert.rejects(w.ctl('deposit', 'assign', id, accounts[0]), /--reason/);
  await assert.rejects(w.ctl('deposit', 'assign', id, 'aaaaaaaaaa', '--reason', 'x'), /account/i);
  await assert.rejects(w.ctl('deposit', 'assign', '31337:nonsense', accounts[0], '--reason', 'x'), /CHAIN:HASH:POSITION/);
  const won = await Promise.allSettled(accounts.map((a) => w.ctl('deposit', 'assign', id, a, '--reason', 'asked by mail')));
  assert.equal(won.filter((r) => r.status === 'fulfilled').length, 1);
  await status(tx, 'credited');
  const balances = await Promise.all(accounts.map((a) => w.balance(a)));
  assert.equal(balances.reduce((a, b) => a + b), nano('8'));
});

test('too little is recorded and not credited; more than 2^53 neither', async () => {
  const from = await sender();
  const account = await w.account(from);
  const small = await chain.pay(from, usdc('0.099999'));
  await chain.mint(from, 10n ** 16n);
  const big = await chain.pay(from, 9007199254741n);
  await chain.mine(12);
  await status(small, 'unclaimed');
  await status(big, 'unclaimed');
  assert.equal((await row(small)).why, 'below min_deposit');
  assert.equal((await row(big)).why, 'above 2^53');
  await w.round();
  assert.equal(await w.balance(account), 0n);
  await assert.rejects(w.ctl('deposit', 'assign', (await row(big)).id, account, '--reason', 'x'), /2\^53/);
  await w.ctl('deposit', 'assign', (await row(small)).id, account, '--reason', 'let it pass');
  await has(account, '0.099999');
});

for (const [kind, said, more] of [
  ['drop', 'no connection|broke off'], ['silent', 'within chain_timeout'], ['busy', 'HTTP 429'], ['redirect', 'HTTP 302'], ['empty', 'the answer is empty'],
  ['not-json', 'not JSON'], ['no-batch', 'no batches'], ['short-batch', 'has no answer'], ['cut', 'broke off'], ['wrong-chain', 'another chain'],
  ['no-code', 'no contract'], ['decimals', 'has not six'], ['no-receipts', 'none for a log'], ['failed-receipts', 'status says that it failed'],
  ['other-log', 'topics or data'], ['bad-quantity', 'logIndex'], ['behind', 'the node is behind', 2],
])
  test(`a node's fault moves nothing, is told, and passes: ${kind}`, async () => {
    const from = await sender();
    const account = await w.account(from);
    await w.round();
    const told = async () => ((await w.log()).match(new RegExp(said, 'g')) ?? []).length;
    const before = await told();
    await proxy.fault({ kind, ...(more && { head: (await chain.head()) - more }) });
    await chain.pay(from, usdc('1.25'));
    await chain.mine(3);
    await until(`told: ${said}`, async () => (await told()) > before);
    assert.equal(await w.balance(account), 0n);
    if (kind !== 'behind') assert.notEqual((await w.json('deposit', 'chains'))[0].error, '');
    await proxy.fault();
    await has(account, '1.25');
    assert.ok(!(await w.log()).includes(proxy.url));
  });

test('a node that takes few blocks at a time is asked for fewer', async () => {
  const from = await sender();
  const account = await w.account(from);
  await proxy.fault({ kind: 'range', most: 3 });
  await chain.pay(from, usdc('2'));
  await chain.mine(40);
  await has(account, '2');
  await proxy.fault();
});

test('kill -9 of the watcher, Redis restarts and re-organisations: every deposit is credited once', async () => {
  const people = [];
  for (let i = 0; i < 4; i++) {
    const from = await sender();
    people.push({ from, account: await w.account(from), paid: 0n });
  }
  for (let i = 0; i < 28; i++) {
    const snapshot = await chain.rpc('evm_snapshot');
    const paid = people.map((p, k) => ({ p, units: BigInt(100000 + i * 1000 + k) }));
    for (const { p, units } of paid) await chain.pay(p.from, units);
    await chain.mine(1 + (i % 3));
    if (i % 4 === 3) {
      await new Promise((done) => setTimeout(done, (i * 7) % 60)); // somewhere in the middle of a round
      await chain.rpc('evm_revert', snapshot);
      await chain.mine();
      for (const { p, units } of paid.reverse()) await chain.pay(p.from, units);
      await chain.mine(2);
    }
    for (const { p, units } of paid) p.paid += units;
    await new Promise((done) => setTimeout(done, (i * 13) % 70)); // ... at another place each time
    await w.killWatcher();
    if (i % 6 === 5) {
      await w.killRedis();
      await w.startRedis();
    }
    w.startWatcher();
  }
  await chain.mine(12);
  for (const p of people) await until(`${p.paid} units`, async () => (await w.balance(p.account)) === p.paid * 1000n, 60);
  await w.round();
  for (const p of people) {
    assert.equal(await w.balance(p.account), p.paid * 1000n);
    await w.ctl('ledger', 'verify', p.account);
  }
});

test('what is credited is what the treasury has, less what is unclaimed', async () => {
  await chain.mine(12);
  await w.round();
  await until('nothing pending', async () => (await w.deposits('--status', 'pending')).length === 0);
  let sum = 0n;
  let credited = 0n;
  for (const d of await w.deposits()) {
    const [, tx, pos] = d.id.split(':');
    const units = BigInt(await w.redis('HGET', `{dep:31337}:tx:${tx}:${pos}`, 'units'));
    if (d.status === 'credited' || d.status === 'unclaimed') sum += units;
    if (d.status === 'credited') credited += units;
  }
  assert.equal(sum, await chain.balance(TREASURY));
  let booked = 0n;
  for (const account of new Set((await w.deposits()).map((d) => d.account).filter(Boolean)))
    for (const r of await w.ledger(account)) if (r.deposit) booked += BigInt(r.nano);
  assert.equal(booked, credited * 1000n);
});

test('an empty Redis and an old start_block: nothing is followed without --replay', async () => {
  await w.killWatcher('SIGTERM');
  const kept = await w.balance(await w.account());
  assert.equal(kept, 0n);
  await w.redis('DEL', '{dep:31337}:state', '{dep:31337}:checkpoints');
  w.write(undefined, { deposits_replay_above: '5' });
  w.startWatcher();
  await w.says('--replay');
  assert.equal(await w.redis('EXISTS', '{dep:31337}:state'), '0');
  await w.killWatcher('SIGTERM');
  w.startWatcher('--replay');
  await until('followed', async () => (await w.redis('HGET', '{dep:31337}:state', 'next')) === String((await chain.head()) + 1));
  await w.round(); // everything was seen again: nothing may be credited twice
  let booked = 0n;
  for (const account of new Set((await w.deposits()).map((d) => d.account).filter(Boolean)))
    for (const r of await w.ledger(account)) if (r.deposit) booked += BigInt(r.nano);
  let unclaimed = 0n;
  for (const d of await w.deposits('--status', 'unclaimed')) {
    const [, tx, pos] = d.id.split(':');
    unclaimed += BigInt(await w.redis('HGET', `{dep:31337}:tx:${tx}:${pos}`, 'units'));
  }
  assert.equal(booked, ((await chain.balance(TREASURY)) - unclaimed) * 1000n);
});
