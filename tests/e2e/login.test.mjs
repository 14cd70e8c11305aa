// Login by wallet: the message that the gateway composes, the signature of a real wallet's library, the session that
// comes of it; what is refused, and once only. Wallets that are contracts are asked on a real chain.
import test, { before, after } from 'node:test';
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts';
import { startStack, call, until } from './stack.mjs';
import { startChain, chainRow } from './chain.mjs';

const CHAIN = 31337;
let stack, chain, dir;

before(async () => {
  dir = await mkdtemp(path.join(os.tmpdir(), 'derouter-login-'));
  chain = await startChain();
  await writeFile(path.join(dir, 'chains.json'), JSON.stringify({ chains: [chainRow(chain, [chain.url])] }));
  stack = await startStack({ workers: 2, set: { chains_file: path.join(dir, 'chains.json'), new_accounts_rpm: '100000', login_rpm: '100000' } });
});
after(async () => {
  await stack?.stop();
  await chain?.stop();
  if (dir) await rm(dir, { recursive: true });
});

const wallet = () => privateKeyToAccount(generatePrivateKey());
const post = (where, body, headers = {}, method = 'POST') => call(stack.nginx, { method, path: where, body, headers });
const get = (where, token) => call(stack.nginx, { method: 'GET', path: where, headers: token ? { authorization: `Bearer ${token}` } : {} });
const bearer = (token) => ({ authorization: `Bearer ${token}` });
async function challenge(address, more = {}, headers = {}) {
  const hit = await post('/api/auth/challenge', { address, chainId: CHAIN, ...more }, headers);
  assert.equal(hit.status, 200, hit.text);
  return hit.json;
}
async function logIn(who, address = who.address) {
  const { message } = await challenge(address);
  return post('/api/auth/verify', { message, signature: await who.signMessage({ message }) });
}
function refused(hit, status = 401, text = 'Invalid or expired token') {
  assert.equal(hit.status, status, hit.text);
  assert.equal(hit.json.error.message, text);
}

test('the first login makes the account, the next finds it again', async () => {
  const who = wallet();
  const asked = await challenge(who.address.toLowerCase());
  const { host } = new URL(stack.nginx);
  assert.ok(asked.message.startsWith(`${host} wants you to sign in with your Ethereum account:\n${who.address}\n`), asked.message);
  assert.ok(asked.message.includes(`\nURI: ${stack.nginx}\nVersion: 1\nChain ID: ${CHAIN}\nNonce: ${asked.nonce}\n`));
  assert.ok(asked.message.endsWith(`\nExpiration Time: ${asked.expires}`), `${asked.message}\n${asked.expires}`);
  const hit = await post('/api/auth/verify', { message: asked.message, signature: await who.signMessage({ message: asked.message }) });
  assert.equal(hit.status, 200, hit.text);
  assert.equal(hit.json.wallet, who.address);
  assert.equal(hit.json.new_account, true);
  assert.equal(Date.parse(hit.json.expires_at) - Date.parse(hit.json.created_at), 24 * 3600 * 1000);
  assert.equal(hit.headers['set-cookie'][0], `__Host-sid=${hit.json.token}; Path=/; HttpOnly; Secure; SameSite=Strict; Max-Age=86400`);
  assert.equal(hit.headers['cache-control'], 'no-store');
  assert.ok((await stack.json('account', 'list')).some((row) => row.account === hit.json.account));

  const again = await logIn(who);
  assert.equal(again.json.account, hit.json.account);
  assert.equal(again.json.new_account, false);
  assert.notEqual(again.json.token, hit.json.token);
  const list = await get('/api/sessions', again.json.token);
  assert.deepEqual(list.json.data.map((s) => [s.id, s.current, s.wallet]).sort(), [[again.json.id, true, who.address], [hit.json.id, false, who.address]].sort());
  const other = await logIn(wallet());
  assert.notEqual(other.json.account, hit.json.account);
});

