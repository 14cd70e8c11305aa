// Every row of the error table, on each of the POST routes, through nginx and lighttpd, as the official
// SDKs see it: the right class, the exact text, the request id. What was looked at is noted, and the last
// test compares it with the whole grid: a combination that is missing fails there by its name.
import test, { before, after } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import Anthropic from '@anthropic-ai/sdk';
import Anthropic0 from 'anthropic-sdk-0';
import OpenAI from 'openai';
import OpenAI4 from 'openai-4';
import { startStack, call, until } from './stack.mjs';

let stack, standin;
const keys = {};
const MODEL = 'claude-sonnet-4-6'; // the provider speaks all three dialects for it
const down = 'claude-opus-4-8', resting = 'claude-haiku-4-5', full = 'gpt-4.1', hot = 'gpt-5';

const routes = {
  messages: { path: '/v1/messages', anthropic: true, body: (model, text, extra) => ({ model, max_tokens: 16, messages: [{ role: 'user', content: text }], ...extra }) },
  chat: { path: '/v1/chat/completions', body: (model, text, extra) => ({ model, messages: [{ role: 'user', content: text }], ...extra }) },
  responses: { path: '/v1/responses', body: (model, text, extra) => ({ model, input: text, ...extra }) },
  // free: neither balance nor budget, RPM or concurrency
  count_tokens: { path: '/v1/messages/count_tokens', anthropic: true, free: true, body: (model, text, extra) => ({ model, messages: [{ role: 'user', content: text }], ...extra }) },
};

// HH:MM of UTC, so many hours from now.
const clock = (hours) => new Date(Date.now() + hours * 3600_000).toISOString().slice(11, 16);

before(async () => {
  stack = await startStack({ workers: 2, set: { response_timeout: '1s', total_timeout: '1s', failover_after: '1s', max_body: '64KiB', breaker_failures: '1000', cooldown: '10ms', cooldown_max: '10ms', default_rpm: '100000', default_concurrency: '100', count_tokens_rpm: '100000' } });
  standin = await stack.standin();
  await stack.provider('main', standin.url, { models: [MODEL] });
  await stack.provider('down', 'http://127.0.0.1:9', { models: [down] });
  await stack.provider('resting', standin.url, { models: [resting], extra: ['--rest', `${clock(-1)}-${clock(12)}`] });
  await stack.provider('full', standin.url, { models: [full], max: 1 });
  await stack.provider('hot', standin.url, { models: [hot] }); // of its own: what it answers rests it
  const account = await stack.account_with('100.00');
  keys.good = await stack.key_of(account);
  keys.disabled = await stack.key_of(account, '--name', 'disabled');
  keys.deleted = await stack.key_of(account, '--name', 'deleted');
  const id = (key) => key.split('-').at(-2);
  await stack.ctl('key', 'disable', id(keys.disabled));
  await stack.ctl('key', 'delete', id(keys.deleted));
  keys.unknown = keys.good.slice(0, -1) + (keys.good.endsWith('a') ? 'b' : 'a');
  keys.poor = await stack.key_of(await stack.account_with('0.00'));
  keys.capped = await stack.key_of(account, '--budget', '0.000001', '--budget-period', 'month');
  keys.single = await stack.key_of(account, '--concurrency', '1');
  keys.slow = await stack.key_of(account, '--rpm', '1');
  await stack.online(MODEL, keys.good);
  // a first call spends the capped key's budget, and the slow key's minute
  assert.equal((await call(stack.nginx, { headers: { 'x-api-key': keys.capped }, body: routes.messages.body(MODEL, 'hello') })).status, 200);
  await until('budget spent', async () => (await call(stack.nginx, { headers: { 'x-api-key': keys.capped }, body: routes.messages.body(MODEL, 'hello') })).status === 402);
  assert.equal((await call(stack.nginx, { headers: { 'x-api-key': keys.slow }, body: routes.messages.body(MODEL, 'hello') })).status, 200);
});
after(() => stack?.stop());

