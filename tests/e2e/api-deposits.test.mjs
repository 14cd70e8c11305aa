// The dashboard's side of deposits: where to pay, what has come, and a key that works once it has; models; health in /metrics.
import test, { before, after } from 'node:test';
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts';
import { getAddress } from 'viem';
import { startStack, call, until } from './stack.mjs';
import { startChain, startProxy, chainRow, usdc, FAST, TREASURY } from './chain.mjs';
import { dialects } from './dialects.mjs';

const CHAIN = 31337;
const { messages } = dialects;
const MODEL = 'claude-sonnet-4-6';
let stack, chain, proxy, dir;

before(async () => {
  dir = await mkdtemp(path.join(os.tmpdir(), 'derouter-api-deposits-'));
  chain = await startChain();
  proxy = await startProxy(chain);
  const row = chainRow(chain, [proxy.url], { explorer: 'https://explorer.example/tx/', finalized_above: '500', confirmations: 3 });
  const off = { ...row, id: 84532, name: 'Off', enabled: false };
  await writeFile(path.join(dir, 'chains.json'), JSON.stringify({ chains: [row, off] }));
  stack = await startStack({ workers: 2, lighttpd: false, set: { ...FAST, chains_file: path.join(dir, 'chains.json'), login_rpm: '100000', api_rpm: '100000', support_url: 'https://help.example' } });
  const standin = await stack.standin();
  await stack.provider('one', standin.url, { models: [`${MODEL}=fake/ok`], dialects: ['anthropic'], extra: ['--rest', '00:00-00:01'] });
  await stack.online(MODEL);
});
after(async () => {
  await stack?.stop();
  await proxy?.stop();
  await chain?.stop();
  if (dir) await rm(dir, { recursive: true });
});

const get = (where, token) => call(stack.nginx, { method: 'GET', path: where, headers: token ? { authorization: `Bearer ${token}` } : {} });
const post = (where, body, token) => call(stack.nginx, { path: where, body, headers: token ? { authorization: `Bearer ${token}` } : {} });
async function logIn(who = privateKeyToAccount(generatePrivateKey())) {
  const { json } = await post('/api/auth/challenge', { address: who.address, chainId: CHAIN });
  const hit = await post('/api/auth/verify', { message: json.message, signature: await who.signMessage(json) });
  assert.equal(hit.status, 200, hit.text);
  const from = who.address.toLowerCase();
  await chain.rpc('anvil_impersonateAccount', from);
  await chain.rpc('anvil_setBalance', from, '0xde0b6b3a7640000');
  await chain.mint(from, usdc('10000'));
  await chain.mine();
  return { address: who.address, from, account: hit.json.account, token: hit.json.token };
}
const deposits = async (who, query = '') => {
  const hit = await get(`/api/deposits${query}`, who.token);
  assert.equal(hit.status, 200, hit.text);
  return hit.json;
};
const status = (who, tx, wanted) => until(`${tx} ${wanted}`, async () => (await deposits(who)).data.find((d) => d.tx === tx)?.status === wanted);
async function bad(hit, field) {
  assert.equal(hit.status, 400, hit.text);
  assert.ok(hit.json.error.message.includes(field), hit.text);
}

test('what is to be known before the login', async () => {
  const hit = await get('/api/config');
  assert.equal(hit.status, 200);
  assert.equal(hit.headers['cache-control'], 'no-store');
  assert.deepEqual(hit.json, {
    object: 'config', login: true, statement: 'Sign in to DeRouter.', base_url: stack.nginx, support_url: 'https://help.example',
    chains: [{ chainId: CHAIN, name: 'Anvil' }], key_prefix: 'sk-ant-dr-', default_rpm: 60, default_concurrency: 5, max_rpm: 600, max_concurrency: 50,
  });
  await bad(await get('/api/config?x=1'), 'x');
  for (const where of ['/api/models', '/api/deposit-info', '/api/deposits']) {
    const refused = await get(where);
    assert.equal(refused.status, 401);
    assert.equal(refused.json.error.message, 'Invalid or expired token');
  }
});