test('a message serves once, however many try at the same time', async () => {
  const who = wallet();
  // many rounds: that two of one round meet between a look and a deletion is chance, that none of all do is not
  for (let round = 0; round < 20; round++) {
    const { message } = await challenge(who.address);
    const signature = await who.signMessage({ message });
    const hits = await Promise.all(Array.from({ length: 60 }, () => post('/api/auth/verify', { message, signature })));
    assert.equal(hits.filter((hit) => hit.status === 200).length, 1, `round ${round}`);
    for (const hit of hits.filter((h) => h.status !== 200)) refused(hit);
  }
  // a wrong try burns it too
  const second = await challenge(who.address);
  refused(await post('/api/auth/verify', { message: second.message, signature: await wallet().signMessage({ message: second.message }) }));
  refused(await post('/api/auth/verify', { message: second.message, signature: await who.signMessage({ message: second.message }) }));
});

test('what is not the composed message, signed by its wallet, is refused', async () => {
  const who = wallet();
  const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
  const hex = (n) => n.toString(16).padStart(64, '0');
  const highS = (s) => `0x${s.slice(2, 66)}${hex(order - BigInt(`0x${s.slice(66, 130)}`))}${s.slice(130) === '1b' ? '1c' : '1b'}`;
  const zeroV = (s) => `${s.slice(0, 130)}0${s.slice(130) === '1b' ? '0' : '1'}`;
  const rows = [
    ['as it is', (m) => m, (s) => s, 200],
    ['v 0 and 1', (m) => m, zeroV, 200],
    ['high s', (m) => m, highS],
    ['64 bytes', (m) => m, (s) => s.slice(0, -2)],
    ['66 bytes', (m) => m, (s) => `${s}00`],
    ['no 0x', (m) => m, (s) => s.slice(2)],
    ['empty', (m) => m, () => ''],
    ['a line feed behind', (m) => `${m}\n`, (s) => s],
    ['CRLF', (m) => m.replaceAll('\n', '\r\n'), (s) => s],
    ['another domain', (m) => m.replace(/^\S+/, 'evil.example'), (s) => s],
    ['a user in the domain', (m) => m.replace(/^(\S+)/, '$1@evil.example'), (s) => s],
    ['a longer URI', (m) => m.replace(/(URI: \S+)/, '$1.evil.example'), (s) => s],
    ['another chain', (m) => m.replace(/Chain ID: \d+/, 'Chain ID: 1'), (s) => s],
    ['a later end', (m) => m.replace(/Expiration Time: \d/, 'Expiration Time: 3'), (s) => s],
    ['lower-case address', (m) => m.replace(who.address, who.address.toLowerCase()), (s) => s],
    ['another statement', (m) => m.replace('Sign in', 'Give all'), (s) => s],
  ];
  for (const [name, bend, sign, status = 401] of rows) {
    const { message } = await challenge(who.address);
    const bent = bend(message); // the wallet signs what it is shown
    const hit = await post('/api/auth/verify', { message: bent, signature: sign(await who.signMessage({ message: bent })) });
    assert.equal(hit.status, status, `${name}: ${hit.text}`);
    if (status === 401) refused(hit);
  }
  const log = await until('reasons in the log', async () => (await stack.operatorLog()).includes("the signature's s is the higher of the two"));
  assert.ok(log);
});

test('a message ends with its time', async () => {
  const who = wallet();
  const { message } = await challenge(who.address);
  const signature = await who.signMessage({ message });
  await stack.reload({ test_clock_offset: '301s' });
  refused(await post('/api/auth/verify', { message, signature }));
  await stack.reload({ test_clock_offset: '0s' });
});

test('bodies are read strictly', async () => {
  const { address } = wallet();
  const rows = [
    [{ chainId: CHAIN }, /address/],
    [{ address, chainId: '1' }, /chainId/],
    [{ address, chainId: 5 }, /chainId: 5 is no chain of this gateway/],
    [{ address: '0x12', chainId: CHAIN }, /address: want 0x and forty/],
    [{ address, chainId: CHAIN, purpose: 'pay' }, /purpose: must be login or link/],
    [{ address, chainId: CHAIN, domain: 'evil.example' }, /domain/],
    ['[]', /expected '{' at byte 0/],
    ['{', /unexpected end of data/],
  ];
  for (const [body, text] of rows) {
    const hit = await post('/api/auth/challenge', body);
    assert.equal(hit.status, 400, `${JSON.stringify(body)}: ${hit.text}`);
    assert.match(hit.json.error.message, text);
  }
  assert.equal((await post('/api/auth/verify', { message: 'x' })).status, 400);
  refused(await post('/api/auth/challenge', { address, chainId: CHAIN }, { origin: 'https://evil.example' }), 403, 'Requests from other origins are not allowed');
  await challenge(address, {}, { origin: stack.nginx });
});

