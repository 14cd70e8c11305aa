// Real answers against GET /api/openapi.json: every operation of /api and every GET of /v1 is called, and what comes back is
// what is described, member by member. (That all endpoints are described, and no others, is unit test_openapi's.)
import test, { before, after } from 'node:test';
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import Ajv from 'ajv/dist/2020.js';
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts';
import { startStack, call, until } from './stack.mjs';
import { startChain, chainRow, usdc, FAST } from './chain.mjs';
import { dialects } from './dialects.mjs';

const CHAIN = 31337;
const MODEL = 'claude-sonnet-4-6';
const { messages } = dialects;
let stack, chain, dir, doc, ajv;
const called = new Set(); // operations that have answered 200

before(async () => {
  dir = await mkdtemp(path.join(os.tmpdir(), 'derouter-openapi-'));
  chain = await startChain();
  await writeFile(path.join(dir, 'chains.json'), JSON.stringify({ chains: [chainRow(chain, [chain.url], { explorer: 'https://explorer.example/tx/' })] }));
  stack = await startStack({ workers: 1, lighttpd: false, set: { ...FAST, chains_file: path.join(dir, 'chains.json'), login_rpm: '100000', api_rpm: '100000' } });
  const standin = await stack.standin();
  await stack.provider('one', standin.url, { models: [MODEL] });
  await stack.online(MODEL);
  const hit = await call(stack.nginx, { method: 'GET', path: '/api/openapi.json' });
  assert.equal(hit.status, 200, hit.text);
  assert.match(hit.headers['content-type'], /^application\/json/);
  doc = hit.json;
  ajv = new Ajv({ strict: true, strictRequired: false, allErrors: true, allowUnionTypes: true, formats: { 'date-time': true, date: true } });
  ajv.addVocabulary(['openapi', 'info', 'servers', 'paths', 'components']);
  ajv.addSchema({ $id: 'doc', ...doc });
  called.add('get /api/openapi.json');
});
after(async () => {
  await stack?.stop();
  await chain?.stop();
  if (dir) await rm(dir, { recursive: true });
});

// A schema of the document, wherever its references lead.
const compiled = new Map();
function check(schema, value, what) {
  const text = JSON.stringify(schema).replaceAll('"#/', '"doc#/');
  if (!compiled.has(text)) compiled.set(text, ajv.compile(JSON.parse(text)));
  const validate = compiled.get(text);
  assert.ok(validate(value), `${what}: ${ajv.errorsText(validate.errors)}\n${JSON.stringify(value).slice(0, 2000)}`);
}
const deref = (x) => (x?.$ref ? x.$ref.slice(2).split('/').reduce((at, name) => at[name], doc) : x);

// One call of an operation; what goes out and what comes back is as described.
async function hit(method, template, { params = {}, query = {}, body, token, key, status = 200 } = {}) {
  const operation = doc.paths[template][method];
  assert.ok(operation, `${method} ${template}`);
  const where = template.replace(/\{(\w+)\}/g, (_, name) => params[name]);
  const known = (operation.parameters ?? []).filter((p) => p.in === 'query').map((p) => p.name);
  if (status === 200) {
    for (const name of Object.keys(query)) assert.ok(known.includes(name), `${method} ${template}: ${name} is not described`);
    if (body !== undefined) check(operation.requestBody.content['application/json'].schema, body, `body of ${method} ${template}`);
  }
  const search = new URLSearchParams(query).toString();
  const got = await call(stack.nginx, {
    method: method.toUpperCase(), path: where + (search && `?${search}`), body, headers: { ...(token && { authorization: `Bearer ${token}` }), ...(key && { 'x-api-key': key }) },
  });
  const what = `${method} ${where}?${search} ${got.status}`;
  assert.equal(got.status, status, `${what}: ${got.text}`);
  const answer = deref(operation.responses[status] ?? operation.responses.default);
  const [type, content] = Object.entries(answer.content).find(([name]) => got.headers['content-type'].startsWith(name)) ?? [];
  assert.ok(type, `${what}: ${got.headers['content-type']} is not described`);
  if (type === 'application/json') check(content.schema, got.json, what);
  if (status === 200) called.add(`${method} ${template}`);
  return got;
}

