// /api for the account that is logged in: account, keys, requests, ledger, usage. Each test has accounts of its own.
import test, { before, after } from 'node:test';
import assert from 'node:assert/strict';
import http from 'node:http';
import { startStack, call, until } from './stack.mjs';
import { dialects } from './dialects.mjs';

const MODEL = 'claude-sonnet-4-6'; // 3.00 in, 15.00 out
const OTHER = 'claude-opus-4-8';
const WALLET = '0x52908400098527886E0F7030069857D2E4169EE7'; // as EIP-55 writes it
const COST = 1000 * 3000 + 50 * 15000; // of one call of ask()
const { messages } = dialects;
let stack, standin;

before(async () => {
  stack = await startStack({ workers: 2, set: { api_rpm: '1000000', max_keys: '6', trace_ttl: '1h' } });
  standin = await stack.standin();
  await stack.provider('secret-name', standin.url, { models: [MODEL, OTHER] });
  await stack.online(MODEL);
  await stack.online(OTHER);
});
after(() => stack?.stop());

const idOf = (key) => key.split('-').at(-2);
const ask = (key, model = MODEL, prompt = '[[tokens in=1000 out=50]]') => call(stack.nginx, { headers: { 'x-api-key': key }, body: messages.body(model, prompt) });
const booked = (id, ok) => until('booked', async () => (await ok()).json.data.some((row) => row.id === id));

// An account with a session: get(path), send(method, path, body).
async function login(credit = '1.00') {
  const account = await stack.account_with(credit);
  const token = await stack.session_of(account, WALLET.toLowerCase());
  const send = (method, path, body, headers = {}) => call(stack.nginx, { method, path, headers: { authorization: `Bearer ${token}`, ...headers }, body });
  return { account, token, send, get: (path) => send('GET', path) };
}

async function made(me, body = {}) {
  const got = await me.send('POST', '/api/keys', body);
  assert.equal(got.status, 200, got.text);
  return got.json;
}

// All pages of a list.
async function pages(me, path, each = () => {}) {
  const rows = [];
  for (let cursor = ''; ; ) {
    const got = await me.get(`${path}${path.includes('?') ? '&' : '?'}limit=3${cursor}`);
    assert.equal(got.status, 200, got.text);
    assert.equal(got.json.object, 'list');
    assert.equal(got.json.has_more, got.json.next_cursor !== null);
    rows.push(...got.json.data);
    await each(got.json);
    if (!got.json.has_more) return rows;
    assert.ok(got.json.data.length <= 3);
    cursor = `&cursor=${encodeURIComponent(got.json.next_cursor)}`;
  }
}

async function refused(got, status, message) {
  const hit = await got;
  assert.equal(hit.status, status, hit.text);
  assert.match(hit.json.error.message, message);
  assert.ok(hit.headers['request-id']);
}

const ROUTES = [
  ['GET', '/api/me'], ['GET', '/api/keys'], ['POST', '/api/keys'], ['GET', '/api/keys/abc123'], ['PATCH', '/api/keys/abc123'],
  ['DELETE', '/api/keys/abc123'], ['POST', '/api/keys/abc123/rotate'], ['GET', '/api/requests'], ['GET', '/api/requests/req_x'],
  ['GET', '/api/ledger'], ['GET', '/api/ledger.csv'], ['GET', '/api/usage'],
];

test('nobody is let in without a session, and a key is none', async () => {
  const account = await stack.account_with('1.00'), key = await stack.key_of(account);
  for (const base of [stack.nginx, stack.lighttpd])
    for (const [method, path] of ROUTES)
      for (const headers of [{}, { authorization: `Bearer ${key}` }, { 'x-api-key': key }]) {
        const got = await call(base, { method, path, headers, body: method === 'GET' || method === 'DELETE' ? undefined : {} });
        assert.equal(got.status, 401, `${method} ${path}: ${got.text}`);
        assert.equal(got.json.error.message, 'Invalid or expired token');
      }
});

test('with the cookie, what changes something must come from our own page', async () => {
  const me = await login();
  const cookie = { cookie: `__Host-sid=${me.token}` };
  for (const [method, path] of ROUTES.filter(([m]) => m !== 'GET')) {
    await refused(call(stack.nginx, { method, path, headers: cookie, body: method === 'DELETE' ? undefined : {} }), 403, /other origins/);
    await refused(call(stack.nginx, { method, path, headers: { ...cookie, origin: 'https://evil.example' }, body: method === 'DELETE' ? undefined : {} }), 403, /other origins/);
  }
  const got = await call(stack.nginx, { path: '/api/keys', headers: { ...cookie, 'sec-fetch-site': 'same-origin' }, body: {} });
  assert.equal(got.status, 200, got.text);
  assert.equal((await call(stack.nginx, { method: 'GET', path: '/api/me', headers: cookie })).status, 200);
});

