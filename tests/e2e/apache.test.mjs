// Apache with the shipped configurations: the same answers, the same errors, events as they come.
import test, { before, after } from 'node:test';
import assert from 'node:assert/strict';
import http from 'node:http';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { startStack, call, until } from './stack.mjs';
import { startApache, startSharedHosting } from './apache.mjs';
import { dialects } from './dialects.mjs';

const MODEL = 'claude-sonnet-4-6';
let stack, apache, standin, account, key;

before(async () => {
  stack = await startStack({ workers: 2, lighttpd: false });
  standin = await stack.standin();
  await stack.provider('main', standin.url, { models: [MODEL] });
  account = await stack.account_with('100.00');
  key = await stack.key_of(account, '--rpm', '1000');
  await stack.online(MODEL, key);
  apache = await startApache(stack);
});
after(async () => {
  await apache?.stop();
  await stack?.stop();
});

const ask = (where, body, headers = { 'x-api-key': key }) => call(apache.base, { path: where.path, headers, body });

for (const [name, where] of Object.entries(dialects)) {
  test(`${name}: an answer, with either header for the key`, async () => {
    for (const headers of [{ 'x-api-key': key }, { authorization: `Bearer ${key}` }]) {
      const hit = await ask(where, where.body(MODEL, 'hello'), headers);
      assert.equal(hit.status, 200, hit.text);
      assert.match(hit.headers['request-id'], /^req_/);
      assert.equal(hit.headers['x-request-id'], hit.headers['request-id']);
    }
  });

  test(`${name}: events as they come`, async () => {
    const hit = await ask(where, where.body(MODEL, '[[stream events=5 gap_ms=200]]', { stream: true }));
    assert.equal(hit.status, 200, hit.text);
    assert.match(hit.headers['content-type'], /^text\/event-stream/);
    assert.ok(hit.pieces.at(-1).at - hit.pieces[0].at >= 600, JSON.stringify(hit.pieces.map((p) => p.at - hit.pieces[0].at)));
  });

  test(`${name}: errors in its format`, async () => {
    const rows = [
      [{ 'x-api-key': '' }, 'hello', 401, 'Missing API key'],
      [{ 'x-api-key': `${key.slice(0, -1)}!` }, 'hello', 401, 'Invalid API key'],
      [{ 'x-api-key': key }, '[[fault context-length]]', 400],
    ];
    for (const [headers, prompt, status, text] of rows) {
      const hit = await ask(where, where.body(MODEL, prompt), headers);
      assert.equal(hit.status, status, hit.text);
      if (text) assert.equal(hit.json.error.message, text);
      assert.ok(hit.headers['request-id']);
      if (status === 401) assert.equal(hit.headers['x-should-retry'], 'false');
    }
  });
}

test('the SDKs work through it', async () => {
  const claude = new Anthropic({ baseURL: apache.base, apiKey: key });
  const answer = await claude.messages.create({ model: MODEL, max_tokens: 100, messages: [{ role: 'user', content: 'Hello' }] });
  assert.match(answer._request_id, /^req_/);
  const openai = new OpenAI({ baseURL: `${apache.base}/v1`, apiKey: key });
  const stream = await openai.chat.completions.create({ model: MODEL, stream: true, messages: [{ role: 'user', content: 'Hello' }] });
  let n = 0;
  for await (const _ of stream) n++;
  assert.ok(n > 1);
  await assert.rejects(claude.messages.create({ model: 'none', max_tokens: 1, messages: [{ role: 'user', content: 'x' }] }), (error) => error.status === 400 && /is not available/.test(error.message) && /^req_/.test(error.requestID));
});

test('paths and queries arrive as they were written; what is not served is a 404 in JSON', async () => {
  const beta = await call(apache.base, { path: '/v1/messages?beta=true', headers: { 'x-api-key': key }, body: dialects.messages.body(MODEL, 'hello') });
  assert.equal(beta.status, 200, beta.text);
  const model = await call(apache.base, { method: 'GET', path: `/v1/models/${MODEL}`, headers: { 'x-api-key': key } });
  assert.equal(model.json.id, MODEL);
  const none = await call(apache.base, { method: 'GET', path: '/v1/none', headers: { 'x-api-key': key } });
  assert.equal(none.status, 404);
  assert.equal(none.json.error.message, 'Unknown request URL: GET /v1/none');
  const upgrade = await call(apache.base, { method: 'GET', path: '/v1/responses', headers: { 'x-api-key': key, connection: 'Upgrade', upgrade: 'websocket' } });
  assert.equal(upgrade.status, 426);
});

