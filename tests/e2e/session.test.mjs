// Sessions of the dashboard: who is let in, by which proof, for how long.
import test, { before, after } from 'node:test';
import assert from 'node:assert/strict';
import { startStack, call } from './stack.mjs';

let stack, account, token;

before(async () => {
  stack = await startStack({ workers: 1 });
  account = await stack.account_with('1.00');
  token = await stack.session_of(account);
});
after(() => stack?.stop());

const receipt = `/v1/requests/req_${'a'.repeat(20)}`;
const get = (path, headers = {}) => call(stack.nginx, { method: 'GET', path, headers });

test('a receipt may be asked for with a session as well as with a key', async () => {
  const own = receipt + account;
  const hit = await get(own, { authorization: `Bearer ${token}` });
  assert.equal(hit.status, 404); // let in: there is no such request
  assert.equal((await get(own, { cookie: `x=y; __Host-sid=${token}` })).status, 404);
  assert.match(hit.json.error.message, /was not found/);
  const other = await get(own, { authorization: `Bearer ${token.slice(0, -1)}${token.endsWith('a') ? 'b' : 'a'}` });
  assert.equal(other.status, 401);
  assert.equal(other.json.error.message, 'Invalid or expired token');
  assert.equal(other.headers['x-should-retry'], 'false');
});

test('a session ends with its time', async () => {
  const own = receipt + account;
  const short = await stack.session_of(account, undefined, 60);
  assert.equal((await get(own, { authorization: `Bearer ${short}` })).status, 404);
  await stack.reload({ test_clock_offset: '61s' });
  const late = await get(own, { authorization: `Bearer ${short}` });
  assert.equal(late.status, 401);
  assert.equal(late.json.error.message, 'Invalid or expired token');
  await stack.reload({ test_clock_offset: '0s' });
});
