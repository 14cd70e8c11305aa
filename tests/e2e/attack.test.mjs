// What somebody hostile does to the dashboard's API and to the login: forged cursors, lists without end, addresses in odd
// forms. Each test stands for something that went wrong once.
import test, { before, after } from 'node:test';
import assert from 'node:assert/strict';
import path from 'node:path';
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts';
import { startStack, call } from './stack.mjs';
import { fcgi } from './fcgi.mjs';

let stack;

before(async () => {
  stack = await startStack({ workers: 2, lighttpd: false, set: { login_rpm: '1000', api_rpm: '1000000' } });
});
after(() => stack?.stop());

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
  const asked = await me.send('POST', '/api/auth/challenge', { address: who.address, chainId: 1, purpose });
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
      const request = { method: 'POST', path: '/api/auth/challenge', body: JSON.stringify({ address: wallet().address, chainId: 1 }), params: { REMOTE_ADDR: address } };
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
  for (const odd of ['', 'unix:', 'x'.repeat(300), '}{', 'a b']) assert.equal((await tries(odd, 1))[0], 200);
  await stack.reload({ login_rpm: '1000' });
});