test('what is not known is refused by name: parameters, fields, types, methods', async () => {
  const me = await login();
  const key = await made(me);
  for (const [method, path] of ROUTES)
    await refused(me.send(method, `${path}?colour=red`, method === 'GET' || method === 'DELETE' ? undefined : {}), 400, /^colour: unknown parameter/);
  for (const path of ['/api/keys', '/api/requests', '/api/ledger']) {
    for (const limit of ['0', '201', '-1', '1.5', 'x', '99999999999999999999']) await refused(me.get(`${path}?limit=${limit}`), 400, /^limit: want a whole number from 1 to 200/);
    for (const cursor of ['x', '1-1-1', '(1', '%2B']) await refused(me.get(`${path}?cursor=${cursor}`), 400, /^cursor: want/);
    await refused(me.get(`${path}?limit=`), 400, /^limit: is empty/);
    await refused(me.get(`${path}?limit=1&limit=1`), 400, /^limit: stands there twice/);
  }
  for (const [method, path] of [['POST', '/api/keys'], ['PATCH', `/api/keys/${key.id}`], ['POST', `/api/keys/${key.id}/rotate`]]) {
    await refused(me.send(method, path, { colour: 1 }), 400, /^colour: unknown field/);
    await refused(me.send(method, path, '{"a":'), 400, /at byte/);
    await refused(me.send(method, path, '[]'), 400, /./);
    await refused(me.send(method, path, {}, { 'content-type': 'text/plain' }), 400, /Content-Type/);
    await refused(me.send(method, path, {}, { 'content-type': 'application/jsonx' }), 400, /Content-Type/);
    const big = await me.send(method, path, { name: 'x'.repeat(70000) });
    assert.equal(big.status, 413, big.text);
  }
  const bad = [
    [{ name: 7 }, /^name: want a text/], [{ name: 'x'.repeat(201) }, /^name: at most 200 bytes/], [{ name: 'a\nb' }, /^name: must not have control/],
    [{ rpm: 0 }, /^rpm: want a whole number from 1 to 600/], [{ rpm: 601 }, /^rpm: .* 1 to 600/], [{ rpm: '5' }, /^rpm: want a whole number/],
    [{ rpm: null }, /^rpm: must not be null/], [{ concurrency: 51 }, /^concurrency: .* 1 to 50/], [{ concurrency: 1.5 }, /^concurrency/],
    [{ budget_usd: 5 }, /^budget_usd: want a text/], [{ budget_usd: '-1' }, /^budget_usd: want an amount/], [{ budget_usd: '0.00' }, /^budget_usd: must be above 0/],
    [{ budget_usd: '0.0000000001' }, /^budget_usd/], [{ budget_usd: '1', budget_period: 'week' }, /^budget_period: "week"/],
    [{ budget_period: 'day' }, /^budget_period: /], [{ budget_usd: null, budget_period: 'day' }, /^budget_period: there is no budget_usd/],
    [{ expires_at: '2020-01-01T00:00:00Z' }, /^expires_at: is past/], [{ expires_at: '2099-01-01' }, /^expires_at: want a time/], [{ expires_at: '2099-02-30T00:00:00Z' }, /^expires_at/],
    [{ models: [] }, /^models: names none/], [{ models: ['nothing'] }, /^models: there is no model "nothing"/], [{ models: [MODEL, 7] }, /^models: want a list of texts/],
    [{ models: [`${MODEL},${OTHER}`] }, /^models: names must have no commas/], [{ models: MODEL }, /^models: want a list/],
  ];
  for (const [method, path] of [['POST', '/api/keys'], ['PATCH', `/api/keys/${key.id}`]])
    for (const [body, message] of bad) await refused(me.send(method, path, body), 400, message);
  await refused(me.send('POST', '/api/keys', { status: 'disabled' }), 400, /^status: unknown field/);
  await refused(me.send('PATCH', `/api/keys/${key.id}`, { status: 'deleted' }), 400, /^status: want "enabled" or "disabled"/);
  await refused(me.send('PATCH', `/api/keys/${key.id}`, {}), 400, /nothing to change/);
  await refused(me.send('POST', `/api/keys/${key.id}/rotate`, { grace: 'soon' }), 400, /^grace: /);
  await refused(me.send('POST', `/api/keys/${key.id}/rotate`, { grace: '31d' }), 400, /^grace: /);
  await refused(me.get('/api/requests?status=9xx'), 400, /^status: /);
  await refused(me.get('/api/ledger?type=Charge'), 400, /^type: /);
  await refused(me.get('/api/ledger?since=yesterday'), 400, /^since: /);
  await refused(me.get('/api/ledger.csv?until=2026-02-31'), 400, /^until: /);
  for (const [query, message] of [['from=x', /^from: want a day/], ['to=2026-1-1', /^to: /], ['from=2026-11-02&to=2026-11-01', /^from: is after to/], ['from=2020-01-01&to=2026-01-01', /^from: at most 400 days/],
    ['group_by=hour', /^group_by: /], ['group_by=model,day', /^group_by: /], ['key=%27', /^key: /], ['time_zone=Mars/Olympus', /^time_zone: /]])
    await refused(me.get(`/api/usage?${query}`), 400, message);
  const wrong = await me.send('PUT', `/api/keys/${key.id}`, {});
  assert.equal(wrong.status, 405);
  assert.deepEqual(wrong.headers.allow.split(', ').sort(), ['DELETE', 'GET', 'PATCH']);
  assert.equal((await me.get('/api/nothing')).status, 404);
  assert.equal((await me.get('/api/keys')).json.data.length, 1);
});