test('sessions are ended one by one, all others, and by logging out', async () => {
  const who = wallet();
  const tokens = [];
  for (let i = 0; i < 4; i++) tokens.push((await logIn(who)).json);
  const [mine, second] = tokens;
  const gone = await post(`/api/sessions/${second.id}`, undefined, bearer(mine.token), 'DELETE');
  assert.deepEqual(gone.json, { object: 'session', id: second.id, deleted: true });
  refused(await get('/api/sessions', second.token));
  const missing = await post(`/api/sessions/${second.id}`, undefined, bearer(mine.token), 'DELETE');
  assert.equal(missing.status, 404);
  assert.deepEqual((await post('/api/sessions', undefined, bearer(mine.token), 'DELETE')).json, { object: 'list', deleted: 2 });
  assert.equal((await get('/api/sessions', mine.token)).json.data.length, 1);
  const out = await post('/api/auth/logout', undefined, bearer(mine.token));
  assert.equal(out.status, 200, out.text);
  assert.match(out.headers['set-cookie'][0], /^__Host-sid=; .*Max-Age=0$/);
  refused(await get('/api/sessions', mine.token));
  refused(await get('/api/sessions'));
  // another account's session is not there
  const stranger = (await logIn(wallet())).json;
  assert.equal((await post(`/api/sessions/${(await logIn(who)).json.id}`, undefined, bearer(stranger.token), 'DELETE')).status, 404);
});

test('with the cookie a change must come from our own page', async () => {
  const { token } = (await logIn(wallet())).json;
  const cookie = { cookie: `__Host-sid=${token}` };
  assert.equal((await call(stack.nginx, { method: 'GET', path: '/api/sessions', headers: cookie })).status, 200);
  refused(await post('/api/auth/logout', undefined, cookie), 403, 'Requests from other origins are not allowed');
  refused(await post('/api/auth/logout', undefined, { ...cookie, origin: 'https://evil.example' }), 403, 'Requests from other origins are not allowed');
  refused(await post('/api/auth/logout', undefined, { ...cookie, 'sec-fetch-site': 'cross-site' }), 403, 'Requests from other origins are not allowed');
  assert.equal((await post('/api/auth/logout', undefined, { ...cookie, origin: stack.nginx })).status, 200);
});

test('one more wallet is linked by its own signature, and belongs to one account', async () => {
  const [who, more] = [wallet(), wallet()];
  const { token, account } = (await logIn(who)).json;
  refused(await post('/api/auth/challenge', { address: more.address, chainId: CHAIN, purpose: 'link' }));
  const { message } = await challenge(more.address, { purpose: 'link' }, bearer(token));
  assert.ok(message.includes(`Add this wallet to the DeRouter account ${account}.`));
  const signature = await more.signMessage({ message });
  // made for linking: no login, and nobody else's link
  refused(await post('/api/auth/verify', { message, signature }));
  const second = await challenge(more.address, { purpose: 'link' }, bearer(token));
  const stranger = (await logIn(wallet())).json;
  refused(await post('/api/wallets', { message: second.message, signature: await more.signMessage({ message: second.message }) }, bearer(stranger.token)));
  const third = await challenge(more.address, { purpose: 'link' }, bearer(token));
  const linked = await post('/api/wallets', { message: third.message, signature: await more.signMessage({ message: third.message }) }, bearer(token));
  assert.equal(linked.status, 200, linked.text);
  assert.equal(linked.json.address, more.address);
  const list = await get('/api/wallets', token);
  assert.deepEqual(list.json.data.map((w) => [w.address, w.current]).sort(), [[who.address, true], [more.address, false]].sort());
  assert.equal((await logIn(more)).json.account, account); // either wallet opens it
  const taken = await challenge(more.address, { purpose: 'link' }, bearer(stranger.token));
  const hit = await post('/api/wallets', { message: taken.message, signature: await more.signMessage({ message: taken.message }) }, bearer(stranger.token));
  refused(hit, 409, 'This wallet belongs to another account');
});

