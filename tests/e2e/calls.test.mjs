// Calls as they should go: every dialect, unary and streamed, through both web servers, with the SDKs that
// people use; what is metered, what is exposed, and what never crosses to the other side.
import test, { before, after } from 'node:test';
import assert from 'node:assert/strict';
import http from 'node:http';
import { startStack, call, until } from './stack.mjs';
import { dialects, events, timeless } from './dialects.mjs';

const MODEL = 'claude-sonnet-4-6'; // 3.00 in, 15.00 out, 0.30 cache read; 3.75 and 6.00 cache writes
let stack, standin, account, key;

before(async () => {
  stack = await startStack({ workers: 2, set: { default_rpm: '100000', default_concurrency: '100' } });
  standin = await stack.standin('standin', ['--log-body', '65536']);
  await stack.provider('main', standin.url, { models: [MODEL] });
  await stack.provider('mapped', standin.url, { models: ['gpt-4o=fake/ok-there'] });
  account = await stack.account_with('100.00');
  key = await stack.key_of(account);
  await stack.online(MODEL, key);
  await stack.online('gpt-4o', key);
});
after(() => stack?.stop());

const bearer = (k = key) => ({ authorization: `Bearer ${k}` });
const ask = (where, prompt, { base = stack.nginx, model = MODEL, extra, headers } = {}) =>
  call(base, { path: where.path, headers: { ...bearer(), ...headers }, body: where.body(model, prompt, extra) });
async function usageOf(k) {
  return [await stack.json('usage', account, '--key', k.split('-').at(-2))].flat()[0];
}
const CACHED = '[[tokens in=25 out=15 cache_read=7]] [[stream events=5]]';
const USED = { requests: 1, input_tokens: 25, output_tokens: 15, cache_creation_input_tokens: 0, cache_read_input_tokens: 7, cost_nano_usd: 25 * 3000 + 15 * 15000 + 7 * 300 };

async function usageBecomes(k, wanted) {
  await until('usage booked', async () => (await usageOf(k)).requests === wanted.requests);
  const got = await usageOf(k);
  for (const [name, value] of Object.entries(wanted)) assert.equal(Number(got[name]), value, name);
}

function checkHeaders(headers, where) {
  assert.match(headers.get('request-id'), /^req_[0-9a-z]+$/);
  assert.equal(headers.get('x-request-id'), headers.get('request-id'));
  const limit = where.anthropic ? 'anthropic-ratelimit-requests-limit' : 'x-ratelimit-limit-requests';
  assert.equal(headers.get(limit), '100000');
  assert.ok(headers.get(limit.replace('limit', 'remaining').replace('rateremaining', 'ratelimit')));
  assert.match(headers.get('x-derouter-balance-remaining'), /^\d+(\.\d+)?$/);
  assert.ok(headers.get('x-derouter-concurrency-remaining'));
  assert.equal(headers.get('x-derouter-provider-attempts'), '1');
}

for (const server of ['nginx', 'lighttpd'])
  for (const [name, where] of Object.entries(dialects))
    for (const sdk of Object.keys(where.clients('http://127.0.0.1', 'x'))) {
      test(`${server} ${name} ${sdk}: unary`, async () => {
        const own = await stack.key_of(account);
        const client = where.clients(stack[server], own)[sdk];
        const { data, response } = await where.ask(client, where.body(MODEL, CACHED)).withResponse();
        assert.equal(where.textOf(data), 'word0 word1 word2 word3 word4 ');
        assert.match(data._request_id, /^req_/);
        assert.equal(data._request_id, response.headers.get('request-id'));
        assert.ok(response.headers.get('content-length'));
        checkHeaders(response.headers, where);
        await usageBecomes(own, USED);
      });
      test(`${server} ${name} ${sdk}: stream`, async () => {
        const own = await stack.key_of(account);
        const client = where.clients(stack[server], own)[sdk];
        const { data, response } = await where.ask(client, where.body(MODEL, CACHED, { stream: true })).withResponse();
        let text = '', last;
        for await (const event of data) {
          text += where.deltaOf(event) ?? '';
          if (where.terminal(event)) last = event;
        }
        assert.equal(text, 'word0 word1 word2 word3 word4 ');
        assert.ok(last, 'the terminal event');
        checkHeaders(response.headers, where);
        await usageBecomes(own, USED);
      });
    }