const A = 'authentication_error', I = 'invalid_request_error';
// name, what to send, status, text, Anthropic type, OpenAI type and code, headers
const table = [
  ['unknown key', { key: 'unknown' }, 401, 'Invalid API key', A, I, 'invalid_api_key', { 'x-should-retry': 'false' }],
  ['disabled key', { key: 'disabled' }, 401, 'Invalid API key', A, I, 'invalid_api_key', { 'x-should-retry': 'false' }],
  ['deleted key', { key: 'deleted' }, 401, 'Invalid API key', A, I, 'invalid_api_key', { 'x-should-retry': 'false' }],
  ['bad key wins over bad body', { key: 'unknown', raw: '{' }, 401, 'Invalid API key', A, I, 'invalid_api_key', { 'x-should-retry': 'false' }],
  ['no balance', { key: 'poor' }, 402, 'Insufficient balance', 'billing_error', 'insufficient_quota', 'insufficient_quota', { 'x-should-retry': 'false' }],
  ['budget spent', { key: 'capped' }, 402, 'API key budget ($0.000001) exceeded', 'billing_error', 'insufficient_quota', 'budget_exceeded', { 'x-should-retry': 'false' }],
  ['RPM', { key: 'slow' }, 429, 'Requests per minute limit (1) exceeded', 'rate_limit_error', 'requests', 'rate_limit_exceeded', { 'retry-after': /^\d+$/, 'retry-after-ms': /^\d+$/ }],
  ['no model', { model: undefined }, 400, 'model is required', I, I, 'missing_required_parameter', {}],
  ['unknown model', { model: 'no-such-model' }, 400, /^Model "no-such-model" is not available\. Available models: .*claude-sonnet-4-6/, I, I, 'model_not_found', {}],
  ['not JSON', { raw: '{"model": ' }, 400, /at byte \d+/, I, I, null, {}],
  ['not an object', { raw: '[]' }, 400, /at byte \d+/, I, I, null, {}],
  ['too large', { extra: { padding: 'x'.repeat(70000) } }, 413, /65536/, 'request_too_large', I, null, {}],
  ['offline', { model: down }, 503, 'No providers are currently online', 'api_error', 'server_error', null, { 'retry-after': '5' }],
  ['resting', { model: resting }, 503, 'All providers are in scheduled rest', 'api_error', 'server_error', null, { 'retry-after': /^([1-9]|[1-5]\d|60)$/ }],
  ['overloaded', { model: hot, text: '[[fault 529]]' }, 529, 'Upstream API is temporarily overloaded', 'overloaded_error', 'server_error', null, { 'retry-after': /^\d+$/ }],
  ['silence', { text: '[[fault silence]]' }, 504, 'Provider timed out', 'timeout_error', 'server_error', null, {}],
  ['provider 500', { text: '[[fault 500]]' }, 502, 'Internal server error', 'api_error', 'server_error', null, {}],
  ['redirect', { text: '[[fault 302]]' }, 502, 'Provider error', 'api_error', 'server_error', null, {}],
  ['not HTTP', { text: '[[fault not-http]]' }, 502, 'Provider error', 'api_error', 'server_error', null, {}],
  ['empty answer', { text: '[[fault empty]]' }, 502, 'Provider error', 'api_error', 'server_error', null, {}],
  ['wrong content type', { text: '[[fault wrong-type]]' }, 502, 'Provider error', 'api_error', 'server_error', null, {}],
];

const sdkNames = (where) => (where.anthropic ? ['@anthropic-ai/sdk', 'anthropic-sdk-0'] : ['openai', 'openai-4']);
function sdkErrors(base, where, key) {
  const options = { apiKey: key, maxRetries: 0 };
  if (where.anthropic)
    return [new Anthropic({ ...options, baseURL: base }), new Anthropic0({ ...options, baseURL: base })].map((client, i) => ({
      name: sdkNames(where)[i], ask: (body) => (where.free ? client.messages.countTokens(body) : client.messages.create(body)), id: (e) => e.requestID, newest: i === 0,
    }));
  return [new OpenAI({ ...options, baseURL: `${base}/v1` }), new OpenAI4({ ...options, baseURL: `${base}/v1` })].map((client, i) => ({
    name: sdkNames(where)[i], ask: (body) => (where.path.includes('chat') ? client.chat.completions.create(body) : client.responses.create(body)),
    id: (e) => (i === 0 ? e.requestID : e.request_id), newest: i === 0,
  }));
}
// client-facts.md section 1: the newest Anthropic SDK has more classes, the others fall back
const classes = { 400: 'BadRequestError', 401: 'AuthenticationError', 402: 'APIError', 404: 'NotFoundError', 409: 'ConflictError', 413: 'APIError', 418: 'APIError', 422: 'UnprocessableEntityError', 429: 'RateLimitError' };
const newest = { 402: 'PaymentRequiredError', 413: 'ContentTooLargeError', 503: 'ServiceUnavailableError', 504: 'GatewayTimeoutError', 529: 'OverloadedError' };
const classOf = (sdk, where, status) => (sdk.newest && where.anthropic && newest[status]) || (classes[status] ?? 'InternalServerError');