test('models with prices, and who serves them', async () => {
  const who = await logIn();
  const { json } = await get('/api/models', who.token);
  const model = json.data.find((m) => m.id === MODEL);
  assert.equal(model.state, 'online');
  assert.deepEqual(model.dialects, ['anthropic']);
  assert.equal(model.price.input_usd_per_million, '3');
  assert.equal(model.price.output_usd_per_million, '15');
  assert.match(model.price.date, /^\d{4}-\d\d-\d\d$/);
  assert.ok(model.price.source.length > 0);
  assert.equal(model.providers.length, 1);
  assert.match(model.providers[0].id, /^p_[0-9a-f]{8}$/);
  assert.equal(model.providers[0].rest, '00:00-00:01');
  const other = await logIn();
  assert.notEqual((await get('/api/models', other.token)).json.data.find((m) => m.id === MODEL).providers[0].id, model.providers[0].id);
  const unserved = json.data.find((m) => m.providers.length === 0);
  assert.equal(unserved.state, 'offline');
  assert.deepEqual(unserved.dialects, []);
  assert.ok(!JSON.stringify(json).includes('"one"'));
  // long prompts of some models cost more
  const tiered = json.data.filter((m) => m.price.tiers.length > 0);
  assert.ok(tiered.every((m) => m.price.tiers.every((t) => t.above_tokens > 0)));
  await stack.ctl('provider', 'disable', 'one');
  await until('offline', async () => (await get('/api/models', who.token)).json.data.find((m) => m.id === MODEL).state === 'offline');
  await stack.ctl('provider', 'enable', 'one');
  await until('online', async () => (await get('/api/models', who.token)).json.data.find((m) => m.id === MODEL).state === 'online');
  await stack.online(MODEL); // at the other responder too
});

test('where to pay, with checksums, and how well it is followed', async () => {
  const who = await logIn();
  const info = async () => (await get('/api/deposit-info', who.token)).json;
  await until('a round', async () => (await info()).data[0].health.state === 'ok');
  const { object, data, wallets } = await info();
  assert.equal(object, 'deposit_info');
  assert.equal(data.length, 1);
  const { health, ...rest } = data[0];
  assert.deepEqual(rest, {
    chainId: CHAIN, name: 'Anvil', usdc: getAddress(chain.usdc), treasury: getAddress(TREASURY), confirmations: 3, policy: 'blocks', min: '0.1',
    finalized_above: '500', explorer: 'https://explorer.example/tx/',
  });
  assert.equal(health.lag_blocks, 0);
  assert.ok(health.head > 0 && Date.parse(health.last_ok_at) > Date.now() - 60000);
  assert.deepEqual(wallets, [getAddress(who.address)]);
});

test('from 402 to 200: the same key, one poll after the deposit is confirmed', async () => {
  const who = await logIn();
  const made = await post('/api/keys', { name: 'first' }, who.token);
  assert.equal(made.status, 200, made.text);
  const { key } = made.json;
  const ask = () => call(stack.nginx, { path: '/v1/messages', headers: { 'x-api-key': key, 'anthropic-version': '2023-06-01' }, body: messages.body(MODEL, 'Hello') });
  const before = await ask();
  assert.equal(before.status, 402, before.text);
  assert.equal(before.json.error.message, 'Insufficient balance');
  const tx = await chain.pay(who.from, usdc('12.5'));
  const told = await post('/api/deposits/notify', { tx, chainId: CHAIN }, who.token);
  assert.equal(told.status, 200, told.text);
  assert.ok(Date.parse(told.json.until) > Date.now());
  await chain.mine();
  await status(who, tx, 'pending');
  const [pending] = (await deposits(who)).data;
  assert.equal(pending.confirmations_needed, 3);
  assert.equal(pending.confirmations, 1);
  assert.equal(pending.credited_at, null);
  assert.equal((await ask()).status, 402);
  await chain.mine(2);
  const rounds = await proxy.batches();
  await status(who, tx, 'credited');
  assert.equal((await ask()).status, 200);
  assert.ok((await proxy.batches()) - rounds < 60, 'within a few rounds'); // of three batches each
  const [row] = (await deposits(who)).data;
  assert.deepEqual({ ...row, block: 0, seen_at: '', credited_at: '', confirmations: 0 }, {
    object: 'deposit', id: `${CHAIN}:${tx}:0`, chainId: CHAIN, tx, from: getAddress(who.address), amount_usd: '12.5', amount_nano_usd: 12500000000,
    status: 'credited', confirmations: 0, confirmations_needed: 3, block: 0, explorer_url: `https://explorer.example/tx/${tx}`, seen_at: '', credited_at: '',
  });
  assert.ok(Date.parse(row.credited_at) >= Date.parse(row.seen_at));
  await chain.mine(10);
  await status(who, tx, 'final');
});