let me, token, wallet;
async function logIn(purpose) {
  const who = privateKeyToAccount(generatePrivateKey());
  const asked = await hit('post', '/api/auth/challenge', { body: { address: who.address, chainId: CHAIN, ...(purpose && { purpose }) }, token: purpose && token });
  return { who, body: { message: asked.json.message, signature: await who.signMessage(asked.json) } };
}

test('the document is sound', () => {
  assert.equal(doc.openapi, '3.1.0');
  const ids = Object.values(doc.paths).flatMap((operations) => Object.values(operations).map((o) => o.operationId));
  assert.equal(new Set(ids).size, ids.length);
  const text = JSON.stringify(doc);
  for (const [, where] of text.matchAll(/"\$ref":"#\/([^"]+)"/g)) assert.ok(where.split('/').reduce((at, name) => at?.[name], doc), `${where} leads nowhere`);
  for (const name of Object.keys(doc.components.schemas)) assert.ok(text.includes(`#/components/schemas/${name}"`), `${name} is used nowhere`);
  for (const [name, schema] of Object.entries(doc.components.schemas))
    if (schema.type === 'object') assert.equal(schema.additionalProperties, false, name);
});

test('logging in, wallets and sessions', async () => {
  await hit('get', '/api/config');
  const { who, body } = await logIn();
  wallet = who;
  me = (await hit('post', '/api/auth/verify', { body })).json;
  token = me.token;
  await hit('post', '/api/auth/verify', { body, status: 401 });
  await hit('post', '/api/auth/challenge', { body: { address: 'x', chainId: CHAIN }, status: 400 });
  await hit('get', '/api/me', { token });
  const link = await logIn('link');
  await hit('post', '/api/wallets', { body: link.body, token });
  assert.equal((await hit('get', '/api/wallets', { token })).json.data.length, 2);
  for (let i = 0; i < 3; i++) {
    const asked = await hit('post', '/api/auth/challenge', { body: { address: who.address, chainId: CHAIN } });
    const session = (await hit('post', '/api/auth/verify', { body: { message: asked.json.message, signature: await who.signMessage(asked.json) } })).json;
    if (i === 0) await hit('delete', '/api/sessions/{id}', { params: { id: session.id }, token });
    if (i === 1) await hit('post', '/api/auth/logout', { token: session.token });
  }
  assert.equal((await hit('get', '/api/sessions', { token })).json.data.length, 2);
  await hit('delete', '/api/sessions', { token });
  await hit('delete', '/api/sessions/{id}', { params: { id: 'nothere' }, token, status: 404 });
});

test('deposits', async () => {
  const from = wallet.address.toLowerCase();
  await chain.rpc('anvil_impersonateAccount', from);
  await chain.rpc('anvil_setBalance', from, '0xde0b6b3a7640000');
  await chain.mint(from, usdc('1000'));
  await chain.mine();
  await hit('post', '/api/deposits/notify', { body: {}, token });
  await hit('post', '/api/deposits/notify', { body: { chainId: 1 }, token, status: 400 });
  await chain.pay(from, usdc('0.01')); // too little
  await chain.pay(from, usdc('20'));
  await chain.mine();
  const seen = async () => (await hit('get', '/api/deposits', { token })).json.data.map((d) => d.status).sort().join();
  await until('both are seen', async () => (await seen()) === 'below_min,pending');
  await chain.mine(3);
  await until('credited', async () => (await seen()) === 'below_min,credited');
  await hit('get', '/api/deposits', { token, query: { limit: '1' } });
  await until('health', async () => (await hit('get', '/api/deposit-info', { token })).json.data[0].health.state === 'ok');
});

