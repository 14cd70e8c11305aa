// Which provider serves: conversations stay with theirs, what is exhausted falls back where that is wanted, and
// an outage is not made worse by trying again.
import test, { before, after } from 'node:test';
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { startStack, call, until, root } from './stack.mjs';
import { dialects } from './dialects.mjs';

const SHARED = 'claude-sonnet-4-6', FIRST = 'first-choice', SECOND = 'second-choice', ALONE = 'claude-haiku-4-5', N = 5;
let stack, key, account, models, standins;

before(async () => {
  models = mkdtempSync(path.join(os.tmpdir(), 'derouter-models-'));
  const list = JSON.parse(readFileSync(path.join(root, 'config/models.json'), 'utf8'));
  const row = (name, input, output, extra) => ({ ...list.models.find((m) => m.name === SHARED), name, aliases: [], ...extra,
    prices: [{ effective_from: '2026-01-01', source: 'test', input, output, cache_read: '0', cache_write_5m: '0', cache_write_1h: '0' }] });
  list.models.push(row(FIRST, '1.00', '2.00', { fallback: [SECOND] }), row(SECOND, '10.00', '20.00'));
  writeFileSync(path.join(models, 'models.json'), JSON.stringify(list));
  stack = await startStack({ workers: 2, lighttpd: false, set: { models_file: path.join(models, 'models.json'), providers_poll: '50ms', default_rpm: '100000', default_concurrency: '1000',
    cooldown: '10ms', cooldown_max: '10ms', breaker_failures: '1000', breaker_window: '100ms' } });
  standins = [];
  for (let i = 0; i < N; i++) {
    standins.push(await stack.standin(`s${i}`, ['--name', `s${i}`, '--log-body', '300']));
    await stack.provider(`s${i}`, standins[i].url, { models: [SHARED] });
  }
  await stack.provider('first', 'http://127.0.0.1:9', { models: [FIRST] });
  await stack.provider('second', standins[0].url, { models: [SECOND] });
  await stack.provider('alone', standins[1].url, { models: [ALONE] });
  account = await stack.account_with('1000.00');
  key = await stack.key_of(account);
  await stack.online(SECOND, key);
});
after(async () => {
  await stack?.stop();
  rmSync(models, { recursive: true, force: true });
});

const ask = (where, model, prompt, extra = {}, headers = {}, with_ = key) =>
  call(stack.nginx, { path: where.path, headers: { 'x-api-key': with_, ...headers }, body: { ...where.body(model, prompt), ...extra } });
const receiptOf = (got) => until('receipt', async () => JSON.parse((await stack.redis('GET', `{a:${account}}:receipt:${got.headers['request-id']}`)) || 'null'));

test('the turns of a conversation find the provider that the first one found', async () => {
  const conversations = 60, turns = 5, homes = new Map();
  let strayed = 0;
  const count = Array.from({ length: N }, () => 0);
  const one = async (c) => {
    const where = Object.values(dialects)[c % 3];
    for (let turn = 0; turn < turns; turn++) {
      const mark = `conv-${c}-turn-${turn}-`;
      const extra = c % 3 === 1 ? { messages: [{ role: 'user', content: `conversation ${c}` }, ...Array.from({ length: turn }, (_, i) => ({ role: 'assistant', content: `answer ${i}` })), { role: 'user', content: mark }] }
        : c % 3 === 2 ? { prompt_cache_key: `session-${c}` } : {};
      const got = await ask(where, SHARED, mark, extra, c % 3 === 0 ? { 'x-claude-code-session-id': `session-${c}` } : {});
      assert.equal(got.status, 200, got.text);
    }
  };
  for (let c = 0; c < conversations; c += 6) await Promise.all(Array.from({ length: 6 }, (_, i) => one(c + i)));
  for (let i = 0; i < N; i++)
    for (const request of await standins[i].requests()) {
      const found = /conv-(\d+)-turn/.exec(request.body ?? '');
      if (!found) continue;
      count[i]++;
      if (!homes.has(found[1])) homes.set(found[1], new Map());
      homes.get(found[1]).set(i, (homes.get(found[1]).get(i) ?? 0) + 1);
    }
  assert.equal(homes.size, conversations);
  for (const where of homes.values()) strayed += turns - Math.max(...where.values());
  assert.ok(strayed <= conversations * turns * 0.05, `${strayed} turns strayed`);
  assert.ok(count.every((n) => n > 0), String(count));
});

for (const [name, where] of Object.entries(dialects))
  for (const stream of [false, true])
    test(`${name} ${stream ? 'stream' : 'unary'}: a model that is exhausted falls back to the one that is named, at its price`, async () => {
      const got = await ask(where, FIRST, '[[tokens in=100 out=10]]', { stream });
      assert.equal(got.status, 200, got.text);
      assert.ok(got.text.includes(`"model":"${SECOND}"`));
      const receipt = await receiptOf(got);
      assert.equal(receipt.model_asked, FIRST);
      assert.equal(receipt.model_served, SECOND);
      assert.equal(receipt.charge_nano_usd, 100 * 10000 + 10 * 20000);
      assert.ok(receipt.hold_nano_usd >= 10 * 20000); // at the dearer one's price
    });

test('a key that may not use the fallback is told how its model fares', async () => {
  const mine = await stack.key_of(account, '--models', FIRST);
  const got = await ask(dialects.messages, FIRST, 'hello', {}, {}, mine);
  assert.equal(got.status, 503);
  assert.equal(got.json.error.message, 'No providers are currently online');
});

test("a caller's own fault does not fall back", async () => {
  const got = await ask(dialects.messages, SECOND, '[[fault context-length]]');
  assert.equal(got.status, 400);
  assert.equal((await receiptOf(got)).attempts.length, 1);
});

test('second attempts are a share of what is served, whatever fails', async () => {
  const before = (await standins[1].requests()).filter((r) => r.model === ALONE).length;
  const calls = 600;
  for (let i = 0; i < calls; i += 50) await Promise.all(Array.from({ length: 50 }, () => ask(dialects.messages, ALONE, '[[fault 500]]')));
  const asked = (await standins[1].requests()).filter((r) => r.model === ALONE).length - before;
  // two responders: 100 saved up each, a fifth of what is served, ten a second
  assert.ok(asked > calls && asked < calls * 1.8, `${asked} for ${calls}`);
});