test('what waits for an owner, too little, large, and of another wallet: each is told to whom it belongs', async () => {
  const stranger = `0x${'5a'.repeat(20)}`;
  const who = await logIn();
  const other = await logIn();
  await chain.rpc('anvil_impersonateAccount', stranger);
  await chain.rpc('anvil_setBalance', stranger, '0xde0b6b3a7640000');
  await chain.mint(stranger, usdc('100'));
  const early = await chain.pay(stranger, usdc('3'));
  await chain.mine(4);
  await until('unclaimed', async () => (await stack.json('deposit', 'list', '--status', 'unclaimed')).some((d) => d.id.includes(early)));
  await until('in /metrics', async () => /derouter_deposits_unclaimed\{chain="31337"\} 1\n/.test((await get('/metrics')).text));
  assert.equal((await deposits(who)).data.length, 0);
  await stack.ctl('wallet', 'link', who.account, stranger);
  await status(who, early, 'credited');
  assert.equal((await stack.json('deposit', 'show', `${CHAIN}:${early}:0`)).claimed_by, 'wallet');
  const small = await chain.pay(who.from, usdc('0.05'));
  await chain.mine(4);
  await status(who, small, 'below_min');
  assert.equal((await stack.json('deposit', 'show', `${CHAIN}:${small}:0`)).why, 'below min_deposit');
  const large = await chain.pay(who.from, usdc('501'));
  await chain.mine(4);
  await status(who, large, 'pending');
  assert.equal((await deposits(who)).data.find((d) => d.tx === large).confirmations_needed, null);
  // assigned to another account by the operator: not this one's any more
  await stack.ctl('deposit', 'assign', `${CHAIN}:${small}:0`, other.account, '--reason', 'asked by mail');
  await status(other, small, 'credited');
  assert.ok(!(await deposits(who)).data.some((d) => d.tx === small));
  await chain.mine(10);
  await status(who, large, 'final');
  assert.match((await get('/metrics')).text, /derouter_deposits_pending\{chain="31337"\} 0\n/);
});

test('pages of deposits, each one once', async () => {
  const who = await logIn();
  const sent = [];
  for (let i = 0; i < 7; i++) {
    sent.push(await chain.pay(who.from, usdc(`1.${i}`)));
    if (i % 3 === 0) await chain.mine();
  }
  await chain.mine(4);
  await until('all are credited', async () => (await deposits(who)).data.filter((d) => d.status !== 'pending').length === 7);
  const seen = [];
  for (let cursor = ''; cursor !== null; ) {
    const page = await deposits(who, `?limit=2${cursor && `&cursor=${encodeURIComponent(cursor)}`}`);
    assert.ok(page.data.length <= 2);
    assert.equal(page.has_more, page.next_cursor !== null);
    seen.push(...page.data);
    cursor = page.next_cursor;
  }
  assert.equal(seen.length, 7);
  assert.deepEqual([...seen.map((d) => d.tx)].sort(), [...sent].sort());
  assert.deepEqual(seen.map((d) => d.seen_at), seen.map((d) => d.seen_at).sort().reverse());
  for (const [query, field] of [['?limit=0', 'limit'], ['?limit=201', 'limit'], ['?cursor=x', 'cursor'], ['?cursor=5.%22', 'cursor'], ['?page=2', 'page']])
    await bad(await get(`/api/deposits${query}`, who.token), field);
});

