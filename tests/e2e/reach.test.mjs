// Providers that are compatible in their own way: another path, a query, headers of their own, other names for
// the models; and the key that their credentials are sealed with, changed while they serve.
import test, { before, after } from 'node:test';
import assert from 'node:assert/strict';
import http from 'node:http';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { startStack, call, until } from './stack.mjs';
import { dialects, timeless } from './dialects.mjs';

const MODEL = 'claude-sonnet-4-6', THERE = 'accounts/somebody/deployments/sonnet-with-a-name-that-goes-on-and-on-and-on';
const RENAMED = 'gpt-4.1', PLAIN = 'gpt-5';
let stack, standin, key;

before(async () => {
  stack = await startStack({ workers: 2, lighttpd: false, set: { providers_poll: '100ms', default_rpm: '100000', default_concurrency: '100' } });
  standin = await stack.standin('standin', ['--log-body', '2000']);
  await stack.provider('own-way', standin.url, { models: [MODEL], extra: ['--header', 'api-key', '--query', 'api-version=2024-10-21', '--query', 'x=y',
    '--extra-header', 'OpenAI-Organization: org-1', '--extra-header', 'X-Two: a, b: c'] });
  await stack.provider('renamed', standin.url, { models: [`${RENAMED}=${THERE}`], extra: ['--rename-answers', 'on'] });
  await stack.provider('as-it-is', standin.url, { models: [`${PLAIN}=${THERE}`] });
  key = await stack.key_of(await stack.account_with('100.00'));
  for (const model of [MODEL, RENAMED, PLAIN]) await stack.online(model, key);
});
after(() => stack?.stop());

const ask = (where, model, prompt, extra) => call(stack.nginx, { path: where.path, headers: { 'x-api-key': key }, body: where.body(model, prompt, extra) });
let serial = 0;

for (const [name, where] of Object.entries(dialects))
  test(`${name}: query, headers and the credential's own header reach the provider`, async () => {
    const mark = `mark-${++serial}`;
    assert.equal((await ask(where, MODEL, mark)).status, 200);
    const seen = await until('seen', async () => (await standin.requests()).find((r) => r.body?.includes(mark)));
    assert.equal(seen.path.split('?')[0], where.path);
    if (seen.path.includes('?')) assert.equal(seen.path.split('?')[1], 'api-version=2024-10-21&x=y');
    assert.equal(seen.headers['api-key'], 'test-credential');
    assert.equal(seen.headers['x-api-key'], undefined);
    assert.equal(seen.headers.authorization, undefined);
    assert.equal(seen.headers['openai-organization'], 'org-1');
    assert.equal(seen.headers['x-two'], 'a, b: c');
  });

for (const [name, where] of Object.entries(dialects))
  for (const stream of [false, true])
    for (const fault of ['', '[[fault split=7]]', '[[stream eol=crlf]]'])
      test(`${name} ${stream ? 'stream' : 'unary'} ${fault}: the model's name comes back as it was asked for, all else as it was`, async () => {
        const prompt = `say \\"model\\":\\"${THERE}\\" ${fault} [[stream events=5]]`;
        const renamed = await ask(where, RENAMED, prompt, { stream });
        const plain = await ask(where, PLAIN, prompt, { stream });
        assert.equal(renamed.status, 200, renamed.text.slice(0, 300));
        assert.ok(plain.text.includes(`"model":"${THERE}"`));
        { const at = renamed.text.indexOf(THERE); assert.ok(at < 0, `at ${at}: ${renamed.text.slice(Math.max(0, at - 200), at + 200)}`); }
        assert.equal(timeless(renamed.text), timeless(plain.text).replaceAll(`"model":"${THERE}"`, `"model":"${RENAMED}"`));
        if (!stream) assert.equal(Number(renamed.headers['content-length']), Buffer.byteLength(renamed.text));
      });

test('a probe by hand asks for the whole list of models, and says which of ours are not there', async () => {
  const asked = [], answer = { data: [{ id: 'm1' }, { id: THERE }], has_more: false };
  const server = http.createServer((request, response) => {
    asked.push(request.url);
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
  });
  await new Promise((on) => server.listen(0, '127.0.0.1', on));
  const url = `http://127.0.0.1:${server.address().port}`, models = [`${RENAMED}=${THERE}`, PLAIN];
  await stack.provider('lists', url, { models, dialects: ['anthropic'], extra: ['--query', 'a=b'] });
  await stack.provider('lists-too', url, { models, dialects: ['openai'] });
  try {
    const shown = await stack.json('provider', 'probe', 'lists');
    assert.deepEqual([shown.result, shown.models_listed, shown.models_not_listed], ['alive', '2', PLAIN]);
    answer.has_more = true;
    assert.deepEqual((await stack.json('provider', 'probe', 'lists')).models_not_listed, '');
    assert.equal((await stack.json('provider', 'probe', 'lists-too')).result, 'alive');
    assert.deepEqual(asked, ['/v1/models?a=b&limit=1000', '/v1/models?a=b&limit=1000', '/v1/models']);
  } finally {
    for (const name of ['lists', 'lists-too']) await stack.ctl('provider', 'remove', name);
    server.close();
  }
});

test('the key of the credentials is changed while they are in use', async () => {
  const file = path.join(stack.state, 'secrets.key'), before = readFileSync(file, 'utf8');
  const sealed = async () => (await stack.redis('HGET', '{p:own-way}:provider', 'credential'));
  const old = await sealed();
  const calls = [];
  let going = true;
  const load = (async () => {
    while (going) calls.push((await ask(dialects.messages, MODEL, 'hello')).status);
  })();
  assert.match(await stack.ctl('secrets', 'rotate'), /^3 credentials sealed with a new key$/);
  const after = readFileSync(file, 'utf8');
  assert.notEqual(after, before);
  assert.match(after, /^[0-9a-f]{64}\n$/);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.notEqual(await sealed(), old);
  await until('more calls', () => calls.length > 30);
  going = false;
  await load;
  assert.deepEqual([...new Set(calls)], [200]);
  assert.equal((await standin.requests()).at(-1).headers['api-key'], 'test-credential');
  assert.doesNotMatch(await stack.operatorLog(), /test-credential|[0-9a-f]{64}/);
  // interrupted between the two files: it goes on where it was
  writeFileSync(file, `${'ab'.repeat(32)}\n${after}`, { mode: 0o600 });
  assert.match(await stack.ctl('secrets', 'rotate'), /^3 credentials/);
  assert.equal(readFileSync(file, 'utf8'), `${'ab'.repeat(32)}\n`);
  await until('in force', async () => (await ask(dialects.messages, MODEL, 'hello')).status === 200);
});
