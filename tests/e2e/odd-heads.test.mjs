// Providers whose HTTP is odd: legal but rare, or plainly wrong. What is legal is read as it is meant; what is not is a failed
// attempt, told as one, and nothing of it reaches the next caller. Each row is the bytes that a provider sends.
import test, { before, after } from 'node:test';
import assert from 'node:assert/strict';
import net from 'node:net';
import { startStack, call, until } from './stack.mjs';
import { dialects } from './dialects.mjs';

const MODEL = 'claude-sonnet-4-6', PRICE = 7 * 3000 + 3 * 15000;
let stack, key, account, server, pids;

const answer = JSON.stringify({ id: 'msg_1', type: 'message', role: 'assistant', model: 'm', content: [{ type: 'text', text: 'whole' }], stop_reason: 'end_turn', usage: { input_tokens: 7, output_tokens: 3 } });
const event = (data) => `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`;
const stream = [
  { type: 'message_start', message: { id: 'msg_1', type: 'message', role: 'assistant', model: 'm', content: [], stop_reason: null, usage: { input_tokens: 7, output_tokens: 1 } } },
  { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
  { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'whole' } },
  { type: 'content_block_stop', index: 0 },
  { type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 3 } },
  { type: 'message_stop' },
].map(event).join('');

const chunk = (text) => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
const chunked = (text, end = '0\r\n\r\n') => chunk(text.slice(0, 40)) + chunk(text.slice(40)) + end;
const head = (lines, status = '200 OK', version = 'HTTP/1.1') => `${version} ${status}\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n`;

/*
 * Rows: name, what becomes of it (WHOLE, or status and message), and the bytes, made of the line with the content type and
 * the text of the answer; `hangs`: the provider keeps the connection open.
 */