test("nothing of another account is found, whether it exists or not", async () => {
  const [me, other] = [await login(), await login()];
  const theirs = await made(other);
  const hit = await ask(theirs.key);
  await booked(hit.headers['request-id'], () => other.get('/api/requests'));
  for (const id of [theirs.id, 'zzzzzz', 'z', 'zzzzzzz', 'ABCDEF', '..', `${theirs.id}%2f`])
    for (const [method, path, body] of [['GET', `/api/keys/${id}`], ['PATCH', `/api/keys/${id}`, { name: 'mine' }], ['DELETE', `/api/keys/${id}`], ['POST', `/api/keys/${id}/rotate`, {}]]) {
      const got = await me.send(method, path, body);
      assert.equal(got.status, 404, `${method} ${path}: ${got.text}`);
      if (id.length === 6) assert.equal(got.json.error.message, `Key "${id}" was not found`);
    }
  for (const path of [`/api/requests/${hit.headers['request-id']}`, `/v1/requests/${hit.headers['request-id']}`]) {
    await refused(me.get(path), 404, /was not found/);
    assert.equal((await other.get(path)).json.object, 'receipt');
  }
  assert.deepEqual((await me.get(`/api/requests?id=${hit.headers['request-id']}`)).json.data, []);
  assert.equal((await me.get(`/api/usage?key=${theirs.id}&group_by=key`)).json.total.requests, 0);
  assert.deepEqual((await other.get(`/api/keys/${theirs.id}`)).json.name, '');
});