test('notify: strict, and not too often', async () => {
  const who = await logIn();
  await bad(await post('/api/deposits/notify', { tx: '0x12' }, who.token), 'tx');
  await bad(await post('/api/deposits/notify', { chainId: 1 }, who.token), 'chainId');
  await bad(await post('/api/deposits/notify', { chainId: 84532 }, who.token), 'chainId');
  await bad(await post('/api/deposits/notify', { hash: '0x12' }, who.token), 'hash');
  await stack.redis('HDEL', '{dep:31337}:state', 'notify');
  const hits = [];
  for (let i = 0; i < 31; i++) hits.push(await post('/api/deposits/notify', {}, who.token));
  assert.ok(Number(await stack.redis('HGET', '{dep:31337}:state', 'notify')) > Date.now() - 60000);
  assert.deepEqual(hits.map((h) => h.status), [...Array.from({ length: 30 }, () => 200), 429]);
  assert.ok(Number(hits[30].headers['retry-after']) >= 1);
});

test('a node that fails shows on the page and in /metrics; deposits go on where it is well again', async () => {
  const who = await logIn();
  const gauge = async (name) => Number(new RegExp(`^derouter_deposits_${name}\\{chain="31337"\\} (\\d+)$`, 'm').exec((await get('/metrics')).text)?.[1]);
  await until('a round', async () => Date.now() / 1000 - (await gauge('last_ok_timestamp_seconds')) < 5);
  assert.equal(await gauge('lag_blocks'), 0);
  await proxy.fault({ kind: 'drop' });
  // twice (40 ms + 2 s) without a whole round
  await until('delayed', async () => (await get('/api/deposit-info', who.token)).json.data[0].health.state === 'delayed');
  await proxy.fault();
  await until('ok', async () => (await get('/api/deposit-info', who.token)).json.data[0].health.state === 'ok');
  const text = (await get('/metrics')).text;
  assert.match(text, /^# TYPE derouter_deposits_final_lag_blocks gauge$/m);
  assert.ok(!text.includes('84532'));
});

test('a suspended account: keys and sessions are told nothing, the log is told why', async () => {
  const who = await logIn();
  const key = await stack.key_of(who.account);
  const asks = () => Promise.all([get('/api/deposits', who.token), call(stack.nginx, { method: 'GET', path: '/v1/key', headers: { 'x-api-key': key } }),
    call(stack.nginx, { path: '/v1/messages', headers: { 'x-api-key': key }, body: messages.body(MODEL, 'Hello') })]);
  await stack.ctl('account', 'suspend', who.account, '--reason', 'chargeback');
  const hits = await asks();
  assert.deepEqual(hits.map((h) => h.status), [401, 401, 401]);
  assert.deepEqual(hits.map((h) => h.json.error.message), ['Invalid or expired token', 'Invalid API key', 'Invalid API key']);
  const ids = hits.map((h) => h.headers['request-id']);
  await until('three lines', async () => (await stack.accessLog()).filter((l) => ids.includes(l.req)).length === 3);
  const reasons = (await stack.accessLog()).filter((l) => ids.includes(l.req)).map((l) => l.error).sort();
  assert.deepEqual(reasons, ['SUSPENDED', 'SUSPENDED', 'SUSPENDED_SESSION']);
  // what is paid meanwhile is credited
  const tx = await chain.pay(who.from, usdc('2'));
  await chain.mine(4);
  await until('credited', async () => (await stack.json('deposit', 'list', '--account', who.account)).some((d) => d.id.includes(tx) && d.status === 'credited'));
  await stack.ctl('account', 'resume', who.account);
  assert.deepEqual((await asks()).map((h) => h.status), [200, 200, 200]);
  assert.equal((await stack.json('session', 'list', who.account)).length, 1);
  await stack.ctl('session', 'end', who.account, '--all');
  assert.equal((await get('/api/deposits', who.token)).status, 401);
});
