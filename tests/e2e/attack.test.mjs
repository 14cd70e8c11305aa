// What somebody hostile does to the dashboard's API and to the login: forged cursors, lists without end, addresses in odd
// forms, nodes that lie. Each test stands for something that went wrong once.
import test, { before, after } from 'node:test';
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts';
import { startStack, call, until } from './stack.mjs';
import { fcgi } from './fcgi.mjs';

const [CHAIN, SECOND] = [31337, 31338];
let stack, dir;

// The node of both chains: asked about a contract's signature it says what `says` makes of each call, or nothing at all.
const YES = `0x1626ba7e${'0'.repeat(56)}`;
const yes = (calls) => JSON.stringify(calls.map(({ id, method }) => ({ jsonrpc: '2.0', id, result: method === 'eth_getCode' ? '0x60' : YES })));
let says = yes, asked = 0;
const node = http.createServer(async (request, response) => {
  const pieces = [];
  for await (const piece of request) pieces.push(piece);
  const calls = JSON.parse(Buffer.concat(pieces).toString());
  if (!calls.some((c) => c.method === 'eth_call' && c.params[0].data.startsWith('0x1626ba7e'))) return void response.writeHead(500).end(); // the watcher
  asked++;
  const text = says(calls);
  if (text !== undefined) response.end(text);
});

before(async () => {
  await new Promise((done) => node.listen(0, '127.0.0.1', done));
  dir = await mkdtemp(path.join(os.tmpdir(), 'derouter-attack-'));
  const row = (id) => ({ id, name: `Chain ${id}`, rpc: [`http://127.0.0.1:${node.address().port}/`], usdc: `0x${'11'.repeat(20)}`, treasury: `0x${'22'.repeat(20)}`, confirmations: 2, start_block: 0, min_deposit: '0.1' });
  await writeFile(path.join(dir, 'chains.json'), JSON.stringify({ chains: [row(CHAIN), row(SECOND)] }));
  stack = await startStack({ workers: 2, lighttpd: false, set: { new_accounts_rpm: '100000', login_rpm: '1000', api_rpm: '1000000', chains_file: path.join(dir, 'chains.json') } });
});
after(async () => {
  await stack?.stop();
  node.closeAllConnections();
  node.close();
  if (dir) await rm(dir, { recursive: true });
});

const worker = (n = 1) => path.join(stack.state, `worker-${n}.sock`);
const wallet = () => privateKeyToAccount(generatePrivateKey());

// An account with a session: get(path), send(method, path, body).
async function login(credit = '1.00') {
  const account = await stack.account_with(credit);
  const token = await stack.session_of(account);
  const send = (method, where, body, headers = {}) => call(stack.nginx, { method, path: where, headers: { authorization: `Bearer ${token}`, ...headers }, body });
  return { account, token, send, get: (where) => send('GET', where) };
}

// Sign what the gateway has composed, and send it there.
async function signed(me, who, purpose, where) {
  const asked = await me.send('POST', '/api/auth/challenge', { address: who.address, chainId: CHAIN, purpose });
  assert.equal(asked.status, 200, asked.text);
  return me.send('POST', where, { message: asked.json.message, signature: await who.signMessage({ message: asked.json.message }) });
}

test('a cursor that nobody gave is refused, and before all time there is nothing', async () => {
  const me = await login();
  for (const list of ['ledger', 'requests'])
    for (const cursor of ['0-0', '000000000000000000-0']) {
      const hit = await me.get(`/api/${list}?cursor=${cursor}`);
      assert.equal(hit.status, 400, hit.text);
      assert.match(hit.json.error.message, /^cursor: want the next_cursor/);
    }
  const before = encodeURIComponent('1970-01-01T00:00:00+23:59');
  assert.equal((await me.get(`/api/ledger?since=${before}`)).json.data.length, 1);
  assert.equal((await me.get(`/api/ledger?until=${before}`)).json.data.length, 0);
  assert.equal((await me.get(`/api/ledger.csv?since=${before}`)).text.split('\n').length, 3);
});

test('a key names a model once: no list is so long that keys cannot be listed any more', async () => {
  const me = await login();
  const hit = await me.send('POST', '/api/keys', { models: Array.from({ length: 5000 }, () => 'gpt-4.1') });
  assert.equal(hit.status, 400, hit.text);
  assert.equal(hit.json.error.message, 'models: "gpt-4.1" stands there twice');
});