test('the account and what is left of it', async () => {
  const me = await login('2.50');
  const key = await made(me, { name: 'a' });
  await ask(key.key);
  const got = await until('spent', async () => { const hit = await me.get('/api/me'); return hit.json.spent_usd !== '0' && hit; });
  assert.equal(got.headers['cache-control'], 'no-store');
  assert.ok(got.headers['request-id']);
  const { created_at, session, ...rest } = got.json;
  assert.deepEqual(rest, {
    object: 'account', id: me.account, name: '', status: 'on', time_zone: 'UTC', balance_usd: String(2.5 - COST / 1e9), balance_nano_usd: 2.5e9 - COST,
    held_usd: '0', held_nano_usd: 0, running: 0, spent_usd: String(COST / 1e9), keys: 1, wallets: 1, wallet: WALLET,
  });
  assert.match(created_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assert.equal(session.id, me.token.split('-')[2]);
  assert.ok(Date.parse(session.expires_at) > Date.now());
  const lighttpd = await call(stack.lighttpd, { method: 'GET', path: '/api/me', headers: { authorization: `Bearer ${me.token}` } });
  assert.deepEqual({ ...lighttpd.json, session: null }, { ...got.json, session: null });
});

test('a key is what was asked for, and its secret is said once', async () => {
  const me = await login();
  const asked = { name: 'café "1"', rpm: 7, concurrency: 3, budget_usd: '1.50', budget_period: 'month', expires_at: '2099-06-01T02:00:00+02:00', models: [MODEL, OTHER] };
  const key = await made(me, asked);
  const { key: secret, created_at, budget, ...rest } = key;
  assert.deepEqual(rest, {
    object: 'key', id: idOf(secret), name: asked.name, status: 'enabled', hint: `sk-ant-dr-${me.account}-${idOf(secret)}-…`, expires_at: '2099-06-01T00:00:00.000Z', used_at: null,
    rpm: { limit: 7, remaining: 7 }, concurrency: { limit: 3, remaining: 3 }, models: asked.models, spent_usd: '0', rotation: null,
  });
  assert.ok(Math.abs(Date.parse(created_at) - Date.now()) < 60000);
  const { window, resets_at, ...money } = budget;
  assert.deepEqual(money, { period: 'month', time_zone: 'UTC', limit_usd: '1.5', spent_usd: '0', held_usd: '0', remaining_usd: '1.5' });
  assert.match(window, /^\d{4}-\d\d$/);
  assert.ok(Date.parse(resets_at) > Date.now());
  // at once, as a key of derouterctl
  assert.equal((await ask(secret)).status, 200);
  const own = (await call(stack.nginx, { method: 'GET', path: '/v1/key', headers: { 'x-api-key': secret } })).json;
  assert.equal(own.name, asked.name);
  assert.deepEqual(own.models, asked.models);
  const seen = await until('used', async () => { const got = (await me.get(`/api/keys/${key.id}`)).json; return got.used_at && got.spent_usd !== '0' && got; });
  assert.equal(seen.rpm.remaining, 6);
  assert.equal(seen.budget.spent_usd, String(COST / 1e9));
  const shown = JSON.parse(await stack.ctl('--json', 'key', 'show', key.id));
  assert.equal(shown.account, me.account);
  assert.equal(shown.budget_usd, '1.5');
  assert.equal(shown.expires, '2099-06-01T00:00:00Z');
  const everything = JSON.stringify([seen, (await me.get('/api/keys')).json, (await me.get('/api/me')).json]) + (await stack.operatorLog()) + JSON.stringify(await stack.accessLog());
  assert.ok(!everything.includes(secret.split('-').at(-1)));
  const plain = await made(me);
  assert.equal(plain.budget, null);
  assert.equal(plain.models, null);
  assert.equal(plain.expires_at, null);
  assert.deepEqual(plain.rpm, { limit: 60, remaining: 60 });
});

test('a key changes at once: disabled, enabled, its budget, its models', async () => {
  const me = await login();
  const key = await made(me), change = (body) => me.send('PATCH', `/api/keys/${key.id}`, body);
  assert.equal((await change({ status: 'disabled', name: 'off' })).json.status, 'disabled');
  assert.equal((await ask(key.key)).status, 401);
  assert.equal((await change({ status: 'enabled' })).json.name, 'off');
  assert.equal((await ask(key.key)).status, 200);
  await until('spent', async () => (await me.get(`/api/keys/${key.id}`)).json.spent_usd !== '0');
  // below what is spent already
  const lower = await change({ budget_usd: '0.001' });
  assert.equal(lower.json.budget.remaining_usd, '0');
  assert.equal(lower.json.budget.period, 'total');
  const over = await ask(key.key);
  assert.equal(over.status, 402);
  assert.equal(over.json.error.message, 'API key budget ($0.001) exceeded');
  assert.equal((await change({ budget_period: 'day' })).json.budget.period, 'day');
  assert.equal((await change({ budget_usd: null })).json.budget, null);
  assert.equal((await ask(key.key)).status, 200);
  await refused(change({ budget_period: 'day' }), 400, /^budget_period: the key has no budget/);
  assert.deepEqual((await change({ models: [OTHER] })).json.models, [OTHER]);
  assert.equal((await ask(key.key)).status, 400);
  assert.equal((await change({ models: null })).json.models, null);
  assert.equal((await ask(key.key)).status, 200);
  const soon = new Date(Date.now() + 3600_000).toISOString();
  assert.equal((await change({ expires_at: soon })).json.expires_at, soon);
  await stack.reload({ test_clock_offset: '3601s' });
  assert.equal((await me.get(`/api/keys/${key.id}`)).status, 401); // the session has ended too
  const later = { ...me, token: await stack.session_of(me.account, WALLET.toLowerCase(), 86400) };
  const got = await call(stack.nginx, { method: 'GET', path: `/api/keys/${key.id}`, headers: { authorization: `Bearer ${later.token}` } });
  assert.equal(got.json.status, 'expired');
  assert.equal((await ask(key.key)).status, 401);
  await stack.reload({ test_clock_offset: '0s' });
  assert.equal((await change({ expires_at: null })).json.expires_at, null);
  assert.equal((await ask(key.key)).status, 200);
});

test('a rotated key: both work for the grace, then the new one alone', async () => {
  const me = await login();
  const key = await made(me, { name: 'r' });
  const next = (await me.send('POST', `/api/keys/${key.id}/rotate`)).json; // no body: a day
  assert.equal(next.id, key.id);
  assert.notEqual(next.key, key.key);
  assert.ok(Math.abs(Date.parse(next.rotation.old_key_until) - Date.now() - 86400_000) < 60000);
  assert.equal((await ask(key.key)).status, 200);
  assert.equal((await ask(next.key)).status, 200);
  const last = (await me.send('POST', `/api/keys/${key.id}/rotate`, { grace: '0s' })).json;
  assert.equal(last.rotation, null);
  assert.equal((await ask(key.key)).status, 401);
  assert.equal((await ask(next.key)).status, 401);
  assert.equal((await ask(last.key)).status, 200);
  assert.equal((await me.get(`/api/keys/${key.id}`)).json.key, undefined);
});

test('a deleted key is gone for good', async () => {
  const me = await login();
  const key = await made(me, { name: 'gone' });
  assert.equal((await ask(key.key)).status, 200);
  const got = await me.send('DELETE', `/api/keys/${key.id}`);
  assert.deepEqual(got.json, { object: 'key', id: key.id, deleted: true });
  assert.equal((await ask(key.key)).status, 401);
  await refused(me.get(`/api/keys/${key.id}`), 404, /was not found/);
  await refused(me.send('PATCH', `/api/keys/${key.id}`, { status: 'enabled' }), 404, /was not found/);
  await refused(me.send('POST', `/api/keys/${key.id}/rotate`), 404, /was not found/);
  assert.equal((await ask(key.key)).status, 401);
  assert.deepEqual((await me.get('/api/keys')).json, { object: 'list', data: [], has_more: false, next_cursor: null });
  // what it used is known on
  const used = await until('charged', async () => (await me.get('/api/usage?group_by=key')).json.data[0]);
  assert.deepEqual([used.key, used.key_name], [key.id, key.name]);
});

test('an account has so many keys, however many are made at once', async () => {
  const me = await login();
  const hits = await Promise.all(Array.from({ length: 20 }, () => me.send('POST', '/api/keys', {})));
  assert.equal(hits.filter((hit) => hit.status === 200).length, 6);
  for (const hit of hits.filter((h) => h.status !== 200)) {
    assert.equal(hit.status, 409);
    assert.equal(hit.json.error.message, 'An account may have 6 keys: delete one first');
    assert.equal(hit.json.error.code, 'too_many_keys');
  }
  assert.equal((await me.get('/api/keys')).json.data.length, 6);
  const one = hits.find((hit) => hit.status === 200).json.id;
  await me.send('DELETE', `/api/keys/${one}`);
  assert.equal((await me.send('POST', '/api/keys', {})).status, 200);
  await stack.key_of(me.account); // the operator's may be more
  assert.equal((await me.get('/api/me')).json.keys, 7);
});

test('keys are listed newest first, page by page, while others come and go', async () => {
  const me = await login();
  for (let i = 0; i < 8; i++) await stack.key_of(me.account, '--name', `k${i}`);
  const all = (await me.get('/api/keys')).json.data.map((key) => key.id);
  assert.equal(all.length, 8);
  let n = 0;
  const paged = await pages(me, '/api/keys', async () => { if (n++ === 0) await stack.key_of(me.account, '--name', 'late'); });
  assert.deepEqual(paged.map((key) => key.id).filter((id) => all.includes(id)), all);
  assert.equal(new Set(paged.map((key) => key.id)).size, paged.length);
});

test('requests are listed newest first with what they cost, refused ones too', async () => {
  const me = await login();
  const key = await made(me, { name: 'shown' }), id = (hit) => hit.headers['request-id'];
  const good = await ask(key.key);
  const cached = await ask(key.key, MODEL, '[[tokens in=1 out=1 cache_read=30 cache_write_5m=200 cache_write_1h=4000]]');
  const nothing = await ask(key.key, 'nothing');
  const other = await ask(key.key, OTHER);
  const failed = await ask(key.key, MODEL, '[[fault context-length]]');
  await me.send('PATCH', `/api/keys/${key.id}`, { status: 'disabled' });
  const disabled = await ask(key.key);
  assert.equal(disabled.status, 401);
  const rows = await until('all rows', async () => { const got = (await me.get('/api/requests')).json.data; return got.length === 6 && got; });
  const of = (hit) => rows.find((row) => row.id === id(hit));
  const { time, first_byte_ms, ms, ...row } = of(good);
  assert.deepEqual(row, {
    object: 'request', id: id(good), key: key.id, key_name: 'shown', model: MODEL, status: 200, error: null, receipt: true, input_tokens: 1000, output_tokens: 50,
    cache_read_input_tokens: 0, cache_creation_input_tokens: 0, cost_usd: String(COST / 1e9), cost_nano_usd: COST, attempts: 1, estimated: false,
  });
  assert.deepEqual([of(cached).input_tokens, of(cached).cache_read_input_tokens, of(cached).cache_creation_input_tokens], [1, 30, 4200]);
  assert.ok(Math.abs(Date.parse(time) - Date.now()) < 60000);
  assert.ok(first_byte_ms >= 0 && ms >= first_byte_ms);
  assert.deepEqual([of(nothing).status, of(nothing).error, of(nothing).model, of(nothing).receipt, of(nothing).cost_usd], [400, 'MODEL_UNAVAILABLE', 'nothing', false, null]);
  assert.deepEqual([of(disabled).status, of(disabled).receipt, of(disabled).ms], [401, false, null]);
  assert.deepEqual([of(failed).status, of(failed).cost_nano_usd], [400, 0]);
  const ids = async (query) => (await me.get(`/api/requests?${query}`)).json.data.map((r) => r.id).sort();
  const sorted = (...hits) => hits.map(id).sort();
  assert.deepEqual(await ids('status=200'), sorted(good, cached, other));
  assert.deepEqual(await ids('status=2xx'), sorted(good, cached, other));
  assert.deepEqual(await ids('status=4xx'), sorted(nothing, failed, disabled));
  assert.deepEqual(await ids('status=error'), sorted(nothing, failed, disabled));
  assert.deepEqual(await ids('status=5xx'), []);
  assert.deepEqual(await ids(`model=${OTHER}`), sorted(other));
  assert.deepEqual(await ids(`key=${key.id}&status=401`), sorted(disabled));
  assert.deepEqual(await ids('key=zzzzzz'), []);
  assert.deepEqual(await ids(`id=${id(failed)}`), sorted(failed));
  // one by one
  const receipt = await me.get(`/api/requests/${id(good)}`);
  assert.equal(receipt.json.object, 'receipt');
  assert.deepEqual([receipt.json.key, receipt.json.key_name], [key.id, 'shown']);
  assert.deepEqual(receipt.json, (await me.get(`/v1/requests/${id(good)}`)).json);
  assert.doesNotMatch(receipt.text, /secret-name/);
  const { time: when, ...bare } = (await me.get(`/api/requests/${id(nothing)}`)).json;
  assert.deepEqual(bare, { object: 'request', id: id(nothing), key: key.id, key_name: 'shown', model: 'nothing', status: 400, error: 'MODEL_UNAVAILABLE', receipt: false });
  assert.equal(when, of(nothing).time);
  await refused(me.get(`/api/requests/req_${'a'.repeat(20)}${me.account}`), 404, /was not found/);
  await refused(me.get('/api/requests/nonsense'), 404, /was not found/);
});

test('pages of requests and of the ledger hold each row once while new ones arrive', async () => {
  const me = await login();
  const key = await made(me, { rpm: 600, concurrency: 50 });
  const before = [];
  for (let i = 0; i < 10; i++) before.push((await ask(key.key)).headers['request-id']);
  await until('all rows', async () => (await me.get('/api/requests')).json.data.length === 10);
  for (const [path, field] of [['/api/requests', 'id'], ['/api/requests?status=2xx', 'id'], ['/api/ledger?type=charge', 'request'], ['/api/ledger', 'request']]) {
    const rows = (await pages(me, path, () => ask(key.key))).map((row) => row[field]).filter(Boolean);
    assert.equal(new Set(rows).size, rows.length, path);
    assert.deepEqual(rows.filter((id) => before.includes(id)), before.toReversed(), path);
  }
});

test('the ledger is the same as JSON, as CSV and to derouterctl', async () => {
  const me = await login('3.00');
  const key = await made(me);
  const since = new Date().toISOString();
  for (const model of [MODEL, OTHER]) await ask(key.key, model);
  await stack.ctl('account', 'credit', me.account, '1.00', '--reason', '=HYPERLINK("http://evil","x"), or so');
  await until('all rows', async () => (await me.get('/api/ledger')).json.data.length === 4);
  const json = await pages(me, '/api/ledger');
  const ctl = (await stack.json('ledger', me.account)).map(({ provider, ...row }) => row);
  assert.deepEqual(json.toReversed(), ctl);
  assert.equal(json.reduce((sum, row) => sum + row.nano_usd, 0), json[0].balance_nano_usd);
  assert.deepEqual(json.map((row) => row.type), ['credit', 'charge', 'charge', 'credit']);
  for (const base of [stack.nginx, stack.lighttpd]) {
    const got = await call(base, { method: 'GET', path: '/api/ledger.csv', headers: { authorization: `Bearer ${me.token}` } });
    assert.equal(got.status, 200);
    assert.match(got.headers['content-type'], /^text\/csv/);
    assert.match(got.headers['content-disposition'], /^attachment; filename=/);
    assert.equal(got.headers['cache-control'], 'no-store');
    const rows = csv(got.text), names = rows.shift();
    const wanted = (await stack.ctl('ledger', me.account, '--csv')).split('\n');
    const provider = wanted[0].split(',').indexOf('provider');
    assert.deepEqual(names, wanted[0].split(',').toSpliced(provider, 1));
    assert.deepEqual(rows, csv(`${wanted.slice(1).join('\n')}\n`).map((row) => row.toSpliced(provider, 1)));
    assert.deepEqual(rows.map((row) => row[names.indexOf('id')]), ctl.map((row) => row.id));
    assert.equal(rows.at(-1)[names.indexOf('reason')], `'=HYPERLINK("http://evil","x"), or so`);
    assert.equal(rows[1][names.indexOf('usd')], String(-COST / 1e9)); // a number of ours
  }
  const part = async (query) => (await me.get(`/api/ledger?${query}`)).json.data.map((row) => row.id);
  assert.deepEqual(await part(`since=${encodeURIComponent(since)}`), json.slice(0, 3).map((row) => row.id));
  assert.deepEqual(await part(`since=${json[1].id}&until=${json[1].id}`), [json[1].id]);
  assert.deepEqual(await part('since=2099-01-01'), []);
  assert.deepEqual(await part('type=credit'), [json[0].id, json[3].id]);
  const half = csv((await me.get(`/api/ledger.csv?until=${json[2].id}`)).text);
  assert.deepEqual(half.slice(1).map((row) => row.at(-1)), [json[3].id, json[2].id]);
});

// RFC 4180
function csv(text) {
  const rows = [[]];
  for (const [, quoted, plain, end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\n]*))(,|\n)/g)) {
    rows.at(-1).push(quoted !== undefined ? quoted.replaceAll('""', '"') : plain);
    if (end === '\n') rows.push([]);
  }
  rows.pop();
  return rows;
}

