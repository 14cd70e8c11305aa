// The fault matrix: whatever a provider does wrong, in all three dialects, unary and streamed, with one
// provider and with three. For each: what the client gets, who was asked how often, what it cost, and that
// nothing stays behind. A row says of what kind its fault is; the kind says what must happen.
import test, { before, after } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import http from 'node:http';
import https from 'node:https';
import path from 'node:path';
import { readFileSync, writeFileSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import { startStack, call, until, root } from './stack.mjs';
import { dialects, events } from './dialects.mjs';

const TOKENS = { in: 1000, out: 50 };
const FULL_PRICE = 1000n * 3000n + 50n * 15000n; // nano-USD of these tokens at 3.00 and 15.00 a million

/*
 * Kinds. `alone`: [status, text] with one provider, `tries` how often it is asked then; `moves`: with
 * another one left the client notices nothing. What a kind says of a stream's middle is told in the stream.
 */
const kinds = {
  fine: { tries: 1 },
  once: { tries: 2, moves: true }, // fails the first time only
  refused: { alone: [503, 'No providers are currently online'], tries: 2, moves: true },
  server: { alone: [502, /./], tries: 2, moves: true },
  bare: { alone: [502, 'Provider error'], tries: 2, moves: true },
  silent: { alone: [504, 'Provider timed out'], tries: 1, moves: true },
  overloaded: { alone: [529, 'Upstream API is temporarily overloaded'], tries: 2, moves: true },
  resting: { alone: [529, 'Upstream API is temporarily overloaded'], tries: 1, moves: true }, // for longer than one waits
  auth: { alone: [502, 'Provider authentication failed'], tries: 1, moves: true },
  caller: { tries: 1, passes: true },
  middle: { tries: 1, told: 'Provider error' },
  stalled: { tries: 1, told: 'Provider timed out' },
  theirs: { tries: 1, told: /./ }, // the provider's own words
  early: { tries: 1, told: /./, free: true }, // ... before it produced anything
};

/*
 * Rows: name, kind of unary, kind of stream (null: there is no such thing), directive, and where needed
 * `set`: providers of its own, since what happens rests or flags them; `only`: its dialect; `url`: not the
 * stand-in's.
 */
const rows = [
  ['no fault', 'fine', 'fine', ''],
  ['connection refused', 'refused', 'refused', '', { set: 'refused', url: () => 'http://127.0.0.1:9' }],
  ['TLS failure', 'refused', 'refused', '', { set: 'tls', url: () => `https://127.0.0.1:${untrusted.address().port}` }],
  ['DNS failure', 'refused', 'refused', '', { set: 'dns', url: () => 'http://no-such-host.invalid' }],
  ['reset before the head', 'refused', 'refused', 'reset'],
  ['closed before the head', 'refused', 'refused', 'close'],
  ['reset inside the head', 'refused', 'refused', 'reset-head'],
  ['cut inside the head', 'refused', 'refused', 'cut-head'],
  ['401', 'auth', 'auth', '401', { set: '401' }],
  ['403', 'auth', 'auth', '403', { set: '403' }],
  ['credit too low', 'auth', 'auth', 'credit-low', { set: 'credit', only: 'messages' }],
  ['quota used up', 'auth', 'auth', 'insufficient-quota', { set: 'quota', only: 'chat' }],
  ['429', 'overloaded', 'overloaded', '429', { set: '429' }],
  ['429 with Retry-After', 'resting', 'resting', '429 retry-after=30', { set: '429-30' }],
  ['500 once', 'once', 'once', 'ONCE'],
  ['500', 'server', 'server', '500'],
  ['502', 'server', 'server', '502'],
  ['504', 'server', 'server', '504'],
  ['503', 'overloaded', 'overloaded', '503', { set: '503' }],
  ['529', 'overloaded', 'overloaded', '529', { set: '529' }],
  ['502 in HTML', 'bare', 'bare', '502-html'],
  ['200 in HTML', 'bare', 'bare', '200-html'],
  ['redirect', 'bare', 'bare', '302'],
  ['not HTTP', 'bare', 'bare', 'not-http'],
  ['two lengths', 'bare', 'bare', 'two-lengths'],
  ['empty body', 'bare', 'bare', 'empty'],
  ['wrong content type', 'bare', 'bare', 'wrong-type'],
  ['no content type', 'bare', 'bare', 'no-type'],
  ['gzip that nobody asked for', 'bare', 'bare', 'gzip'],
  ['silence', 'silent', 'silent', 'silence'],
  ['slow head', 'fine', 'fine', 'slow-head=400'],
  ['slow first token', 'fine', 'fine', 'slow-first=400'],
  ['informational answer first', 'fine', 'fine', 'informational'],
  ['cut', 'bare', 'middle', 'cut-bytes=1500'],
  ['cut between events', null, 'middle', 'cut-after=4'],
  ['reset between events', null, 'middle', 'cut-after=4 reset=1'],
  ['chunk cut off', 'bare', 'fine', 'chunk-cut'], // a stream has said all by then
  ['shorter than its length', 'bare', null, 'short-body'],
  ['stops early, cleanly', 'bare', 'middle', 'EARLY'],
  ['an empty stream', null, 'bare', 'empty-stream'],
  ['stall', null, 'stalled', 'stall-after=4'],
  ['byte by byte', 'fine', 'fine', 'drip'],
  ['a malformed event', null, 'fine', 'malformed=4'],
  ['an error event first', null, 'server', 'error-first type=api_error failed=1'],
  ['overloaded, as the first event', null, 'overloaded', 'error-first type=overloaded_error failed=1', { set: 'first', only: 'messages' }],
  ['an error event later', null, 'theirs', 'error-later=8 type=api_error failed=1'],
  ['an error event after message_start', null, 'early', '', { set: 'apart', only: 'messages', url: () => scripted('apart') }],
  ['an error event together with message_start', null, 'server', '', { set: 'together', only: 'messages', url: () => scripted('together') }],
  ['an error event after response.created', null, 'server', 'error-later=1 type=api_error failed=1', { only: 'responses' }],
  ['an error event after a ping', null, 'server', '', { set: 'ping', only: 'messages', url: () => scripted('ping') }],
  ['no [DONE]', null, 'fine', 'no-done', { only: 'chat' }],
  ['a huge event', null, 'fine', 'huge-event=2'],
  ['a huge answer', 'fine', null, 'huge-unary=12'],
  ['context too long', 'caller', 'caller', 'context-length'],
  ['content filter', 'caller', 'caller', 'content-filter'],
  ['model unknown there', 'caller', 'caller', '404'],
  ['422', 'caller', 'caller', '422'],
];
const setOf = (row) => row[4]?.set ?? 'plain';
const sets = [...new Map(rows.map((row) => [setOf(row), row[4]])).entries()];

let stack, account, key, standins, workers, models, untrusted, opening;

// Opens a stream of Messages, and then says that it failed.
const scripted = (how) => `http://127.0.0.1:${opening.address().port}/${how}`;

// Models of the tests: m-SET-one has one provider, m-SET-three has three.
function writeModels() {
  const list = JSON.parse(readFileSync(path.join(root, 'config/models.json'), 'utf8'));
  const base = list.models.find((m) => m.name === 'claude-sonnet-4-6');
  const made = sets.flatMap(([set]) => ['one', 'three'].map((n) => ({ ...base, name: `m-${set}-${n}`, aliases: [] })));
  writeFileSync(path.join(models, 'models.json'), JSON.stringify({ ...list, models: [...list.models, ...made] }));
  return made.map((m) => m.name);
}

before(async () => {
  models = mkdtempSync(path.join(os.tmpdir(), 'derouter-models-'));
  const names = writeModels();
  const [certificate, secret] = ['cert.pem', 'key.pem'].map((name) => path.join(models, name));
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=127.0.0.1', '-days', '2', '-keyout', secret, '-out', certificate], { stdio: 'ignore' });
  untrusted = https.createServer({ key: readFileSync(secret), cert: readFileSync(certificate) }, (_, response) => response.end('nobody trusts me'));
  await new Promise((done) => untrusted.listen(0, '127.0.0.1', done));
  opening = http.createServer((request, response) => {
    const event = (name, data) => `event: ${name}\ndata: ${JSON.stringify({ type: name, ...data })}\n\n`;
    const begun = event('message_start', { message: { id: 'msg_1', type: 'message', role: 'assistant', model: 'm', content: [], stop_reason: null, usage: { input_tokens: 10, output_tokens: 1 } } });
    const failed = event('error', { error: { type: 'api_error', message: 'out of sorts' } });
    const how = request.url.split('/')[1];
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    if (how === 'together') return response.end(begun + failed);
    response.write(how === 'ping' ? event('ping') : begun);
    return setTimeout(() => response.end(failed), 100);
  });
  await new Promise((done) => opening.listen(0, '127.0.0.1', done));
  stack = await startStack({
    workers: 2, lighttpd: false,
    set: {
      models_file: path.join(models, 'models.json'), providers_poll: '50ms', default_rpm: '100000', default_concurrency: '1000',
      response_timeout: '3s', total_timeout: '30s', failover_after: '30s', idle_timeout: '3s', connect_timeout: '2s',
      retry_budget: '1000', breaker_failures: '1000', breaker_doubt: '0s', breaker_window: '100ms', cooldown: '10ms', cooldown_max: '1500ms', retry_wait_max: '500ms',
    },
  });
  standins = {};
  for (const name of ['one', 'a', 'b', 'c']) standins[name] = await stack.standin(name, ['--name', name, '--log-body', '512']);
  account = await stack.account_with('1000.00');
  key = await stack.key_of(account);
  const add = (set, name, model, priority, url) =>
    stack.provider(`${set}-${name}`, url, { models: [model], extra: ['--priority', String(priority)] });
  for (const [set, extra] of sets) {
    const url = (name) => (extra?.url ? extra.url(standins[name].url) : standins[name].url);
    await Promise.all([
      add(set, 'one', `m-${set}-one`, 1, url('one')),
      add(set, 'a', `m-${set}-three`, 1, url('a')),
      // where the fault is the address itself, the others are good
      add(set, 'b', `m-${set}-three`, 2, standins.b.url),
      add(set, 'c', `m-${set}-three`, 3, standins.c.url),
    ]);
  }
  for (const name of names) await stack.online(name, key);
  workers = await stack.workerPids();
});
after(async () => {
  await stack?.stop();
  untrusted?.close();
  opening?.close();
  if (models) rmSync(models, { recursive: true, force: true });
});

let serial = 0;
const tries = new Map(); // mark: most attempts at one provider
// Ask; `at`: only that stand-in misbehaves.
async function ask(where, model, fault, at, stream) {
  const mark = `case-${++serial}-`;
  const one = fault === 'ONCE' ? `fail first=1 id=${mark} fault=500` : fault === 'EARLY' ? `fault ${stream ? 'early-end=4' : 'truncated-json'}` : fault && `fault ${fault}`;
  const prompt = `${mark} [[tokens in=${TOKENS.in} out=${TOKENS.out}]] [[stream events=8 bytes=300${fault.includes('later') ? ' gap_ms=40' : ''}]] ${one ? `[[${one}${at ? ` at=${at}` : ''}]]` : ''}`;
  const started = Date.now();
  const got = await call(stack.nginx, { path: where.path, headers: { 'x-api-key': key }, body: where.body(model, prompt, stream ? { stream: true } : {}) });
  const receipt = await until('receipt', async () => JSON.parse((await stack.redis('GET', `{a:${account}}:receipt:${got.headers['request-id']}`)) || 'null'));
  tries.set(mark, Math.max(...Object.values(asked(receipt)), 0));
  assert.ok(Date.now() - started < 20_000, 'takes too long');
  return { ...got, receipt };
}

const asked = (receipt) => {
  const counts = {};
  for (const { provider } of receipt.attempts) counts[provider.split('-').at(-1)] = (counts[provider.split('-').at(-1)] ?? 0) + 1;
  return counts;
};

function checkWhole(where, got, stream, charged = FULL_PRICE) {
  assert.equal(got.status, 200, got.text.slice(0, 400));
  if (stream) {
    const list = got.text.split(/\r?\n\r?\n/).filter((block) => !/^event: x?malformed|^data: \{[^}]*$/.test(block));
    assert.match(list.join('\n'), where.anthropic ? /message_stop/ : where.path.endsWith('responses') ? /response\.completed/ : /finish_reason":"stop"/);
    assert.doesNotMatch(got.text, /"error":\{/);
  } else {
    assert.ok(where.textOf(got.json).length > 0);
    assert.equal(Number(got.headers['content-length']), Buffer.byteLength(got.text));
  }
  assert.equal(BigInt(got.receipt.charge_nano_usd), charged);
  assert.equal(got.receipt.estimated, false);
}

function checkError(where, got, [status, text]) {
  assert.equal(got.status, status, got.text.slice(0, 400));
  assert.match(got.headers['content-type'], /^application\/json/);
  const { error } = got.json;
  if (text instanceof RegExp) assert.match(error.message, text);
  else assert.equal(error.message, text);
  if (where.anthropic) assert.equal(got.json.request_id, got.headers['request-id']);
  else assert.deepEqual(Object.keys(error).sort(), ['code', 'message', 'param', 'type']);
  assert.equal(got.receipt.charge_nano_usd, 0);
}

// The head was out: the trouble is the last thing in the stream, which does not look complete.
function checkTold(where, got, { told, free }) {
  assert.equal(got.status, 200, got.text.slice(0, 400));
  const last = events(got.text).at(-1);
  const error = where.failed(last);
  assert.ok(error, got.text.slice(-400));
  if (told instanceof RegExp) assert.match(error.message, told);
  else assert.equal(error.message, told);
  assert.doesNotMatch(got.text, /\[DONE\]|message_stop|response\.completed/);
  const charge = BigInt(got.receipt.charge_nano_usd);
  assert.ok((charge > 0n || free) && charge <= 1000n * 3000n + 700n * 15000n, `charged ${charge}`);
}

function checkPassed(where, got) {
  assert.ok(got.status >= 400 && got.status < 500, String(got.status));
  assert.ok(got.json.error.message.length > 0);
  assert.equal(where.anthropic ? got.json.type : 'error', 'error');
  assert.equal(got.receipt.charge_nano_usd, 0);
}

function checkOutcome(where, got, kind, stream, alone) {
  if (kind.told) checkTold(where, got, kind);
  else if (kind.passes) checkPassed(where, got);
  else if (kind.alone && alone) checkError(where, got, kind.alone);
  else checkWhole(where, got, stream);
}

// A set of its own was rested or flagged: make it good again before the next case.
async function recover(set, kind) {
  if (kind === kinds.auth)
    for (const name of ['one', 'a', 'b', 'c']) await stack.ctl('provider', 'enable', `${set}-${name}`);
  for (const n of ['one', 'three'])
    await until(`${set} ${n} again`, async () => {
      const hits = await Promise.all(Array.from({ length: 4 }, () =>
        call(stack.nginx, { headers: { 'x-api-key': key }, body: dialects.messages.body(`m-${set}-${n}`, 'hello') })));
      const first = n === 'one' ? 'one' : 'a';
      const receipts = await Promise.all(hits.map(async (hit) => JSON.parse((await stack.redis('GET', `{a:${account}}:receipt:${hit.headers['request-id']}`)) || 'null')));
      return receipts.every((r, i) => hits[i].status === 200 && r?.attempts.length === 1 && r.attempts[0].provider === `${set}-${first}`);
    });
}

async function oneRow([name, unary, streamed, fault, extra], where, stream) {
  const kind = kinds[stream ? streamed : unary], set = extra?.set ?? 'plain';
  const rests = kind.alone && extra?.set && !extra.url;

  const alone = await ask(where, `m-${set}-one`, fault, '', stream);
  checkOutcome(where, alone, kind, stream, true);
  assert.deepEqual(asked(alone.receipt), { one: kind.tries });
  if (rests) await recover(set, kind);

  const moved = await ask(where, `m-${set}-three`, fault, 'a', stream);
  checkOutcome(where, moved, kind, stream, false);
  assert.deepEqual(asked(moved.receipt), kind.moves ? { a: 1, b: 1 } : { a: 1 }, name);
  if (rests) await recover(set, kind);
  if (kind.alone && kind.moves && !extra?.url) {
    const all = await ask(where, `m-${set}-three`, fault, '', stream);
    checkOutcome(where, all, kind, stream, true);
    assert.deepEqual(asked(all.receipt), { a: 1, b: 1, c: 1 });
    if (rests) await recover(set, kind);
  }
}

// One case after another within a set that is rested or flagged; the others side by side.
test('the fault matrix', { concurrency: 6 }, async (t) => {
  const chains = new Map(); // by set: when its last case is over
  const tests = [];
  for (const row of rows)
    for (const [dialect, where] of Object.entries(dialects))
      for (const stream of [false, true]) {
        if ((row[4]?.only && row[4].only !== dialect) || row[stream ? 2 : 1] === null) continue;
        const set = setOf(row), turn = set === 'plain' ? undefined : chains.get(set);
        let over;
        chains.set(set, new Promise((done) => (over = done)));
        tests.push(t.test(`${row[0]}: ${dialect}, ${stream ? 'stream' : 'unary'}`, async () => {
          await turn;
          try {
            await oneRow(row, where, stream);
          } finally {
            over();
          }
        }));
      }
  await Promise.all(tests);
});

/*
 * With first_token_timeout the head is held back until the first token, so that what comes before it can still
 * move on: whoever is late, and whoever opens well and then says that it failed.
 */
const heldRows = [
  ['a late first event', 'slow-first=4000', { alone: 'waits', moves: true }],
  ['a late head', 'slow-head=2500', { alone: 'waits', moves: true }],
  ['an opening, then nothing', 'stall-after=1', { alone: [504, 'Provider timed out'], moves: true, tries: 1 }],
  ['an opening, then an error', 'error-later=1 type=api_error failed=1', { alone: [502, /./], moves: true, tries: 2 }],
  ['a first token in time', 'slow-first=50', { alone: 'waits', moves: false }],
  ['tokens, then a stall', 'stall-after=6', { told: 'Provider timed out' }],
];

test('first_token_timeout', { concurrency: 6 }, async (t) => {
  await stack.reload({ first_token_timeout: '400ms', idle_timeout: '5s' });
  const tests = [];
  for (const [name, fault, kind] of heldRows)
    for (const [dialect, where] of Object.entries(dialects))
      tests.push(t.test(`${name}: ${dialect}`, async () => {
        const alone = await ask(where, 'm-plain-one', fault, '', true);
        if (kind.told) checkTold(where, alone, kind);
        else if (kind.alone === 'waits') checkWhole(where, alone, true); // nobody else is there: it is waited for
        else checkError(where, alone, kind.alone);
        assert.deepEqual(asked(alone.receipt), { one: kind.tries ?? 1 });
        const moved = await ask(where, 'm-plain-three', fault, 'a', true);
        if (kind.told) checkTold(where, moved, kind);
        else checkWhole(where, moved, true);
        assert.deepEqual(asked(moved.receipt), kind.moves ? { a: 1, b: 1 } : { a: 1 });
        if (kind.moves && fault.startsWith('slow')) assert.ok(moved.receipt.total_ms < 2400, `${moved.receipt.total_ms} ms`);
      }));
  await Promise.all(tests);
  await stack.reload({ first_token_timeout: '0s', idle_timeout: '3s' });
});

// A kept connection may prove dead only once the request is on it: then it is sent again, over a new one.
test('no attempt reaches a provider more than twice', async () => {
  for (const standin of Object.values(standins)) {
    const counts = new Map();
    for (const request of await standin.requests()) {
      const mark = /case-\d+-/.exec(request.body ?? '')?.[0];
      if (mark) counts.set(mark, (counts.get(mark) ?? 0) + 1);
    }
    assert.ok(counts.size > 0);
    for (const [mark, n] of counts) assert.ok(n <= 2 * tries.get(mark), `${mark} reached ${standin.url} ${n} times in ${tries.get(mark)} attempts`);
  }
});

test('nothing stays behind: no hold, no slot, the same processes, books that add up', async () => {
  await until('all settled', async () => {
    const [held, running] = (await stack.redis('HMGET', `{a:${account}}:account`, 'held', 'running')).split('\n');
    return Number(held) === 0 && Number(running) === 0;
  });
  await until('no slot taken', async () => {
    const names = (await stack.redis('KEYS', '{p:*}:running')).split('\n').filter(Boolean);
    return (await Promise.all(names.map((name) => stack.redis('ZCARD', name)))).every((n) => n === '0');
  });
  assert.deepEqual(await stack.workerPids(), workers);
  const sum = (await stack.json('ledger', account)).reduce((total, row) => total + BigInt(row.nano_usd), 0n);
  assert.equal(sum, BigInt(await stack.redis('HGET', `{a:${account}}:account`, 'balance')));
});