test('an account has a hundred wallets, and a list of them whatever their number', async () => {
  const me = await login();
  const add = (from, to) => stack.redis('HSET', `{a:${me.account}}:wallets`, ...Array.from({ length: to - from }, (_, i) => [`0x${(from + i).toString(16).padStart(40, '0')}`, '1795433901925']).flat());
  await add(1000, 1098);
  assert.equal((await signed(me, wallet(), 'link', '/api/wallets')).status, 200);
  const hit = await signed(me, wallet(), 'link', '/api/wallets');
  assert.equal(hit.status, 409, hit.text);
  assert.equal(hit.json.error.message, 'An account may have 100 wallets');
  await add(2000, 4000);
  assert.equal((await me.get('/api/wallets')).json.data.length, 2100);
});

test('clients are told apart by their own address, as the web server writes it', async () => {
  await stack.reload({ login_rpm: '3' });
  const tries = async (address, n) => {
    const hits = [];
    for (let i = 0; i < n; i++) {
      const request = { method: 'POST', path: '/api/auth/challenge', body: JSON.stringify({ address: wallet().address, chainId: CHAIN }), params: { REMOTE_ADDR: address } };
      hits.push((await fcgi(worker(), request)).status);
    }
    return hits;
  };
  assert.deepEqual(await tries('::ffff:192.0.2.1', 4), [200, 200, 200, 429]);
  assert.deepEqual(await tries('::ffff:192.0.2.2', 1), [200]); // one that exhausts its tries does not shut out the rest of IPv4
  assert.deepEqual(await tries('192.0.2.1', 1), [429]); // the same client, however the server listens
  assert.deepEqual(await tries('2001:db8:1:2::1', 3), [200, 200, 200]);
  assert.deepEqual(await tries('2001:db8:1:2:ffff::2', 1), [429]); // one network
  assert.deepEqual(await tries('2001:db8:1:3::1', 1), [200]);
  // nor does a site of 65,536 networks give as many tries for each of them
  const site = [];
  for (let i = 0; i < 40; i++) site.push(...(await tries(`2001:db8:2:${i.toString(16)}::1`, 1)));
  assert.equal(site.filter((status) => status === 200).length, 30);
  assert.deepEqual(await tries('2001:db8:3:1::1', 1), [200]);
  for (const odd of ['', 'unix:', 'x'.repeat(300), '}{', 'a b']) assert.equal((await tries(odd, 1))[0], 200);
  await stack.reload({ login_rpm: '1000' });
});

// A login by a contract, which the node vouches for.
async function contractLogin(address, chainId, send = (body) => call(stack.nginx, { path: '/api/auth/verify', body })) {
  const { json } = await call(stack.nginx, { path: '/api/auth/challenge', body: { address, chainId } });
  return send({ message: json.message, signature: `0x${'12'.repeat(70)}` });
}

test('a wallet that is a contract is so on one chain: elsewhere its address may be somebody else\'s', async () => {
  const address = `0x${'c1'.repeat(20)}`;
  const first = await contractLogin(address, CHAIN);
  assert.equal(first.status, 200, first.text);
  const hit = await contractLogin(address, SECOND);
  assert.equal(hit.status, 403, hit.text);
  assert.equal(hit.json.error.message, `This wallet is a contract on chain ${CHAIN}: sign in with that chain`);
  const me = await login();
  const { json } = await me.send('POST', '/api/auth/challenge', { address, chainId: SECOND, purpose: 'link' });
  assert.equal((await me.send('POST', '/api/wallets', { message: json.message, signature: `0x${'12'.repeat(70)}` })).status, 403);
  assert.equal((await contractLogin(address, CHAIN)).json.account, first.json.account);
  // whoever is logged in to the account may add the other chain
  const bearer = { authorization: `Bearer ${first.json.token}` };
  const own = await call(stack.nginx, { path: '/api/auth/challenge', body: { address, chainId: SECOND, purpose: 'link' }, headers: bearer });
  assert.equal((await call(stack.nginx, { path: '/api/wallets', body: { message: own.json.message, signature: `0x${'12'.repeat(70)}` }, headers: bearer })).status, 200);
  assert.equal((await contractLogin(address, SECOND)).json.account, first.json.account);
});

test('a contract that the operator linked logs in on the chain that was named, and on none where none was', async () => {
  const address = `0x${'c3'.repeat(20)}`;
  const account = await stack.account_with('1');
  await stack.ctl('wallet', 'link', account, address);
  const hit = await contractLogin(address, SECOND); // somebody else's contract may stand there
  assert.equal(hit.status, 403, hit.text);
  assert.match(hit.json.error.message, /linked by the operator/);
  await stack.ctl('wallet', 'link', account, address, '--chain', String(CHAIN));
  assert.equal((await contractLogin(address, SECOND)).status, 403);
  assert.equal((await contractLogin(address, CHAIN)).json.account, account);
  await assert.rejects(stack.ctl('wallet', 'link', account, address, '--chain', '5'), /no chain of chains_file/);
});