test('a body above the limit is refused, one below it passes', async () => {
  const body = (n) => JSON.stringify(dialects.messages.body(MODEL, 'x'.repeat(n)));
  assert.equal((await ask(dialects.messages, body(4 << 20))).status, 200);
  const hit = await ask(dialects.messages, body(32 << 20));
  assert.equal(hit.status, 413);
});

test('a client that leaves ends the stream, and pays for what it has seen', async () => {
  const own = await stack.key_of(account, '--concurrency', '1', '--rpm', '1000');
  const id = await new Promise((done, fail) => {
    const request = http.request(new URL('/v1/messages', apache.base), { method: 'POST', headers: { 'x-api-key': own, 'content-type': 'application/json' } }, (response) => {
      response.on('error', () => {});
      response.once('data', () => {
        request.destroy();
        done(response.headers['request-id']);
      });
    });
    request.on('error', fail);
    request.end(JSON.stringify(dialects.messages.body(MODEL, '[[stream events=2000 gap_ms=50]]', { stream: true })));
  });
  await until('its slot', async () => (await call(apache.base, { path: '/v1/messages', headers: { 'x-api-key': own }, body: dialects.messages.body(MODEL, 'hello') })).status === 200);
  const receipt = await until('its receipt', () => stack.json('trace', id));
  assert.ok(receipt.charge_nano_usd > 0);
});

test('the operator\'s pages are for the operator, the dashboard for everybody', async () => {
  assert.equal((await call(apache.base, { method: 'GET', path: '/metrics' })).status, 200);
  const page = await call(apache.base, { method: 'GET', path: '/' });
  assert.equal(page.status, 200);
  assert.match(page.headers['content-security-policy'], /default-src 'self'/);
  const script = await call(apache.base, { method: 'GET', path: '/app.js' });
  assert.equal(script.headers['content-type'], 'text/javascript; charset=utf-8');
});

test('shared hosting: Apache starts the responders itself, by .htaccess', async () => {
  const hosting = await startSharedHosting(stack);
  try {
    const { messages } = dialects;
    const hosted = (body, headers = { 'x-api-key': key }) => call(hosting.base, { path: '/v1/messages?beta=true', headers, body });
    await until('its providers', async () => (await hosted(messages.body(MODEL, 'hello'))).status === 200);
    for (const headers of [{ 'x-api-key': key }, { authorization: `Bearer ${key}` }]) {
      const hit = await hosted(messages.body(MODEL, 'hello'), headers);
      assert.equal(hit.status, 200, hit.text);
      assert.match(hit.headers['request-id'], /^req_/);
    }
    const stream = await hosted(messages.body(MODEL, '[[stream events=5 gap_ms=200]]', { stream: true }));
    assert.ok(stream.pieces.at(-1).at - stream.pieces[0].at >= 600, 'events wait');
    assert.equal((await hosted(messages.body(MODEL, 'x'.repeat(4 << 20)))).status, 200);
    const wrong = await hosted(messages.body(MODEL, 'hello'), { 'x-api-key': `${key.slice(0, -1)}!` });
    assert.equal(wrong.status, 401);
    assert.equal(wrong.json.error.message, 'Invalid API key');
    const many = await Promise.all(Array.from({ length: 4 }, () => hosted(messages.body(MODEL, '[[fault slow-head=300]]'))));
    assert.deepEqual(many.map((hit) => hit.status), [200, 200, 200, 200]);
    for (const secret of ['derouter.fcgi', '.htaccess']) {
      const hit = await call(hosting.base, { method: 'GET', path: `/${secret}` });
      assert.ok(!hit.text.includes('exec'), `${secret} is shown`);
    }
  } finally {
    await hosting.stop();
  }
});
