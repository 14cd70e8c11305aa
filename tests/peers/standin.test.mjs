// The stand-in judges the gateway, so it is judged first: by the official SDKs where it behaves, and
// byte by byte where it does not. DEROUTER_BUILD: where derouter-standin is.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import net from 'node:net';
import path from 'node:path';
import zlib from 'node:zlib';
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { mkdtempSync, readFileSync, rmSync, existsSync } from 'node:fs';
import os from 'node:os';

const root = path.resolve(import.meta.dirname, '../..');
const build = process.env.DEROUTER_BUILD || path.join(root, 'build/check');
const require = createRequire(path.join(root, 'tests/e2e/package.json'));
const Anthropic = require('@anthropic-ai/sdk').default;
const OpenAI = require('openai').default;
const dir = mkdtempSync(path.join(os.tmpdir(), 'standin-'));
let standin;

async function start(...options) {
  const log = path.join(dir, `${Math.random()}.jsonl`);
  const child = spawn(path.join(build, 'derouter-standin'), ['--listen', '127.0.0.1:0', '--log', log, ...options], { stdio: ['ignore', 'pipe', 'inherit'] });
  const address = await new Promise((done, fail) => {
    child.stdout.once('data', (line) => done(String(line).trim().replace('listening ', '')));
    child.once('exit', (code) => fail(new Error(`ended with ${code}`)));
  });
  return {
    url: `http://${address}`,
    port: Number(address.split(':')[1]),
    log: () => (existsSync(log) ? readFileSync(log, 'utf8') : '').split('\n').filter(Boolean).map((line) => JSON.parse(line)),
    stop: () => new Promise((done) => { child.removeAllListeners('exit'); child.once('exit', done); child.kill('SIGTERM'); }),
  };
}