const WHOLE = [200];
const BAD = [502, 'Provider error'];
const OVERLOADED = [529, 'Upstream API is temporarily overloaded'];
const length = (text) => `content-length: ${Buffer.byteLength(text)}`;
const rows = [
  ['content-length twice, the same', WHOLE, (type, text) => head([type, length(text), length(text)]) + text],
  ['content-length twice, the larger first', BAD, (type, text) => head([type, `content-length: ${text.length + 9}`, length(text)]) + text],
  ['content-length twice, the larger last', BAD, (type, text) => head([type, length(text), `content-length: ${text.length + 9}`]) + text],
  ['a content-length that is a list', BAD, (type, text) => head([type, `content-length: ${text.length}, ${text.length}`]) + text],
  ['a content-length below zero', BAD, (type, text) => head([type, 'content-length: -5']) + text],
  ['a content-length that is no number', BAD, (type, text) => head([type, 'content-length: many']) + text],
  ['a content-length beyond all numbers', BAD, (type, text) => head([type, 'content-length: 99999999999999999999999']) + text],
  ['chunks and a content-length', WHOLE, (type, text) => head([type, 'transfer-encoding: chunked', 'content-length: 5']) + chunked(text)],
  ['100 Continue first', WHOLE, (type, text) => head([], '100 Continue') + head([type, length(text)]) + text],
  ['103 Early Hints with a length of its own', WHOLE, (type, text) => head(['link: </x>; rel=preload', 'content-length: 3'], '103 Early Hints') + head([type, length(text)]) + text],
  ['many informational answers', WHOLE, (type, text) => head([], '102 Processing').repeat(50) + head([type, length(text)]) + text],
  ['informational answers without end', BAD, () => head([`x: ${'y'.repeat(1000)}`], '102 Processing').repeat(600)],
  ['101 Switching Protocols', BAD, (type, text) => head(['upgrade: websocket', 'connection: upgrade'], '101 Switching Protocols') + text],
  ['trailers', WHOLE, (type, text) => head([type, 'transfer-encoding: chunked', 'trailer: x-sum']) + chunked(text, '0\r\nx-sum: 1\r\n\r\n')],
  ['trailers that are headers of an answer', WHOLE, (type, text) => head([type, 'transfer-encoding: chunked']) + chunked(text, '0\r\ncontent-length: 3\r\ncontent-type: text/html\r\n\r\n')],
  ['chunk extensions', WHOLE, (type, text) => head([type, 'transfer-encoding: chunked']) + chunked(text).replaceAll(/^([0-9a-f]+)\r\n/gm, '$1;name=value\r\n')],
  ['chunk sizes with zeros in front', WHOLE, (type, text) => head([type, 'transfer-encoding: chunked']) + chunked(text).replace(/^/, '00000000')],
  ['a first chunk that is garbage', BAD, (type, text) => head([type, 'transfer-encoding: chunked']) + `zz\r\n${text}\r\n0\r\n\r\n`],
  ['a chunk size beyond all numbers', BAD, (type, text) => head([type, 'transfer-encoding: chunked']) + `ffffffffffffffffff\r\n${text}\r\n0\r\n\r\n`],
  ['a transfer coding that nobody knows', BAD, (type, text) => head([type, 'transfer-encoding: lzma']) + text],
  ['HTTP/1.0 without a length', WHOLE, (type, text) => head([type], '200 OK', 'HTTP/1.0') + text],
  ['HTTP/1.0 with a length', WHOLE, (type, text) => head([type, length(text)], '200 OK', 'HTTP/1.0') + text],
  ['HTTP/0.9', BAD, (type, text) => text],
  ['HTTP/7.3', BAD, (type, text) => head([type, length(text)], '200 OK', 'HTTP/7.3') + text],
  ['lines that end with LF alone', WHOLE, (type, text) => (head([type, length(text)])).replaceAll('\r', '') + text],
  ['a folded header', WHOLE, (type, text) => head([type, 'x-folded: a', '  b', length(text)]) + text],
  ['a header without a colon', BAD, (type, text) => head([type, 'nonsense', length(text)]) + text],
  ['a zero byte in a header', BAD, (type, text) => head([type, 'x: a\0b', length(text)]) + text],
  ['blanks around everything', WHOLE, (type, text) => head([`${type.replace(': ', ':  \t')}   `, `Content-Length:   ${text.length}  `]) + text],
  ['capitals', WHOLE, (type, text) => head([type.toUpperCase(), length(text).toUpperCase()]) + text],
  ['a charset', WHOLE, (type, text) => head([`${type} ; charset="utf-8"`, length(text)]) + text],
  ['two content types, the good one first', WHOLE, (type, text) => head([type, 'content-type: text/html', length(text)]) + text],
  ['a head of 60 KB', WHOLE, (type, text) => head([type, ...Array.from({ length: 30 }, (_, i) => `x-${i}: ${'y'.repeat(2000)}`), length(text)]) + text],
  ['a head of 1 MB', BAD, (type, text) => head([type, ...Array.from({ length: 500 }, (_, i) => `x-${i}: ${'y'.repeat(2000)}`), length(text)]) + text],
  ['one header line of 300 KB', BAD, (type, text) => head([type, `x: ${'y'.repeat(300_000)}`, length(text)]) + text],
  ['ten thousand headers', BAD, (type, text) => head([type, ...Array.from({ length: 10_000 }, (_, i) => `x-${i}: y`), length(text)]) + text],
  ['no reason phrase', WHOLE, (type, text) => head([type, length(text)], '200') + text],
  ['status 99', BAD, (type, text) => head([type, length(text)], '99 Odd') + text],
  ['status 600', BAD, (type, text) => head([type, length(text)], '600 Odd') + text],
  ['status 999', BAD, (type, text) => head([type, length(text)], '999 Odd') + text],
  ['204 without a body', BAD, () => head([], '204 No Content')],
  ['205', BAD, (type) => head([type, 'content-length: 0'], '205 Reset Content')],
  ['206, a part of something', BAD, (type, text) => head([type, 'content-range: bytes 0-9/5000', length(text)], '206 Partial Content') + text],
  ['304', BAD, () => head([], '304 Not Modified')],
  ['content-encoding identity', WHOLE, (type, text) => head([type, 'content-encoding: identity', length(text)]) + text],
  ['bytes behind the end', WHOLE, (type, text) => head([type, length(text)]) + text + 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}', { hangs: true }],
  ['a second answer that nobody asked for', WHOLE, (type, text) => head([type, 'transfer-encoding: chunked']) + chunked(text) + head([type, length('{"stolen":1}')]) + '{"stolen":1}', { hangs: true }],
  ['set-cookie, server, hop-by-hop', WHOLE, (type, text) => head([type, 'set-cookie: a=b', 'server: secret-host', 'connection: x-odd', 'x-odd: 1', 'openai-organization: org-secret', length(text)]) + text],
  ['429, Retry-After a date long ago', OVERLOADED, () => refusal('429 Too Many', 'retry-after: Wed, 21 Oct 2015 07:28:00 GMT')],
  ['429, Retry-After below zero', OVERLOADED, () => refusal('429 Too Many', 'retry-after: -30')],
  ['429, Retry-After beyond all numbers', OVERLOADED, () => refusal('429 Too Many', 'retry-after: 99999999999999999999')],
  ['429, Retry-After a year', OVERLOADED, () => refusal('429 Too Many', 'retry-after: 31536000')],
  ['429, Retry-After a date far ahead', OVERLOADED, () => refusal('429 Too Many', 'retry-after: Wed, 21 Oct 2099 07:28:00 GMT')],
  ['429, Retry-After that says nothing', OVERLOADED, () => refusal('429 Too Many', 'retry-after: soon')],
  ['429, Retry-After a fraction', OVERLOADED, () => refusal('429 Too Many', 'retry-after: 0.001')],
  ['429, Retry-After empty', OVERLOADED, () => refusal('429 Too Many', 'retry-after:')],
  ['429, retry-after-ms 0', OVERLOADED, () => refusal('429 Too Many', 'retry-after-ms: 0')],
];
const refusal = (status, line) => {
  const text = JSON.stringify({ type: 'error', error: { type: 'rate_limit_error', message: 'slow down' } });
  return head(['content-type: application/json', line, length(text)], status) + text;
};