test('new accounts have a limit for all clients together; whoever has one is let in', async () => {
  await stack.reload({ new_accounts_rpm: '1' });
  const first = `0x${'d1'.repeat(20)}`;
  const hits = [];
  for (const letter of ['d1', 'd2', 'd3']) hits.push(await contractLogin(`0x${letter.repeat(20)}`, CHAIN));
  const last = hits.at(-1); // the running minute may have ended once
  assert.equal(last.status, 429, last.text);
  assert.equal(last.json.error.message, 'Too many new accounts; the limit is 1 per minute');
  assert.ok(Number(last.headers['retry-after']) > 0);
  assert.equal(await stack.redis('EXISTS', `wallet:{0x${'d3'.repeat(20)}}`), '0');
  await stack.reload({ new_accounts_rpm: '100000' });
  assert.equal((await contractLogin(first, CHAIN)).status, 200);
  await stack.reload({ new_accounts_rpm: '1' });
  assert.equal((await contractLogin(first, CHAIN)).json.new_account, false);
  await stack.reload({ new_accounts_rpm: '100000' });
});

test('a node that says too much holds nobody up, and whoever waits for one may leave', async () => {
  const address = `0x${'c2'.repeat(20)}`;
  const most = async () => Math.max(...(await Promise.all((await stack.workerPids()).map(async (pid) => Number(/VmHWM:\s+(\d+)/.exec(await readFile(`/proc/${pid}/status`, 'utf8'))[1])))));
  const before = await most();
  says = () => `[${'0,'.repeat(4000000)}0]`;
  assert.equal((await contractLogin(address, CHAIN)).status, 503);
  assert.ok((await most()) - before < 100000, `${before} kB, then ${await most()} kB`);
  says = () => undefined;
  const left = [];
  for (let i = 0; i < 6; i++) {
    const n = asked;
    await contractLogin(address, CHAIN, (body) => {
      left.push(fcgi(worker(1 + (i % 2)), { method: 'POST', path: '/api/auth/verify', body: JSON.stringify(body) }, { leave: Infinity, when: until('asked', () => asked > n) }));
      return left.at(-1);
    });
  }
  await Promise.all(left);
  says = yes;
  assert.equal((await contractLogin(address, CHAIN)).status, 200);
});

test('the log says which session did what, and of no session that somebody only claims to have', async () => {
  const me = await login();
  const made = await me.send('POST', '/api/keys', {});
  const forged = await me.send('POST', '/api/keys', {}, { authorization: `Bearer ${me.token.slice(0, -1)}${me.token.endsWith('a') ? 'b' : 'a'}` });
  assert.equal(forged.status, 401);
  const line = async (hit) => until('a line', async () => (await stack.accessLog()).find((row) => row.req === hit.headers['request-id']));
  const { account, session } = await line(made);
  assert.deepEqual([account, session], [me.account, me.token.split('-')[2]]);
  const other = await line(forged);
  assert.deepEqual([other.account, other.session], ['', '']);
  const big = await me.send('POST', '/api/keys', { name: 'x'.repeat(100000) });
  assert.equal(big.json.error.message, 'Request body exceeds the limit of 65536 bytes');
});

test('dust from many wallets is listed page by page, and only what is shown is read', async () => {
  const me = await login();
  const N = 40; // of each of 30 wallets; every fourth is another account's, and many were seen in the same moment
  const wallets = Array.from({ length: 30 }, (_, i) => `0x${(5000 + i).toString(16).padStart(40, '0')}`);
  for (const [w, address] of wallets.entries()) {
    await stack.redis('HSET', `{a:${me.account}}:wallets`, address, '1795433901925');
    await stack.redis('EVAL', `for i = 1, ${N} do
      local id = string.format('0x%064x:0', tonumber(ARGV[1]) * 1000 + i)
      redis.call('HSET', '{dep:${CHAIN}}:tx:' .. id, 'from', ARGV[2], 'status', 'credited', 'account', i % 4 == 0 and 'somebodyel' or ARGV[3], 'nano', '1000', 'block', '5')
      redis.call('ZADD', '{dep:${CHAIN}}:from:' .. ARGV[2], 1795433901925 + math.floor(i / 7), id)
    end`, '0', String(w + 1), address, me.account);
  }
  const rowsRead = async () => Number(/cmdstat_hgetall:calls=(\d+)/.exec(await stack.redis('INFO', 'commandstats'))?.[1] ?? 0);
  const before = await rowsRead();
  assert.equal((await me.get('/api/deposits?limit=50')).json.data.length, 50);
  assert.ok((await rowsRead()) - before < 200, `${(await rowsRead()) - before} rows were read`); // a look at the watcher's in between
  const ids = [], times = [];
  for (let cursor = ''; ; ) {
    const { json } = await me.get(`/api/deposits?limit=110${cursor}`);
    ids.push(...json.data.map((d) => d.id));
    times.push(...json.data.map((d) => Date.parse(d.seen_at)));
    if (!json.has_more) break;
    cursor = `&cursor=${encodeURIComponent(json.next_cursor)}`;
  }
  assert.equal(ids.length, (30 * N * 3) / 4);
  assert.equal(new Set(ids).size, ids.length);
  assert.ok(times.every((ms, i) => i === 0 || ms <= times[i - 1]));
});