// Everything that comes on one connection, and how it ended. `leave` (text) hangs up when it was seen.
function raw(port, body, { route = '/v1/messages', headers = '', leave, chunked } = {}) {
  return new Promise((done) => {
    const socket = net.connect(port, '127.0.0.1');
    const seen = { text: '', bytes: 0, ms: [], end: 'open', last: Buffer.alloc(0) };
    const from = Date.now();
    const finish = () => { seen.took = Date.now() - from; done(seen); };
    socket.on('data', (piece) => {
      seen.bytes += piece.length;
      seen.ms.push(Date.now() - from);
      if (seen.bytes < 1 << 20) { seen.text += piece; seen.last = Buffer.concat([seen.last, piece]); }
      if (leave && seen.text.includes(leave)) { socket.destroy(); finish(); }
    });
    socket.on('error', (error) => { seen.end = error.code; });
    socket.on('close', () => { if (seen.end === 'open') seen.end = 'FIN'; finish(); });
    const head = `POST ${route} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n${headers}`;
    if (chunked) {
      socket.write(`${head}transfer-encoding: chunked\r\n\r\n`);
      for (const c of body) socket.write(`1\r\n${c}\r\n`);
      socket.write('0\r\n\r\n');
    } else {
      socket.write(`${head}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
    }
  });
}
const ask = (what, more = {}) => JSON.stringify({ model: 'm', max_tokens: 9, messages: [{ role: 'user', content: what }], ...more });
const stream = (what, more = {}) => ask(what, { stream: true, ...more });
const events = (text) => (text.match(/data: ?/g) || []).length;
async function until(ask_) { for (let i = 0; i < 500; i++) { const r = ask_(); if (r) return r; await new Promise((d) => setTimeout(d, 10)); } throw new Error('never'); }

before(async () => { standin = await start('--log-body', '300'); });
after(async () => { await standin.stop(); rmSync(dir, { recursive: true }); });

const anthropic = (more) => new Anthropic({ apiKey: 'k', baseURL: standin.url, maxRetries: 0, ...more });
const openai = (more) => new OpenAI({ apiKey: 'k', baseURL: `${standin.url}/v1`, maxRetries: 0, ...more });
const words = 'word0 word1 word2 word3 word4 ';

test('the SDKs parse whole answers and their usage', async () => {
  const content = '[[tokens in=12 out=34 cache_read=5 cache_write_5m=7 cache_write_1h=2 reasoning=3]]';
  const m = await anthropic().messages.create({ model: 'm', max_tokens: 9, messages: [{ role: 'user', content }] });
  assert.equal(m.content[0].text, words);
  assert.deepEqual([m.usage.input_tokens, m.usage.cache_creation_input_tokens, m.usage.cache_read_input_tokens, m.usage.output_tokens], [12, 9, 5, 34]);
  assert.equal(m.usage.cache_creation.ephemeral_1h_input_tokens, 2);
  const c = await openai().chat.completions.create({ model: 'm', messages: [{ role: 'user', content }] });
  assert.equal(c.choices[0].message.content, words);
  assert.deepEqual([c.usage.prompt_tokens, c.usage.prompt_tokens_details.cached_tokens, c.usage.completion_tokens], [26, 5, 34]);
  const r = await openai().responses.create({ model: 'm', input: content });
  assert.equal(r.output_text, words);
  assert.deepEqual([r.usage.input_tokens, r.usage.input_tokens_details.cached_tokens, r.usage.output_tokens_details.reasoning_tokens], [26, 5, 3]);
  assert.equal((await anthropic().messages.countTokens({ model: 'm', messages: [{ role: 'user', content }] })).input_tokens, 12);
  assert.ok((await openai().models.list()).data.length > 1);
});

for (const kind of ['text', 'tool', 'thinking'])
  for (const shape of ['', 'eol=crlf', 'eol=cr nospace=1', 'comments=1 bom=1', 'gap_ms=2'])
    test(`the SDKs parse streams: ${kind} ${shape}`, async () => {
      const content = `[[stream kind=${kind} ${shape}]] [[tokens in=3 out=7]]`;
      const m = await anthropic().messages.stream({ model: 'm', max_tokens: 9, messages: [{ role: 'user', content }] }).finalMessage();
      assert.equal(m.usage.output_tokens, 7);
      assert.equal(kind === 'tool' ? m.content[0].input.text : m.content[0][kind], words);
      const c = await openai().chat.completions.stream({ model: 'm', messages: [{ role: 'user', content }], stream_options: { include_usage: true } }).finalChatCompletion();
      assert.equal(c.usage.completion_tokens, 7);
      assert.equal(kind === 'tool' ? JSON.parse(c.choices[0].message.tool_calls[0].function.arguments).text : c.choices[0].message.content, words);
      const numbers = [];
      for await (const e of await openai().responses.create({ model: 'm', input: content, stream: true })) {
        numbers.push(e.sequence_number);
        if (e.type === 'response.completed') assert.equal(e.response.usage.output_tokens, 7);
      }
      assert.deepEqual(numbers, numbers.map((_, i) => i));
    });

test('a chat stream has the usage chunk only when it was asked for', async () => {
  const empty = async (more) => { let n = 0; for await (const c of await openai().chat.completions.create({ model: 'm', stream: true, messages: [{ role: 'user', content: 'x' }], ...more })) n += c.choices.length === 0; return n; };
  assert.equal(await empty({}), 0);
  assert.equal(await empty({ stream_options: { include_usage: true } }), 1);
});

for (const [name, status] of [['401', 401], ['402', 402], ['403', 403], ['404', 404], ['408', 408], ['413', 413], ['422', 422], ['429', 429], ['500', 500], ['503', 503], ['504', 504], ['529', 529],
  ['context-length', 400], ['content-filter', 400], ['credit-low', 400], ['insufficient-quota', 429]])
  test(`refusal ${name}, by directive and by model, in both shapes`, async () => {
    const request = { model: `fake-${name}`, max_tokens: 9, messages: [{ role: 'user', content: 'x' }] };
    await assert.rejects(anthropic().messages.create(request), (e) => e.status === status && e.error.type === 'error' && e.error.request_id === e.requestID);
    await assert.rejects(openai().chat.completions.create({ ...request, model: 'm', messages: [{ role: 'user', content: `[[fault ${name} retry-after=3]]` }] }),
      (e) => e.status === status && e.headers.get('retry-after') === '3' && e.type !== undefined);
  });

// fault, body, what must be seen
const rows = [
  ['reset', ask('[[fault reset]]'), (s) => s.end === 'ECONNRESET' && s.bytes === 0],
  ['close', ask('[[fault close]]'), (s) => s.end === 'FIN' && s.bytes === 0],
  ['cut-head', ask('[[fault cut-head]]'), (s) => s.end === 'FIN' && s.bytes > 10 && !s.text.includes('\r\n\r\n')],
  ['reset-head', ask('[[fault reset-head]]'), (s) => !s.text.includes('\r\n\r\n') && s.bytes > 10 && s.line.end === 'reset'],
  ['not-http', ask('[[fault not-http]]'), (s) => s.text.startsWith('SSH-')],
  ['empty', ask('[[fault empty]]'), (s) => /content-length: 0\r\n/.test(s.text)],
  ['wrong-type', ask('[[fault wrong-type]]'), (s) => /content-type: text\/plain/.test(s.text)],
  ['200-html', ask('[[fault 200-html]]'), (s) => /^HTTP\/1.1 200/.test(s.text) && s.text.includes('<html>')],
  ['502-html', ask('[[fault 502-html]]'), (s) => /^HTTP\/1.1 502/.test(s.text) && s.text.includes('<html>')],
  ['302', ask('[[fault 302]]'), (s) => /^HTTP\/1.1 302[^]*location: \/v1\/elsewhere/.test(s.text)],
  ['informational', ask('[[fault informational]]'), (s) => /^HTTP\/1.1 103[^]*\r\n\r\nHTTP\/1.1 200/.test(s.text)],
  ['huge-head', ask('[[fault huge-head=300]]'), (s) => s.bytes > 300 * 1024],
  ['slow-head', ask('[[fault slow-head=150]]'), (s) => s.ms[0] >= 149],
  ['slow-first', stream('[[fault slow-first=150]]'), (s) => s.ms[0] < 140 && s.took >= 149],
  ['short-body', ask('[[fault short-body=7]]'), (s) => Number(/content-length: (\d+)/.exec(s.text)[1]) === s.text.split('\r\n\r\n')[1].length + 7],
  ['chunk-cut', ask('[[fault chunk-cut]]'), (s) => /chunked/.test(s.text) && !s.text.endsWith('0\r\n\r\n')],
  ['bad-chunk', ask('[[fault bad-chunk]]'), (s) => s.text.includes('xyzzy')],
  ['no-length', ask('[[fault no-length]]'), (s) => !/content-length|chunked/.test(s.text) && s.text.endsWith('}')],
  ['two-lengths', ask('[[fault two-lengths]]'), (s) => s.text.match(/content-length/g).length === 2],
  ['truncated-json', ask('[[fault truncated-json]]'), (s) => !s.text.endsWith('}')],
  ['huge-unary', ask('[[fault huge-unary=3]]'), (s) => s.bytes > 3 << 20 && /content-length/.test(s.text)],
  ['huge-unary, chunked', ask('[[fault huge-unary=3 length=0]]'), (s) => s.bytes > 3 << 20 && /chunked/.test(s.text)],
  ['cut-after', stream('[[fault cut-after=3]]'), (s) => events(s.text) === 3 && !s.text.endsWith('0\r\n\r\n') && s.end === 'FIN'],
  ['cut-after by model', stream('x', { model: 'fake/cut-after-4' }), (s) => events(s.text) === 4 && s.end === 'FIN'],
  ['cut-after reset', stream('[[fault cut-after=3 reset=1]]'), (s) => s.line.end === 'reset' && events(s.text) === 3],
  ['cut-bytes', stream('[[fault cut-bytes=17]]'), (s) => s.text.split('\r\n\r\n')[1] === '11\r\nevent: message_st\r\n'],
  ['early-end', stream('[[fault early-end=5]]'), (s) => events(s.text) === 5 && s.text.endsWith('0\r\n\r\n')],
  ['empty-stream', stream('[[fault empty-stream]]'), (s) => s.text.endsWith('\r\n\r\n0\r\n\r\n')],
  ['malformed', stream('[[fault malformed=3]]'), (s) => /"delta":\{"te\n\n/.test(s.text) && s.text.includes('message_stop')],
  ['error-first', stream('[[fault error-first]]'), (s) => /\r\n\r\n[0-9a-f]+\r\nevent: error\n/.test(s.text) && events(s.text) === 1],
  ['error-later', stream('[[fault error-later=4 type=api_error]]'), (s) => events(s.text) === 5 && s.text.includes('"api_error"')],
  ['huge-event', stream('[[fault huge-event=2]]'), (s) => s.bytes > 2 << 20],
  ['huge-line', stream('[[fault huge-line=2]]'), (s) => s.bytes > 2 << 20],
  ['drip', stream('[[fault drip]]'), (s) => (s.text.match(/\r\n1\r\n/g) || []).length > 1000 && s.text.endsWith('0\r\n\r\n')],
  ['split', stream('[[fault split=100 gap_ms=1]]'), (s) => s.ms.length > 5 && s.text.endsWith('0\r\n\r\n')],
  ['no-usage', stream('[[fault no-usage]]'), (s) => !s.text.includes('usage')],
  ['zero-usage', stream('[[fault zero-usage]]'), (s) => s.text.includes('"output_tokens":0') && !s.text.includes('"output_tokens":1')],
  ['delta-nulls', stream('[[fault delta-nulls]]'), (s) => s.text.includes('"usage":{"input_tokens":null')],
  ['unknown fault', ask('[[fault nonsense]]'), (s) => /^HTTP\/1.1 418/.test(s.text)],
  ['a prompt with brackets', ask('a [[link]] and [[1,2],[3]] [['), (s) => /^HTTP\/1.1 200/.test(s.text)],
];
for (const [name, body, holds] of rows)
  test(`fault: ${name}`, async () => {
    const count = standin.log().length;
    const seen = await raw(standin.port, body);
    seen.line = await until(() => standin.log()[count]);
    assert.ok(holds(seen), JSON.stringify({ ...seen, text: seen.text.slice(0, 2000) }));
  });

test('chat: no [DONE] when it is left out, one otherwise', async () => {
  const done = async (what) => (await raw(standin.port, stream(what), { route: '/v1/chat/completions' })).text.includes('[DONE]');
  assert.deepEqual([await done('x'), await done('[[fault no-done]]')], [true, false]);
});

test('gzip is real gzip, unary and stream', async () => {
  for (const [body, end] of [[ask('[[fault gzip]]'), '}'], [stream('[[fault gzip]]'), '\n\n']]) {
    const { last } = await raw(standin.port, body);
    const plain = zlib.gunzipSync(last.subarray(last.indexOf('\r\n\r\n') + 4)).toString();
    assert.ok(plain.includes('word4') && plain.endsWith(end));
  }
});

test('whoever leaves is noted: from silence, from a stall, in a stream, in an upload', async () => {
  const before = standin.log().length;
  await raw(standin.port, stream('[[fault stall-after=4]]'), { leave: 'word0' });
  await raw(standin.port, stream('[[stream events=1000 gap_ms=20]]'), { leave: 'word2' });
  const quiet = net.connect(standin.port, '127.0.0.1', () => {
    quiet.write(`POST /v1/messages HTTP/1.1\r\ncontent-length: ${ask('[[fault silence]]').length}\r\n\r\n${ask('[[fault silence]]')}`, () => setTimeout(() => quiet.destroy(), 50));
  });
  const upload = net.connect(standin.port, '127.0.0.1', () => upload.write('POST /v1/messages HTTP/1.1\r\ncontent-length: 99\r\n\r\n{', () => setTimeout(() => upload.destroy(), 50)));
  const lines = await until(() => standin.log().length >= before + 4 && standin.log().slice(before));
  assert.deepEqual(lines.map((l) => l.end).sort(), ['client-gone', 'client-gone', 'client-gone', 'upload-cut']);
  assert.ok(lines.every((l) => l.closed_early));
});

test('[[fail first=2]] fails twice, then works; counters are apart by id', async () => {
  const statuses = [];
  for (const id of ['a', 'a', 'a', 'b']) statuses.push((await raw(standin.port, ask(`[[fail first=2 id=${id} fault=529]]`))).text.slice(9, 12));
  assert.deepEqual(statuses, ['529', '529', '200', '529']);
});

test('the log has headers, body, checksum and the tokens as answered', async () => {
  const body = ask('[[tokens in=1 out=2 cache_read=3 cache_write_5m=4 cache_write_1h=5]] log-me');
  await raw(standin.port, body, { headers: 'X-Odd: "\\\x01é\r\n', chunked: true });
  const line = await until(() => standin.log().find((l) => l.body?.includes('log-me')));
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(body)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  assert.equal(line.body_fnv1a, hash.toString(16).padStart(8, '0'));
  assert.equal(line.body, body);
  assert.deepEqual(line.tokens, { input: 1, output: 2, cache_read: 3, cache_write_5m: 4, cache_write_1h: 5, searches: 0 });
  assert.equal(line.headers['x-odd'], '"\\\x01é');
});

test('credentials, strictness, at=NAME and a standing fault', async () => {
  const other = await start('--credential', 'good', '--strict', '--name', 'B', '--fault', 'slow-head=1');
  const status = async (body, headers = '') => (await raw(other.port, body, { headers })).text.slice(9, 12);
  assert.equal(await status(ask('x')), '401');
  assert.equal(await status(ask('x'), 'authorization: Bearer good\r\n'), '400');
  assert.equal(await status(ask('x'), 'x-api-key: good\r\nanthropic-version: 2023-06-01\r\n'), '200');
  assert.equal(await status(`${ask('x')}x`, 'x-api-key: good\r\nanthropic-version: 2023-06-01\r\n'), '400');
  assert.equal(await status(ask('[[fault 500 at=A]]'), 'x-api-key: good\r\nanthropic-version: 1\r\n'), '200');
  assert.equal(await status(ask('[[fault 500 at=B]]'), 'x-api-key: good\r\nanthropic-version: 1\r\n'), '500');
  assert.equal(other.log().filter((l) => l.fault === 'slow-head').length, 2);
  await other.stop();
});

test('a connection serves many requests, pipelined ones too, and garbage ends it', async () => {
  const one = ask('x');
  const seen = await new Promise((done) => {
    const socket = net.connect(standin.port, '127.0.0.1');
    let text = '';
    socket.on('data', (piece) => {
      text += piece;
      if ((text.match(/"end_turn"/g) || []).length === 50) socket.write('garbage\r\n\r\n');
    });
    socket.on('close', () => done(text));
    socket.write(`POST /v1/messages HTTP/1.1\r\ncontent-length: ${one.length}\r\n\r\n${one}`.repeat(50));
  });
  assert.equal(seen.match(/HTTP\/1.1 200/g).length, 50);
});