// Rows as settlement writes them, at times of our own.
async function writeRows(account, rows) {
  for (let i = 0; i < rows.length; i += 500)
    await stack.redis('EVAL', `for _, row in ipairs(cjson.decode(ARGV[1])) do redis.call('XADD', KEYS[1], unpack(row)) end`, '1', `{a:${account}}:ledger`,
      JSON.stringify(rows.slice(i, i + 500).map(([id, model, key, nano]) => [id, 'type', 'charge', 'req', 'r', 'key', key, 'nano', String(-nano), 'balance', '0', 'model', model, 'provider', '', 'price', '2026-01-01',
        'in', '1', 'cw5', '0', 'cw1', '0', 'cr', '0', 'out', '1', 'web', '0', 'flags', '', 'window', 'total'])));
}

test('a long ledger is sent page by page, to a reader that takes its time too', async () => {
  const me = await login('0');
  const n = 30000;
  await writeRows(me.account, Array.from({ length: n }, (_, i) => [`${1700000000000 + i}-0`, MODEL, 'aaaaaa', i]));
  const slow = await new Promise((done, fail) => {
    const request = http.get(new URL('/api/ledger.csv', stack.nginx), { headers: { authorization: `Bearer ${me.token}` } }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (piece) => {
        text += piece;
        response.pause();
        setImmediate(() => response.resume());
      });
      response.on('error', fail);
      response.on('end', () => done(text));
    });
    request.on('error', fail);
  });
  const lines = slow.split('\n');
  assert.equal(lines.length, n + 2);
  assert.ok(lines[1].endsWith(',1700000000000-0') && lines[n].endsWith(`,${1700000000000 + n - 1}-0`));
  // one that leaves in the middle is no trouble
  await new Promise((done) => {
    const request = http.get(new URL('/api/ledger.csv', stack.nginx), { headers: { authorization: `Bearer ${me.token}` } }, (response) => response.once('data', () => { request.destroy(); done(); }));
  });
  // a type that none of them has: pages end at their bound and go on
  let calls = 0;
  const rows = await pages(me, '/api/ledger?type=deposit', () => { calls++; });
  assert.deepEqual(rows, []);
  assert.equal(calls, 2);
});