// A contract that knows one signature: 32 bytes of 0x11. Else it says no.
const KNOWN = `0x${'11'.repeat(32)}`;
const runtime = `6064357f${'11'.repeat(32)}14603257600060005260206000f3` + '5b631626ba7e60e01b60005260206000f3';

test('a wallet that is a contract is asked whether the signature is its own', async () => {
  const tx = await chain.rpc('eth_sendTransaction', { from: chain.accounts[0], gas: '0x100000', data: `0x604380600b6000396000f3${runtime}` });
  await chain.mine();
  const { contractAddress: address } = await chain.receipt(tx);
  assert.equal((await chain.rpc('eth_getCode', address, 'latest')).length, 2 + 2 * 0x43);
  const verify = async (signature) => post('/api/auth/verify', { message: (await challenge(address)).message, signature });
  const hit = await verify(KNOWN);
  assert.equal(hit.status, 200, hit.text);
  assert.equal(hit.json.wallet.toLowerCase(), address);
  refused(await verify(`0x${'12'.repeat(32)}`));
  refused(await verify('0x'));
  refused(await verify(`${KNOWN}1`));
  refused(await verify(`0x${'11'.repeat(5000)}`));
  refused(await verify(`${KNOWN}${'6492'.repeat(16)}`)); // not deployed yet: refused by name
  assert.ok((await stack.operatorLog()).includes('ERC-6492'));
});

test('an account that is suspended is let in no more', async () => {
  const who = wallet();
  const { token, account } = (await logIn(who)).json;
  await stack.ctl('account', 'suspend', account);
  refused(await get('/api/sessions', token));
  refused(await logIn(who));
  await until('its own name in the log', async () => (await stack.accessLog()).filter((line) => line.error === 'SUSPENDED_SESSION').length === 2);
  await stack.ctl('account', 'resume', account);
  assert.equal((await get('/api/sessions', token)).status, 200);
});

test('whoever tries too often has to wait', async () => {
  await stack.reload({ login_rpm: '5' });
  const { address } = wallet();
  await stack.redis('DEL', 'login:{127.0.0.1}');
  const hits = [];
  for (let i = 0; i < 7; i++) hits.push(await post('/api/auth/challenge', { address, chainId: CHAIN }));
  assert.deepEqual(hits.map((hit) => hit.status), [200, 200, 200, 200, 200, 429, 429]);
  assert.equal(hits[6].json.error.message, 'Too many attempts to log in; the limit is 5 per minute');
  assert.ok(Number(hits[6].headers['retry-after']) >= 1 && Number(hits[6].headers['retry-after']) <= 60);
  await stack.reload({ login_rpm: '100000', api_rpm: '3' });
  const { token } = (await logIn(wallet())).json;
  const calls = [];
  for (let i = 0; i < 5; i++) calls.push((await get('/api/sessions', token)).status);
  assert.deepEqual(calls, [200, 200, 200, 429, 429]);
  await stack.reload({ api_rpm: '600' });
});

test('without public_url nobody logs in', async () => {
  await stack.reload({ public_url: '' });
  refused(await post('/api/auth/challenge', { address: wallet().address, chainId: CHAIN }), 503, 'Wallet login is not set up on this gateway');
  await stack.reload({ public_url: stack.nginx });
});

test('nothing of a signature, a message or a token stands in a log', async () => {
  const who = wallet();
  const { message } = await challenge(who.address);
  const signature = await who.signMessage({ message });
  const { token } = (await post('/api/auth/verify', { message, signature })).json;
  await get('/api/sessions', token);
  const text = (await stack.operatorLog()) + JSON.stringify(await stack.accessLog());
  for (const secret of [signature, token.split('-').at(-1), 'wants you to sign in']) assert.ok(!text.includes(secret));
});