// The grid: row -> "server route client".
const covered = new Map();
function note(row, server, where, client) {
  if (!covered.has(row)) covered.set(row, new Set());
  covered.get(row).add(`${server} ${nameOf(where)} ${client}`);
}
const nameOf = (where) => Object.keys(routes).find((name) => routes[name] === where);

function matches(actual, wanted, what) {
  if (wanted instanceof RegExp) assert.match(actual ?? '', wanted, what);
  else assert.equal(actual, wanted, what);
}

// The words of an error as an SDK's user reads them.
function spoken(error, where) {
  return where.anthropic ? error.error.error : { message: error.error.message, type: error.type, code: error.code };
}

async function seenRaw(row, server, where, key, body, [status, text, aType, oType, oCode, headers]) {
  const got = await call(stack[server], { path: where.path, headers: key ? { authorization: `Bearer ${key}` } : {}, body });
  assert.equal(got.status, status, got.text);
  assert.match(got.headers['content-type'], /^application\/json/);
  assert.match(got.headers['request-id'], /^req_[0-9a-z]+$/);
  assert.equal(got.headers['x-request-id'], got.headers['request-id']);
  if (where.anthropic) {
    assert.equal(got.json.type, 'error');
    assert.equal(got.json.error.type, aType);
    assert.equal(got.json.request_id, got.headers['request-id']);
  } else {
    assert.deepEqual(Object.keys(got.json), ['error']);
    assert.deepEqual(Object.keys(got.json.error).sort(), ['code', 'message', 'param', 'type']);
    assert.equal(got.json.error.type, oType);
    assert.equal(got.json.error.code, oCode);
  }
  matches(got.json.error.message, text);
  for (const header of ['retry-after', 'retry-after-ms', 'x-should-retry']) matches(got.headers[header], headers[header], header);
  note(row, server, where, 'raw');
}

async function seenBySdk(row, server, where, sdk, body, [status, text, aType, oType, oCode, headers]) {
  const error = await sdk.ask(body).then(() => assert.fail('no error'), (e) => e);
  assert.equal(error.status, status, error.message);
  assert.equal(error.constructor.name, classOf(sdk, where, status));
  assert.match(sdk.id(error) ?? '', /^req_[0-9a-z]{30}$/);
  const words = spoken(error, where);
  matches(words.message, text);
  assert.equal(words.type, where.anthropic ? aType : oType);
  if (!where.anthropic) assert.equal(words.code, oCode);
  const header = (name) => (error.headers.get ? error.headers.get(name) : error.headers[name]) ?? undefined;
  for (const name of ['retry-after', 'retry-after-ms', 'x-should-retry']) matches(header(name), headers[name], name);
  note(row, server, where, sdk.name);
}

// One row of the table on one route through one server: raw, and by the SDKs.
function seen(row, server, where, key, body, wanted, bySdk = true) {
  const sdks = bySdk ? sdkErrors(stack[server], where, key) : [];
  return Promise.all([seenRaw(row, server, where, key, body, wanted), ...sdks.map((sdk) => seenBySdk(row, server, where, sdk, body, wanted))]);
}

for (const server of ['nginx', 'lighttpd'])
  for (const [name, where] of Object.entries(routes))
    for (const [what, send, status, text, aType, oType, oCode, headers] of table) {
      if (where.free && [402, 429].includes(status)) continue;
      test(`${server} ${name}: ${what}`, async () => {
        const key = keys[send.key ?? 'good'];
        const body = send.raw ?? where.body('model' in send ? send.model : MODEL, send.text ?? 'hello', send.extra);
        await seen(what, server, where, key, body, [status, text, aType, oType, oCode, headers], !send.raw);
      });
    }

const SERVERS = ['nginx', 'lighttpd'];
const everywhere = async (check, of = Object.values(routes)) => {
  for (const server of SERVERS)
    for (const where of of) await check(server, where);
};
const charged = Object.values(routes).filter((where) => !where.free);
const wanted = {
  busy: (n) => [429, `Concurrent limit (${n}) exceeded`, 'rate_limit_error', 'requests', 'rate_limit_exceeded', { 'retry-after': '1' }],
  unavailable: (text, after) => [503, text, 'api_error', 'server_error', null, { 'retry-after': after }],
};