test('keys, requests, usage and the ledger', async () => {
  const made = (await hit('post', '/api/keys', { body: { name: 'first', rpm: 100, budget_usd: '5.00', budget_period: 'day', expires_at: '2030-01-01T00:00:00Z', models: [MODEL] }, token })).json;
  const plain = (await hit('post', '/api/keys', { token })).json;
  const { id, key } = made;
  const ask = (body, as = key) => call(stack.nginx, { headers: { 'x-api-key': as }, body });
  const good = await ask(messages.body(MODEL, '[[tokens in=1000 out=50]]'));
  assert.equal(good.status, 200, good.text);
  assert.equal((await ask(messages.body(MODEL, 'Hello', { stream: true }))).status, 200);
  const refused = await ask(messages.body('gpt-4.1', 'Hello'));
  assert.equal(refused.status, 400);
  await hit('patch', '/api/keys/{id}', { params: { id }, body: { concurrency: 2, budget_usd: null, models: null, expires_at: null }, token });
  await hit('patch', '/api/keys/{id}', { params: { id }, body: { colour: 'red' }, token, status: 400 });
  const rotated = (await hit('post', '/api/keys/{id}/rotate', { params: { id }, body: { grace: '1h' }, token })).json;
  assert.notEqual(rotated.rotation, null);
  await hit('get', '/api/keys/{id}', { params: { id }, token });
  await hit('get', '/api/keys/{id}', { params: { id: 'nosuch' }, token, status: 404 });
  await hit('get', '/api/keys', { token, query: { limit: '1' } });
  await hit('get', '/v1/key', { key: rotated.key });
  await hit('get', '/v1/key', { key: 'sk-ant-dr-nothing', status: 401 });
  await hit('get', '/v1/models', { key: rotated.key, query: { limit: '1' } });
  await hit('get', '/v1/models/{id}', { params: { id: MODEL }, key: rotated.key });
  await hit('get', '/v1/models/{id}', { params: { id: 'nothing' }, key: rotated.key, status: 404 });

  const requests = () => hit('get', '/api/requests', { token });
  await until('three requests', async () => (await requests()).json.data.length === 3);
  const rows = (await requests()).json.data;
  assert.deepEqual(rows.map((r) => r.receipt), [false, true, true]);
  for (const row of rows) await hit('get', '/api/requests/{id}', { params: { id: row.id }, token });
  await hit('get', '/api/requests', { token, query: { status: '2xx', key: id, model: MODEL, limit: '1' } });
  await hit('get', '/v1/requests/{id}', { params: { id: good.headers['request-id'] }, key: rotated.key });
  await hit('get', '/v1/requests/{id}', { params: { id: good.headers['request-id'] }, token });
  // as a sweep leaves it that found its process dead
  const dead = `${good.headers['request-id'].slice(0, -14)}aaaa${me.account}`;
  await stack.redis('SET', `{a:${me.account}}:receipt:${dead}`, JSON.stringify({ abandoned_nano_usd: 5, id: dead, key: id, balance_after_nano_usd: 6 }));
  await hit('get', '/v1/requests/{id}', { params: { id: dead }, token });

  for (const group_by of ['day', 'model', 'key', 'day,model', 'day,key']) {
    const { json } = await hit('get', '/api/usage', { token, query: { group_by } });
    assert.equal(json.total.requests, 2);
    assert.ok(json.data.some((row) => row.requests === 2));
  }
  await hit('get', '/api/usage', { token, query: { from: 'yesterday' }, status: 400 });
  const ledger = (await hit('get', '/api/ledger', { token })).json.data;
  assert.deepEqual(new Set(ledger.map((r) => r.type)), new Set(['deposit', 'charge']));
  await hit('get', '/api/ledger', { token, query: { type: 'charge', limit: '1', since: '2026-01-01' } });
  const csv = await hit('get', '/api/ledger.csv', { token });
  assert.deepEqual(csv.text.split('\n')[0].split(',').sort(), Object.keys(doc.components.schemas.LedgerRow.properties).sort());
  const { json } = await hit('get', '/api/models', { token });
  assert.equal(json.data.find((m) => m.id === MODEL).state, 'online');
  await hit('delete', '/api/keys/{id}', { params: { id: plain.id }, token });
});

test('every operation of /api and every GET has answered; who is not let in is told in the form described', async () => {
  for (const where of ['/healthz', '/readyz', '/metrics']) await hit('get', where);
  for (const [template, operations] of Object.entries(doc.paths))
    for (const [method, operation] of Object.entries(operations)) {
      if (!template.startsWith('/api/') && method !== 'get') continue;
      assert.ok(called.has(`${method} ${template}`), `${method} ${template} was not called`);
      if (operation.security.length > 0) await hit(method, template, { params: { id: 'x' }, status: 401 });
      else if (template !== '/metrics' && template !== '/healthz' && template !== '/readyz' && method === 'get') await hit(method, template, { query: { colour: 'red' }, status: 400 });
    }
});