test('usage is what the ledger says, by day, model and key', async () => {
  const me = await login();
  const [a, b] = [await made(me), await made(me)];
  await ask(a.key);
  await ask(a.key, OTHER);
  await ask(b.key);
  const use = async (query = '') => { const got = await me.get(`/api/usage?${query}`); assert.equal(got.status, 200, got.text); return got.json; };
  const all = await until('all charged', async () => { const got = await use(); return got.total.requests === 3 && got; });
  const today = new Date().toISOString().slice(0, 10);
  assert.equal(all.object, 'usage');
  assert.equal(all.time_zone, 'UTC');
  assert.equal(all.complete, true);
  assert.deepEqual(all.group_by, ['day']);
  assert.equal(all.data.length, 30);
  assert.equal(all.from, all.data[0].day);
  assert.equal(all.data.at(-1).day, all.to);
  assert.ok(all.data.slice(0, 28).every((row) => row.requests === 0 && row.cost_usd === '0'));
  const ctl = await stack.json('usage', me.account);
  for (const name of ['requests', 'input_tokens', 'output_tokens', 'cache_creation_input_tokens', 'cache_read_input_tokens', 'cost_nano_usd', 'cost_usd'])
    assert.equal(all.total[name], ctl[name], name);
  assert.equal(all.total.web_searches, 0);
  const models = await use('group_by=model');
  assert.deepEqual(models.data.map((row) => [row.model, row.requests]), [[OTHER, 1], [MODEL, 2]]);
  assert.equal(models.data[1].cost_nano_usd, 2 * COST);
  const keys = await use('group_by=key');
  assert.deepEqual(keys.data.map((row) => [row.key, row.requests]).sort(), [[a.id, 2], [b.id, 1]].sort());
  const both = await use(`group_by=day,model&key=${a.id}`);
  assert.deepEqual(both.group_by, ['day', 'model']);
  assert.deepEqual(both.data.map((row) => [row.model, row.requests]), [[OTHER, 1], [MODEL, 1]]);
  assert.deepEqual((await use(`group_by=day,key&model=${OTHER}`)).data.map((row) => [row.key, row.requests]), [[a.id, 1]]);
  assert.deepEqual((await use('from=2026-01-01&to=2026-01-03')).data.map((row) => row.requests), [0, 0, 0]);
  assert.ok([today, new Date().toISOString().slice(0, 10)].includes(all.to));
});