test('no key at all', () => everywhere((server, where) =>
  seen('no key', server, where, null, where.body(MODEL, 'hello'), [401, 'Missing API key', A, I, null, { 'x-should-retry': 'false' }], false)));

// Long streams hold what there is while the row is looked at: their heads are in, so they run.
async function whileHeld(where, key, model, check, n = 1) {
  const extra = { stream: true, [where.path.endsWith('responses') ? 'max_output_tokens' : 'max_tokens']: 40 };
  const held = [];
  const open = () => until('held', () => new Promise((done, fail) => {
    const request = http.request(new URL(where.path, stack.nginx), { method: 'POST', headers: { 'x-api-key': key, 'content-type': 'application/json' } }, (answer) => {
      answer.on('error', () => {}).resume();
      if (answer.statusCode === 200) held.push(request);
      done(answer.statusCode === 200);
    });
    request.on('error', fail).end(JSON.stringify(where.body(model, '[[stream events=300 gap_ms=100]]', extra)));
  }));
  for (let i = 0; i < n; i++) await open();
  for (const request of held) request.on('error', () => {});
  await check().finally(() => held.forEach((request) => request.destroy()));
}

test('max concurrency of the only provider', () => everywhere((server, where) => whileHeld(where, keys.good, full, () =>
  seen('max concurrency', server, where, keys.good, where.body(full, 'hello'), wanted.unavailable('All providers are at max concurrency', '2'))), charged));

test("the key's own concurrency", () => everywhere((server, where) => whileHeld(where, keys.single, MODEL, () =>
  seen('concurrency', server, where, keys.single, where.body(MODEL, 'hello'), wanted.busy(1))), charged));

// Not spent, only held: by the two requests that run, the first of which holds its estimate and the second the
// rest. Each time an account of its own, since their ends are charged.
test('what is left of the balance is held by running requests', () => everywhere(async (server, where) => {
  const key = await stack.key_of(await stack.account_with('0.0009'));
  await whileHeld(where, key, MODEL, () =>
    seen('balance held', server, where, key, where.body(MODEL, 'hello'), wanted.busy(2)), 2);
}, charged));

test("what is left of the key's budget is held by running requests", () => everywhere(async (server, where) => {
  const key = await stack.key_of(await stack.account_with('1.00'), '--budget', '0.0009', '--budget-period', 'total');
  await whileHeld(where, key, MODEL, () =>
    seen('budget held', server, where, key, where.body(MODEL, 'hello'), wanted.busy(2)), 2);
}, charged));

test('count_tokens has a limit of its own', async () => {
  const where = routes.count_tokens, key = await stack.key_of(await stack.account_with('0.00')); // it takes no balance
  await stack.reload({ count_tokens_rpm: '1' });
  assert.equal((await call(stack.nginx, { path: where.path, headers: { 'x-api-key': key }, body: where.body(MODEL, 'hello') })).status, 200);
  for (const server of SERVERS)
    await seen('RPM', server, where, key, where.body(MODEL, 'hello'), [429, 'Requests per minute limit (1) exceeded', 'rate_limit_error', 'requests', 'rate_limit_exceeded', { 'retry-after': /^\d+$/, 'retry-after-ms': /^\d+$/ }]);
  await stack.reload({ count_tokens_rpm: '100000' });
});

test("the provider's credential fails: 502, and out of rotation", async () => {
  await stack.provider('auth', standin.url, { models: ['gpt-4o'] });
  await stack.online('gpt-4o', keys.good);
  await everywhere((server, where) =>
    seen('credential', server, where, keys.good, where.body('gpt-4o', '[[fault 401]]'), [502, 'Provider authentication failed', 'api_error', 'server_error', null, {}]));
});