test('cache writes of both lifetimes have their own prices', async () => {
  for (const stream of [false, true]) {
    const own = await stack.key_of(account);
    const got = await ask(dialects.messages, '[[tokens in=25 out=15 cache_read=7 cache_write_5m=5 cache_write_1h=3]]', { headers: bearer(own), extra: { stream } });
    assert.equal(got.status, 200);
    await usageBecomes(own, { ...USED, cache_creation_input_tokens: 8, cost_nano_usd: USED.cost_nano_usd + 5 * 3750 + 3 * 6000 });
    const receipt = await stack.json('trace', got.headers['request-id']);
    assert.equal(receipt.usage.cache_write_5m, 5);
    assert.equal(receipt.usage.cache_write_1h, 3);
    assert.equal(receipt.charge_nano_usd, USED.cost_nano_usd + 5 * 3750 + 3 * 6000);
    assert.equal(receipt.estimated, false);
  }
});

// Each delta carries the time it was written at, by the clock that this process reads too.
async function arrivals(base, where) {
  const seen = [];
  const body = JSON.stringify(where.body(MODEL, '[[stream events=6 gap_ms=150 stamp=1]]', { stream: true }));
  await new Promise((done, fail) => {
    const request = http.request(new URL(where.path, base), { method: 'POST', headers: { ...bearer(), 'content-type': 'application/json' } }, (response) => {
      response.setEncoding('utf8');
      response.on('data', (piece) => {
        const now = Number(process.hrtime.bigint() / 1000n);
        for (const stamp of piece.matchAll(/"(?:text|content|delta)":"@(\d+)@/g)) seen.push({ sent: Number(stamp[1]), came: now });
      });
      response.on('end', done).on('error', fail);
    });
    request.on('error', fail).end(body);
  });
  return seen;
}
for (const server of ['nginx', 'lighttpd'])
  for (const [name, where] of Object.entries(dialects))
    test(`${server} ${name}: each event arrives before the next one is sent`, () =>
      until('event by event', async () => {
        const seen = (await arrivals(stack[server], where)).slice(0, 6);
        assert.equal(seen.length, 6);
        return seen.slice(1).every((next, i) => seen[i].came < next.sent);
      }, 10));

test('chat: usage stands in the stream only for those who asked for it', async () => {
  const without = events((await ask(dialects.chat, CACHED, { extra: { stream: true } })).text);
  assert.equal(without.at(-1), '[DONE]');
  for (const event of without.slice(0, -1)) {
    assert.equal(event.choices.length, 1);
    assert.equal(event.usage ?? null, null);
  }
  const withUsage = events((await ask(dialects.chat, CACHED, { extra: { stream: true, stream_options: { include_usage: true } } })).text);
  const extra = withUsage.at(-2);
  assert.deepEqual(extra.choices, []);
  assert.equal(extra.usage.prompt_tokens, 32);
  assert.equal(extra.usage.prompt_tokens_details.cached_tokens, 7);
  for (const off of [{ include_usage: false }, null, {}]) {
    const got = await ask(dialects.chat, CACHED, { extra: { stream: true, stream_options: off } });
    assert.ok(events(got.text).slice(0, -1).every((event) => event.choices.length === 1), JSON.stringify(off));
  }
  const asked = (await standin.requests()).filter((r) => r.path === '/v1/chat/completions' && r.stream);
  assert.ok(asked.length > 0 && asked.every((r) => r.include_usage));
});

test('a stream cut at every size has the same bytes and the same usage', async () => {
  for (const where of Object.values(dialects)) {
    const own = await stack.key_of(account);
    const whole = timeless((await ask(where, `${CACHED} [[stream utf8=1]]`, { extra: { stream: true }, headers: bearer(own) })).text);
    assert.match(whole, /[^\x00-\x7f]/);
    const sizes = [...Array.from({ length: 24 }, (_, i) => i + 1), 31, 32, 33, 63, 64, 65, 100, 127, 128, 129, 200, 255, 256, 257, 500, 1000];
    for (let i = 0; i < sizes.length; i += 10)
      await Promise.all(sizes.slice(i, i + 10).map(async (size) => {
        const got = await ask(where, `${CACHED} [[stream utf8=1]] [[fault split=${size}]]`, { extra: { stream: true }, headers: bearer(own) });
        assert.equal(timeless(got.text), whole, `split=${size}`);
      }));
    const n = sizes.length + 1;
    await usageBecomes(own, { requests: n, input_tokens: 25 * n, output_tokens: 15 * n, cache_read_input_tokens: 7 * n, cost_nano_usd: USED.cost_nano_usd * n });
  }
});

test('what a stream says passes through unchanged', async () => {
  for (const where of [dialects.messages, dialects.responses])
    for (const spelling of ['eol=crlf', 'eol=cr', 'nospace=1', 'bom=1', 'comments=1', 'kind=thinking', 'kind=tool', 'events=50 bytes=5000']) {
      const body = where.body(MODEL, `[[stream ${spelling}]]`, { stream: true });
      const direct = await call(standin.url, { path: where.path, headers: { 'anthropic-version': '2023-06-01' }, body });
      const got = await call(stack.nginx, { path: where.path, headers: { ...bearer(), 'anthropic-version': '2023-06-01' }, body });
      assert.equal(timeless(got.text), timeless(direct.text), `${where.path} ${spelling}`);
    }
});

test('models: one list that both SDKs read, in pages', async () => {
  const { messages, chat } = dialects;
  for (const base of [stack.nginx, stack.lighttpd]) {
    const names = [];
    for await (const model of messages.clients(base, key)['@anthropic-ai/sdk'].models.list({ limit: 1 })) names.push(model.id);
    assert.deepEqual(names.sort(), [MODEL, 'gpt-4o']);
    const list = await chat.clients(base, key).openai.models.list();
    assert.deepEqual(list.data.map((m) => m.id).sort(), [MODEL, 'gpt-4o']);
    assert.ok(list.data.every((m) => m.object === 'model' && m.created > 0 && m.owned_by));
    const one = await chat.clients(base, key)['openai-4'].models.retrieve(MODEL);
    assert.equal(one.id, MODEL);
    const missing = await call(base, { method: 'GET', path: '/v1/models/claude-opus-4-8', headers: bearer() });
    assert.equal(missing.status, 404);
  }
  const first = await call(stack.nginx, { method: 'GET', path: '/v1/models?limit=1', headers: bearer() });
  assert.equal(first.json.has_more, true);
  const second = await call(stack.nginx, { method: 'GET', path: `/v1/models?limit=1&after_id=${first.json.last_id}`, headers: bearer() });
  assert.equal(second.json.has_more, false);
  assert.notEqual(second.json.data[0].id, first.json.data[0].id);
  const back = await call(stack.nginx, { method: 'GET', path: `/v1/models?before_id=${second.json.first_id}`, headers: bearer() });
  assert.deepEqual(back.json.data.map((m) => m.id), [first.json.first_id]);
});

test('key: limits, budget and balance of the calling key', async () => {
  const own = await stack.key_of(account, '--rpm', '7', '--concurrency', '3', '--budget', '2.50', '--budget-period', 'month', '--name', 'mine');
  await ask(dialects.chat, CACHED, { headers: bearer(own) });
  await usageBecomes(own, USED);
  const got = await call(stack.nginx, { method: 'GET', path: '/v1/key', headers: { 'x-api-key': own } });
  assert.equal(got.status, 200);
  assert.deepEqual(got.json.rpm, { limit: 7, remaining: 6 });
  assert.deepEqual(got.json.concurrency, { limit: 3, remaining: 3 });
  assert.equal(got.json.budget.period, 'month');
  assert.equal(Number(got.json.budget.limit_usd), 2.5);
  assert.equal(Number(got.json.budget.spent_usd), USED.cost_nano_usd / 1e9);
  assert.equal(Number(got.json.budget.held_usd), 0);
  assert.equal(got.json.name, 'mine');
});

test('count_tokens is free, and counted by nothing', async () => {
  const own = await stack.key_of(account, '--rpm', '1', '--concurrency', '1');
  const hits = await Promise.all(Array.from({ length: 18 }, () =>
    call(stack.nginx, { path: '/v1/messages/count_tokens?beta=true', headers: bearer(own), body: { model: MODEL, messages: [{ role: 'user', content: 'hello' }] } })));
  for (const hit of hits) {
    assert.equal(hit.status, 200, hit.text);
    assert.ok(hit.json.input_tokens > 0);
  }
  assert.equal((await ask(dialects.messages, CACHED, { headers: bearer(own) })).status, 200);
  await usageBecomes(own, USED);
});

test('browsers may call: preflight, and request ids exposed', async () => {
  for (const base of [stack.nginx, stack.lighttpd]) {
    const got = await call(base, { method: 'OPTIONS', path: '/v1/messages', headers: { origin: 'https://example.org', 'access-control-request-method': 'POST', 'access-control-request-headers': 'x-api-key,content-type' } });
    assert.equal(got.status, 204);
    assert.equal(got.headers['access-control-allow-origin'], '*');
    assert.match(got.headers['access-control-allow-headers'], /\*|x-api-key/i);
    const answer = await ask(dialects.messages, 'hello', { base, headers: { origin: 'https://example.org' } });
    assert.equal(answer.headers['access-control-allow-origin'], '*');
    assert.match(answer.headers['access-control-expose-headers'], /request-id/);
    const plain = await ask(dialects.messages, 'hello', { base });
    assert.equal(plain.headers['access-control-allow-origin'], undefined, 'nobody but a browser needs it');
  }
});

test('a model has another name at the provider', async () => {
  for (const where of Object.values(dialects)) {
    const got = await ask(where, 'mapped', { model: 'gpt-4o' });
    assert.equal(got.status, 200, got.text);
    const seen = await until('in the log', async () => (await standin.requests()).findLast((r) => r.path === where.path && r.body?.includes('mapped')));
    assert.equal(seen.model, 'fake/ok-there');
    assert.ok(!seen.body.includes('gpt-4o'));
  }
});

test('headers cross by the list, both ways', async () => {
  const headers = { ...bearer(), 'x-api-key': key, cookie: 'secret=1', 'anthropic-version': '2026-10-21', 'anthropic-beta': 'one-2025,two-2026', 'x-stainless-lang': 'js', 'x-claude-code-session-id': 'session-1', 'user-agent': 'agent/1', 'x-forwarded-for': '10.1.2.3', 'x-private': 'mine', 'accept-encoding': 'gzip, br', traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' };
  for (const base of [stack.nginx, stack.lighttpd])
    for (const where of Object.values(dialects)) {
      const mark = `mark-${Math.random()}`;
      const got = await call(base, { path: where.path, headers, body: where.body(MODEL, mark) });
      assert.equal(got.status, 200);
      const seen = await until('in the log', async () => (await standin.requests()).find((r) => r.body?.includes(mark)));
      assert.ok(!JSON.stringify(seen).includes(key), "the caller's key");
      for (const name of ['cookie', 'x-forwarded-for', 'x-private']) assert.equal(seen.headers[name], undefined, name);
      assert.equal(seen.headers['accept-encoding'], 'identity');
      assert.ok(JSON.stringify(seen.headers).includes('test-credential'));
      for (const name of ['x-stainless-lang', 'x-claude-code-session-id', 'user-agent', 'traceparent', ...(where.anthropic ? ['anthropic-version', 'anthropic-beta'] : [])])
        assert.equal(seen.headers[name], headers[name], name);
      for (const name of Object.keys(got.headers))
        assert.match(name, /^(content-type|content-length|date|server|connection|keep-alive|transfer-encoding|vary|request-id|x-request-id|x-ratelimit-(limit|remaining|reset)-requests|anthropic-ratelimit-requests-(limit|remaining|reset)|x-derouter-.*|access-control-.*|openai-processing-ms|cache-control)$/);
    }
});

test('one line in the access log for each request, with its cost', async () => {
  const got = await ask(dialects.messages, CACHED);
  const line = await until('access log', async () => (await stack.accessLog()).find((l) => l.req === got.headers['request-id']));
  assert.equal(line.status, 200);
  assert.equal(line.nano_usd, USED.cost_nano_usd);
  assert.ok(line.end.startsWith('-'));
  const all = (await stack.accessLog()).map((l) => l.req);
  assert.equal(new Set(all).size, all.length);
});