test("usage by the account's own days, bounded, and honest about rows that are gone", async () => {
  const me = await login('0');
  await stack.ctl('account', 'set', me.account, '--tz', '+05:30');
  const at = (text) => `${Date.parse(text)}-0`;
  await writeRows(me.account, [[at('2026-03-01T18:29:59.999Z'), MODEL, 'aaaaaa', 1], [at('2026-03-01T18:30:00Z'), MODEL, 'aaaaaa', 10], [at('2026-03-02T18:29:59.999Z'), OTHER, 'bbbbbb', 100], [at('2026-03-02T18:30:00Z'), MODEL, 'aaaaaa', 1000]]);
  const use = async (query) => (await me.get(`/api/usage?${query}`)).json;
  const own = await use('from=2026-03-01&to=2026-03-03');
  assert.equal(own.time_zone, '+05:30');
  assert.deepEqual(own.data.map((row) => row.cost_nano_usd), [1, 110, 1000]);
  const utc = await use('from=2026-03-01&to=2026-03-03&time_zone=UTC');
  assert.equal(utc.time_zone, 'UTC');
  assert.deepEqual(utc.data.map((row) => row.cost_nano_usd), [11, 1100, 0]);
  assert.equal(own.complete, true);
  // rows of these days are trimmed away
  await stack.ctl('ledger', 'trim', me.account, '--before', '2026-03-02', '--export', `${stack.state}/trimmed.jsonl`);
  const left = await use('from=2026-03-01&to=2026-03-03');
  assert.equal(left.complete, false);
  assert.deepEqual(left.data.map((row) => row.cost_nano_usd), [0, 100, 1000]);
  assert.equal((await use('from=2026-03-03&to=2026-03-03')).complete, true);
  // more rows than are read: the newest count
  const n = 100500;
  await writeRows(me.account, Array.from({ length: n }, (_, i) => [`${Date.parse('2026-04-01T00:00:00Z') + i}-0`, MODEL, 'aaaaaa', 1]));
  const many = await use('from=2026-03-01&to=2026-04-02&time_zone=UTC');
  assert.equal(many.complete, false);
  assert.equal(many.total.requests, 100000);
  assert.equal(many.data.find((row) => row.day === '2026-03-02').requests, 0);
});

test('without Redis the answer is 503, and nothing hangs', async () => {
  const me = await login();
  const paths = ['/api/me', '/api/keys', '/api/requests', '/api/ledger', '/api/ledger.csv', '/api/usage'];
  await stack.killRedis();
  for (const path of paths) assert.equal((await me.get(path)).status, 503, path);
  await stack.startRedis();
  for (const path of paths) await until(path, async () => (await me.get(path)).status === 200);
});