test('half a ledger does not look like a whole one', async () => {
  const me = await login();
  for (let at = 0; at < 100000; at += 10000)
    await stack.redis('EVAL', "for i = 1, 10000 do redis.call('XADD', KEYS[1], string.format('%.0f-1', tonumber(ARGV[1]) + i), 'type', 'charge', 'nano', '-1', 'balance', '1', 'model', '=1+1', 'reason', string.rep('x', 100)) end", '1', `{a:${me.account}}:ledger`, String(4e12 + at));
  const whole = await me.get('/api/ledger.csv');
  assert.equal(whole.text.split('\n').length, 100003);
  assert.ok(whole.text.endsWith(',4000000100000-1\n'));
  assert.ok(whole.text.includes(",'=1+1,"));
  // a client that stops reading, so that most is still to come when Redis goes away
  const peer = net.connect(Number(new URL(stack.nginx).port), '127.0.0.1');
  let text = '';
  await new Promise((done) => {
    peer.write(`GET /api/ledger.csv HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${me.token}\r\n\r\n`);
    peer.once('data', (piece) => done((text += piece), peer.pause()));
  });
  await stack.killRedis();
  const closed = new Promise((done) => peer.on('close', done).on('error', () => {}));
  peer.on('data', (piece) => (text += piece)).resume();
  await closed;
  assert.match(text, /^HTTP\/1.1 200 /);
  assert.ok(text.length < whole.text.length);
  assert.ok(!text.endsWith('\r\n0\r\n\r\n'), 'the file has an end');
  await stack.startRedis();
  await until('back', async () => (await me.get('/api/me')).status === 200);
});

test('what a handler does not know is refused everywhere, and nothing is done', async () => {
  const me = await login();
  for (const [method, where] of [['POST', '/api/auth/challenge'], ['POST', '/api/auth/verify'], ['POST', '/api/wallets'], ['POST', '/api/deposits/notify'], ['DELETE', '/api/sessions'], ['DELETE', `/api/sessions/${me.token.split('-')[2]}`], ['POST', '/api/auth/logout']]) {
    const hit = await me.send(method, `${where}?all=1`, method === 'POST' && !where.endsWith('logout') ? {} : undefined);
    assert.equal(hit.status, 400, `${method} ${where}: ${hit.text}`);
    assert.equal(hit.json.error.message, 'all: unknown parameter');
  }
  assert.equal((await me.get('/api/me')).status, 200);
});

test('however many addresses somebody has, the chains\' nodes are asked so many times a minute', async () => {
  await stack.reload({ login_rpm: '2' });
  await stack.redis('DEL', 'login:{contracts}');
  const ask = async (i, signature) => {
    const params = { REMOTE_ADDR: `198.51.100.${i}` };
    const post = (where, body) => fcgi(worker(), { method: 'POST', path: where, body: JSON.stringify(body), params });
    const who = wallet();
    const { json } = await post('/api/auth/challenge', { address: who.address, chainId: CHAIN });
    return post('/api/auth/verify', { message: json.message, signature: signature ?? (await who.signMessage({ message: json.message })) });
  };
  const before = asked, wrong = `0x${'12'.repeat(70)}`;
  says = (calls) => JSON.stringify(calls.map(({ id }) => ({ jsonrpc: '2.0', id, result: '0x' })));
  for (let i = 0; i < 40; i++) assert.equal((await ask(i, wrong)).status, 401);
  const hit = await ask(40, wrong);
  assert.equal(hit.status, 429, hit.text);
  assert.equal(asked - before, 40);
  assert.equal((await ask(41)).status, 200); // whoever signs with a key of their own asks no node
  says = yes;
  await stack.reload({ login_rpm: '1000' });
});
