// What costs more than its tokens: a vendor's tool with a price is counted and charged, one without is refused before a
// provider is asked, and so is sound.
import test, { before, after } from 'node:test';
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { startStack, call, root, until } from './stack.mjs';
import { dialects } from './dialects.mjs';

const CLAUDE = 'claude-sonnet-4-6', GPT = 'gpt-5.1', PLAIN = 'gpt-4.1-mini'; // the last one's searches have no price
const SEARCH = 10_000_000; // nano-USD each, of both vendors
const USAGE = '[[tokens in=1000 out=500 searches=3]]';
const TOKENS = { [CLAUDE]: 1000 * 3000 + 500 * 15000, [GPT]: 1000 * 1250 + 500 * 10000 };
const SEEKER = { name: 'seeker', display_name: 'Seeker', owned_by: 'openai', created: '2026-01-01', context: 100000, max_output: 1000, always_searches: true,
  prices: [{ effective_from: '2026-01-01', source: 'this test', input: '1.00', output: '2.00', web_search: '0.03' }] };
let stack, standin, key, dir;

before(async () => {
  dir = await mkdtemp(path.join(os.tmpdir(), 'derouter-extras-'));
  const { models } = JSON.parse(await readFile(path.join(root, 'config/models.json'), 'utf8'));
  await writeFile(path.join(dir, 'models.json'), JSON.stringify({ models: [...models, SEEKER] }));
  stack = await startStack({ workers: 1, lighttpd: false, set: { default_rpm: '100000', models_file: path.join(dir, 'models.json') } });
  standin = await stack.standin();
  await stack.provider('main', standin.url, { models: [CLAUDE, GPT, PLAIN, SEEKER.name] });
  key = await stack.key_of(await stack.account_with('10.00'));
  await stack.online(GPT, key);
});
after(async () => {
  await stack?.stop();
  await rm(dir, { recursive: true, force: true });
});

const ask = (where, model, extra, prompt = USAGE) => call(stack.nginx, { path: where.path, headers: { 'x-api-key': key }, body: where.body(model, prompt, extra) });
const receiptOf = (got) => until('receipt', () => stack.json('trace', got.headers['request-id']));
const tools = (...types) => ({ tools: types.map((type) => ({ type, name: 'x' })) });

const searching = {
  messages: { model: CLAUDE, extra: tools('web_search_20250305'), searches: 3 },
  chat: { model: GPT, extra: { web_search_options: {} }, searches: 1 }, // it names no number: one for each answer
  responses: { model: GPT, extra: tools('web_search'), searches: 3 },
};

for (const [name, { model, extra, searches }] of Object.entries(searching))
  for (const stream of [false, true])
    test(`${name} ${stream ? 'stream' : 'unary'}: searches are counted and charged`, async () => {
      const got = await ask(dialects[name], model, { ...extra, stream });
      assert.equal(got.status, 200, got.text);
      const receipt = await receiptOf(got);
      assert.equal(receipt.usage.web_searches, searches);
      assert.equal(receipt.estimated, false);
      assert.equal(receipt.charge_nano_usd, TOKENS[model] + searches * SEARCH);
    });

test('a responses stream that is cut is charged for the searches that were done', async () => {
  const got = await ask(dialects.responses, GPT, { ...tools('web_search'), stream: true }, `${USAGE} [[stream events=20]] [[fault cut-after=8]]`);
  assert.match(got.text, /response\.failed/);
  const receipt = await receiptOf(got);
  assert.equal(receipt.usage.web_searches, 3);
  assert.equal(receipt.estimated, true);
  assert.ok(receipt.charge_nano_usd > 3 * SEARCH);
});

test('what a chat did not ask for is not charged', async () => {
  assert.equal((await receiptOf(await ask(dialects.chat, GPT, tools('function')))).charge_nano_usd, TOKENS[GPT]);
});

test('a model that searches for every answer is charged a search for each, and none where there was no answer', async () => {
  const receipt = await receiptOf(await ask(dialects.chat, SEEKER.name, {}));
  assert.equal(receipt.usage.web_searches, 1);
  assert.equal(receipt.charge_nano_usd, 1000 * 1000 + 500 * 2000 + 30_000_000);
  assert.equal((await receiptOf(await ask(dialects.chat, SEEKER.name, {}, '[[fault context-length]]'))).charge_nano_usd, 0);
});

const refused = [
  ['messages', CLAUDE, tools('custom', 'code_execution_20260521'), 'tools[1].type: "code_execution_20260521"'],
  ['messages', CLAUDE, tools('advisor_20260301'), 'tools[0].type: "advisor_20260301"'],
  ['responses', GPT, tools('file_search'), 'tools[0].type: "file_search"'],
  ['responses', GPT, tools('code_interpreter'), 'tools[0].type: "code_interpreter"'],
  ['responses', PLAIN, tools('web_search'), 'tools[0].type: "web_search"'],
  ['chat', PLAIN, { web_search_options: {} }, 'web_search_options'],
  ['chat', GPT, { modalities: ['text', 'audio'] }, 'modalities: "audio"'],
  ['chat', GPT, { audio: { voice: 'alloy', format: 'wav' } }, 'audio'],
  ['chat', GPT, { messages: [{ role: 'user', content: [{ type: 'input_audio', input_audio: { data: '', format: 'wav' } }] }] }, 'messages[].content[].type: "input_audio"'],
];

test('what has no price is a 400 that names the field, and no provider hears of it', async () => {
  const before = (await standin.requests()).length;
  for (const [name, model, extra, field] of refused) {
    const got = await ask(dialects[name], model, extra);
    assert.equal(got.status, 400, `${field}: ${got.text}`);
    assert.equal(got.json.error.type, 'invalid_request_error');
    assert.equal(got.json.error.message, `${field} is not offered for this model`);
  }
  assert.equal((await standin.requests()).length, before);
});