// status, type and code as the stand-in (and the real API) says them
const passed = { 'context-length': 400, 'content-filter': 400, 404: 404, 409: 409, 413: 413, 422: 422 };
test("the caller's own fault is passed through byte for byte, after one attempt", () => everywhere(async (server, where) => {
  for (const [fault, status] of Object.entries(passed)) {
    const body = where.body(MODEL, `[[fault ${fault}]]`), nameless = (text) => text.replace(/req_standin\w*/g, '');
    const theirs = await call(standin.url, { path: where.path, headers: { 'x-api-key': 'test-credential', 'anthropic-version': '2023-06-01' }, body });
    const got = await call(stack[server], { path: where.path, headers: { 'x-api-key': keys.good }, body });
    assert.equal(got.status, status, got.text);
    assert.equal(nameless(got.text), nameless(theirs.text)); // the stand-in's own ids count up
    assert.ok(got.json.error.message);
    assert.match(got.headers['request-id'], /^req_[0-9a-z]{30}$/);
    assert.equal(got.headers['x-request-id'], got.headers['request-id']);
    assert.equal(got.headers['x-derouter-provider-attempts'], '1');
    note('passed through', server, where, 'raw');
    const { message, type, code } = theirs.json.error;
    await Promise.all(sdkErrors(stack[server], where, keys.good).map((sdk) => seenBySdk('passed through', server, where, sdk, body, [status, message, type, type, code, {}])));
  }
}));

test('a refusal that is not in the shape of the route gets that shape', () => everywhere((server, where) =>
  seen('not in shape', server, where, keys.good, where.body(MODEL, '[[fault text-error=418]]'), [418, 'Provider error (HTTP 418)', I, I, null, {}])));

test('unknown paths, wrong methods and the WebSocket upgrade', async () => {
  const unknown = await call(stack.nginx, { method: 'GET', path: '/v1/nothing' });
  assert.equal(unknown.status, 404);
  assert.equal(unknown.json.error.type, I);
  const method = await call(stack.nginx, { method: 'GET', path: '/v1/messages' });
  assert.equal(method.status, 405);
  assert.equal(method.headers.allow, 'POST');
  assert.equal(method.json.type, 'error');
  for (const base of [stack.nginx, stack.lighttpd]) {
    const upgrade = await call(base, { method: 'GET', path: '/v1/responses', headers: { connection: 'Upgrade', upgrade: 'websocket', 'openai-beta': 'responses_websockets=2026-02-06' } });
    assert.equal(upgrade.status, 426);
  }
});

test('nginx speaks JSON in the shape of the route', async () => {
  const outside = await call(stack.nginx, { method: 'GET', path: '/nothing' });
  assert.equal(outside.status, 404);
  assert.match(outside.headers['request-id'], /^req_/);
  assert.ok(outside.json.error.message);
  const huge = await call(stack.nginx, { headers: { 'x-api-key': keys.good }, body: Buffer.alloc(34 << 20, 32) }).catch((error) => ({ reset: error.code }));
  if (!huge.reset) {
    assert.equal(huge.status, 413);
    assert.equal(huge.json.error.type, 'request_too_large');
  }
});

// The last one that asks: Redis does not come back.
test('Redis out of reach is a 503, never a 401 or 402', async () => {
  process.kill(Number(readFileSync(path.join(stack.state, 'redis.pid'), 'utf8')), 'SIGKILL');
  await until('noticed', async () => (await call(stack.nginx, { method: 'GET', path: '/readyz' })).status === 503);
  await everywhere((server, where) =>
    seen('no store', server, where, keys.good, where.body(MODEL, 'hello'), wanted.unavailable("The gateway's data store is unreachable", '1')));
});

// Both servers, all routes, raw and both SDKs. Not on count_tokens: what it does not take; by no SDK: what
// none can send.
test('no combination is missing', (t) => {
  const rows = [...table.map(([row]) => row), 'no key', 'max concurrency', 'concurrency', 'balance held', 'budget held', 'credential', 'passed through', 'not in shape', 'no store'];
  const untaken = new Set(['no balance', 'budget spent', 'max concurrency', 'concurrency', 'balance held', 'budget held']);
  const unsendable = new Set(['no key', ...table.filter(([, send]) => send.raw).map(([row]) => row)]);
  const missing = [];
  for (const row of rows)
    for (const server of SERVERS)
      for (const where of Object.values(routes)) {
        if (where.free && untaken.has(row)) continue;
        for (const client of ['raw', ...(unsendable.has(row) ? [] : sdkNames(where))])
          if (!covered.get(row)?.has(`${server} ${nameOf(where)} ${client}`)) missing.push(`${row}: ${server} ${nameOf(where)} ${client}`);
      }
  assert.deepEqual(missing, []);
  t.diagnostic(`${rows.length} rows, ${[...covered.values()].reduce((sum, seen) => sum + seen.size, 0)} combinations of row, server, route and client`);
});
