// What can be looked up afterwards: the caller's receipt, keys that change while they are used, and books that
// the operator verifies.
import test, { before, after } from 'node:test';
import assert from 'node:assert/strict';
import { startStack, call, until } from './stack.mjs';
import { dialects } from './dialects.mjs';

const MODEL = 'claude-sonnet-4-6'; // 3.00 in, 15.00 out
let stack, standin, account, key;

before(async () => {
  stack = await startStack({ workers: 2, lighttpd: false, set: { default_rpm: '100000', default_concurrency: '100' } });
  standin = await stack.standin();
  await stack.provider('secret-name', standin.url, { models: [MODEL] });
  account = await stack.account_with('10.00');
  key = await stack.key_of(account);
  await stack.online(MODEL, key);
});
after(() => stack?.stop());

const ask = (with_, where = dialects.messages, prompt = '[[tokens in=1000 out=50]]', extra) =>
  call(stack.nginx, { path: where.path, headers: { 'x-api-key': with_ }, body: where.body(MODEL, prompt, extra) });
const receiptOf = (id, with_ = key) => call(stack.nginx, { method: 'GET', path: `/v1/requests/${id}`, headers: { 'x-api-key': with_ } });

for (const [name, where] of Object.entries(dialects))
  for (const stream of [false, true])
    test(`${name} ${stream ? 'stream' : 'unary'}: the caller reads its receipt`, async () => {
      const got = await ask(key, where, undefined, stream ? { stream: true } : {});
      assert.equal(got.status, 200);
      const id = got.headers['request-id'];
      const receipt = (await until('receipt', async () => { const r = await receiptOf(id); return r.status === 200 && r; })).json;
      assert.equal(receipt.object, 'receipt');
      assert.equal(receipt.id, id);
      assert.equal(receipt.key, key.split('-').at(-2));
      assert.equal(receipt.route, where.path);
      assert.equal(receipt.model_asked, MODEL);
      assert.equal(receipt.model_served, MODEL);
      assert.equal(receipt.stream, stream);
      assert.equal(receipt.status, 200);
      assert.equal(receipt.end, '--');
      assert.equal(receipt.estimated, false);
      assert.deepEqual(receipt.usage, { input: 1000, cache_write_5m: 0, cache_write_1h: 0, cache_read: 0, output: 50, web_searches: 0 });
      assert.equal(typeof receipt.raw_usage, 'object');
      assert.equal(receipt.charge_nano_usd, 1000 * 3000 + 50 * 15000);
      assert.ok(receipt.hold_nano_usd > 0);
      assert.equal(receipt.refund_nano_usd, Math.max(0, receipt.hold_nano_usd - receipt.charge_nano_usd));
      assert.ok(receipt.balance_after_nano_usd > 0);
      assert.equal(receipt.price.date, receipt.price_date);
      assert.deepEqual(receipt.price, { date: receipt.price_date, input_usd_per_million: '3', output_usd_per_million: '15', cache_read_usd_per_million: '0.3',
        cache_write_5m_usd_per_million: '3.75', cache_write_1h_usd_per_million: '6', web_search_usd: '0.01' });
      assert.equal(receipt.rates, undefined);
      assert.equal(receipt.attempts.length, 1);
      assert.match(receipt.attempts[0].provider, /^p_[0-9a-f]{8}$/);
      assert.equal(receipt.attempts[0].status, 200);
      assert.doesNotMatch(JSON.stringify(receipt), /secret-name|127\.0\.0\.1|test-credential/);
    });

test("another account's receipt, an unknown one and a malformed id are not found", async () => {
  const id = (await ask(key)).headers['request-id'];
  const stranger = await stack.key_of(await stack.account_with('1.00'));
  for (const [what, with_] of [[id, stranger], [id.replace(/^req_..../, 'req_0000'), key], ['nonsense', key], ['', key], [`${id}x`, key], ['%00', key], ["req_' OR 1", key]]) {
    const got = await receiptOf(encodeURIComponent(what), with_);
    assert.equal(got.status, 404, `${what}: ${got.text}`);
    assert.ok(got.json.error.message);
  }
  assert.equal((await call(stack.nginx, { method: 'GET', path: `/v1/requests/${id}` })).status, 401);
  assert.equal((await call(stack.nginx, { method: 'GET', path: `/v1/requests/${id}`, headers: { 'x-api-key': key, 'anthropic-version': '2023-06-01' } })).json.object, 'receipt');
});

test('a request that was refused has no receipt, and one that failed costs nothing', async () => {
  const refused = await call(stack.nginx, { headers: { 'x-api-key': key }, body: { model: 'nothing' } });
  assert.equal((await receiptOf(refused.headers['request-id'])).status, 404);
  const failed = await ask(key, dialects.messages, '[[fault context-length]]');
  const receipt = (await until('receipt', async () => { const r = await receiptOf(failed.headers['request-id']); return r.status === 200 && r; })).json;
  assert.equal(receipt.charge_nano_usd, 0);
  assert.equal(receipt.status, 400);
});