before(async () => {
  // Answers the row that the request names, then hangs up unless the row says otherwise.
  server = net.createServer((socket) => {
    let text = '';
    socket.on('error', () => {}).on('data', (piece) => {
      text += piece.toString('latin1');
      const end = text.indexOf('\r\n\r\n'), size = Number(/content-length: (\d+)/i.exec(text)?.[1] ?? 0);
      if (end < 0 || text.length < end + 4 + size) return;
      const n = /row-(\d+)-/.exec(text)?.[1], streams = /"stream":true/.test(text);
      text = '';
      const row = n === undefined ? ['', WHOLE, (type, body) => head([type, length(body)]) + body, { hangs: true }] : rows[n];
      socket.write(row[2](`content-type: ${streams ? 'text/event-stream' : 'application/json'}`, streams ? stream : answer));
      if (!row[3]?.hangs) socket.end();
      if (row[3]?.chatter) {
        const timer = setInterval(() => socket.write(row[3].chatter), 200);
        socket.on('close', () => clearInterval(timer));
      }
    });
  });
  await new Promise((on) => server.listen(0, '127.0.0.1', on));
  server.unref();
  stack = await startStack({ workers: 1, lighttpd: false, set: { providers_poll: '50ms', default_rpm: '100000', default_concurrency: '1000', response_timeout: '3s', total_timeout: '10s', idle_timeout: '60s',
    retry_budget: '1000', breaker_failures: '1000', breaker_window: '100ms', cooldown: '10ms', cooldown_max: '10ms', retry_wait_max: '100ms' } });
  await stack.provider('odd', `http://127.0.0.1:${server.address().port}`, { models: [MODEL] });
  account = await stack.account_with('1000.00');
  key = await stack.key_of(account);
  await stack.online(MODEL, key);
  pids = await stack.workerPids();
});
after(async () => {
  await stack?.stop();
  server?.close();
});

const ask = (prompt, streams) => call(stack.nginx, { headers: { 'x-api-key': key }, body: dialects.messages.body(MODEL, prompt, streams ? { stream: true } : {}) });
const receiptOf = (got) => until('receipt', async () => JSON.parse((await stack.redis('GET', `{a:${account}}:receipt:${got.headers['request-id']}`)) || 'null'));
const isWhole = (got, streams) => {
  assert.equal(got.status, 200, got.text.slice(0, 300));
  assert.equal(got.text, streams ? stream : answer);
};

for (const [i, [name, [status, message]]] of rows.entries())
  for (const streams of [false, true])
    test(`${name}: ${streams ? 'stream' : 'unary'}`, async () => {
      await until('rested', async () => (await ask('plain', streams)).status === 200);
      const got = await ask(`row-${i}-`, streams);
      if (status === 200) isWhole(got, streams);
      else {
        assert.equal(got.status, status, got.text.slice(0, 300));
        assert.equal(got.json.error.message, message);
      }
      assert.doesNotMatch(JSON.stringify(got.headers), /secret|a=b/);
      const receipt = await receiptOf(got);
      assert.equal(receipt.charge_nano_usd, got.status === 200 ? PRICE : 0);
      assert.ok(receipt.attempts.length <= 2, `${receipt.attempts.length} attempts`);
      // the next caller gets its own answer
      await until('well again', async () => {
        const next = await ask('plain', streams);
        if (next.status === 200) isWhole(next, streams);
        return next.status === 200;
      });
    });

// All is said, and the connection stays open, silent or with more of what means nothing: the caller is not kept waiting.
for (const chatter of ['', ': still here\n\n'])
  test(`a stream that does not end after its last event${chatter && ', and chatters on'}`, async () => {
    const row = rows.length;
    rows.push(['', WHOLE, (type, text) => head([type]) + text, { hangs: true, chatter }]);
    const started = Date.now();
    const got = await ask(`row-${row}-`, true);
    assert.ok(Date.now() - started < 15_000, `${Date.now() - started} ms`);
    assert.equal(got.status, 200);
    assert.equal(got.text.replaceAll(chatter || '\0', ''), stream);
    const receipt = await receiptOf(got);
    assert.equal(receipt.charge_nano_usd, PRICE);
    assert.equal(receipt.end, '--');
    assert.equal(receipt.attempts[0].outcome ?? 'ok', 'ok');
  });

test('nothing stays behind', async () => {
  await until('no slot taken', async () => (await stack.redis('ZCARD', '{p:odd}:running')) === '0');
  assert.deepEqual(await stack.workerPids(), pids);
});