test('a rotated key: old and new work, then the new one alone; another grace ends at once', async () => {
  const old = await stack.key_of(account), id = old.split('-').at(-2);
  const fresh = await stack.ctl('key', 'rotate', id, '--grace', '1h');
  assert.equal((await ask(old)).status, 200);
  assert.equal((await ask(fresh)).status, 200);
  const last = await stack.ctl('key', 'rotate', id, '--grace', '0s');
  assert.equal((await ask(old)).status, 401);
  assert.equal((await ask(fresh)).status, 401);
  assert.equal((await ask(last)).status, 200);
  await stack.ctl('key', 'delete', id);
  assert.equal((await ask(last)).status, 401);
});

test('what a key may changes at once', async () => {
  const mine = await stack.key_of(account), id = mine.split('-').at(-2);
  assert.equal((await ask(mine)).status, 200);
  await stack.ctl('key', 'set', id, '--models', 'gpt-4.1');
  const refused = await ask(mine);
  assert.equal(refused.status, 400);
  assert.match(refused.json.error.message, /is not available/);
  await stack.ctl('key', 'set', id, '--models', 'all', '--rpm', '1');
  assert.equal((await ask(mine)).json.error.message, 'Requests per minute limit (1) exceeded');
  await stack.ctl('key', 'set', id, '--rpm', '1000', '--budget', '0.001', '--budget-period', 'day');
  assert.equal((await ask(mine)).status, 200); // a day's budget counts from when it is set
  assert.equal((await until('spent', async () => { const got = await ask(mine); return got.status === 402 && got; })).json.error.message, 'API key budget ($0.001) exceeded');
  await stack.ctl('key', 'set', id, '--no-budget');
  assert.equal((await ask(mine)).status, 200);
  await stack.ctl('key', 'set', id, '--expires', '2099-01-01');
  assert.equal((await ask(mine)).status, 200);
});

test('a key says what it may, what is left, and when its budget begins anew', async () => {
  const mine = await stack.key_of(account), id = mine.split('-').at(-2);
  const read = async () => (await call(stack.nginx, { method: 'GET', path: '/v1/key', headers: { 'x-api-key': mine } })).json;
  assert.deepEqual([(await read()).expires_at, (await read()).budget, (await read()).models], [null, null, null]);
  await stack.ctl('account', 'set', account, '--tz', 'Asia/Kolkata'); // no summer time: midnight is 18:30 UTC
  await stack.ctl('key', 'set', id, '--budget', '2.50', '--budget-period', 'day', '--expires', '2099-01-01', '--models', MODEL);
  assert.equal((await ask(mine)).status, 200);
  const got = await until('settled', async () => { const k = await read(); return k.budget.held_usd === '0' && k.budget.spent_usd !== '0' && k; });
  assert.equal(got.expires_at, '2099-01-01T00:00:00.000Z');
  assert.match(got.created_at, /^20.*Z$/);
  assert.deepEqual(got.models, [MODEL]);
  assert.equal(got.budget.time_zone, 'Asia/Kolkata');
  assert.match(got.budget.resets_at, /T18:30:00\.000Z$/);
  assert.ok(Date.parse(got.budget.resets_at) > Date.now() && Date.parse(got.budget.resets_at) <= Date.now() + 86400_000);
  assert.equal(got.budget.window, new Date(Date.parse(got.budget.resets_at) - 86400_000 + 19800_000).toISOString().slice(0, 10));
  assert.deepEqual([got.budget.limit_usd, got.budget.spent_usd, got.spent_usd], ['2.5', '0.00375', '0.00375']);
  assert.equal(got.budget.remaining_usd, '2.49625');
});

test('the books add up, and what the provider served is what was asked', async () => {
  await until('verified', async () => /, 0 differences/.test(await stack.ctl('ledger', 'verify', '--receipts').catch((error) => error.stdout)));
  const rows = await stack.json('provider', 'usage');
  const asked = (await standin.requests()).filter((r) => r.tokens && r.status === 200);
  assert.equal(rows.reduce((sum, row) => sum + row.output_tokens, 0), asked.reduce((sum, r) => sum + r.tokens.output, 0));
  assert.equal(rows.reduce((sum, row) => sum + row.requests, 0), asked.length);
  for (const row of rows) assert.equal(row.list_nano_usd, row.charged_nano_usd);
});

test('with a markup, what a provider is owed stands beside what was charged', async () => {
  const sums = async () => (await stack.json('provider', 'usage')).reduce((sum, row) => ({ list: sum.list + row.list_nano_usd, charged: sum.charged + row.charged_nano_usd }), { list: 0, charged: 0 });
  const before = await sums(), list = 1000 * 3000 + 50 * 15000;
  await stack.reload({ markup: '25%' });
  const got = await ask(key);
  assert.equal((await until('receipt', async () => { const r = await receiptOf(got.headers['request-id']); return r.status === 200 && r; })).json.charge_nano_usd, list * 1.25);
  assert.deepEqual(await sums(), { list: before.list + list, charged: before.charged + list * 1.25 });
  await stack.reload({ markup: '0%' });
  // the receipt explains its charge by the rates of then
  const { price } = (await receiptOf(got.headers['request-id'])).json;
  assert.deepEqual([price.input_usd_per_million, price.output_usd_per_million], ['3.75', '18.75']);
});
