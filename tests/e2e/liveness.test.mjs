// Providers that come, rest, are flagged and come back: heartbeats of their nodes, the watcher's probes, schedules.
// Each test has a model of its own, and so providers of its own. What takes minutes in life are short settings here.
import test, { before, after } from 'node:test';
import assert from 'node:assert/strict';
import http from 'node:http';
import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { startStack, call, until, root } from './stack.mjs';
import { dialects } from './dialects.mjs';

const { messages, chat } = dialects;
const OFFLINE = 'No providers are currently online';
const RESTING = 'All providers are in scheduled rest';
let stack, standin;

before(async () => {
  stack = await startStack({
    workers: 2,
    set: {
      heartbeat_ttl: '3s', heartbeat_gap: '0s', providers_poll: '50ms', rest_lead: '5m', watcher_ttl: '3s', probe_interval: '100ms',
      probe_backoff_max: '200ms', probe_timeout: '5s', response_timeout: '10s', default_rpm: '100000', default_concurrency: '1000', breaker_failures: '1000',
    },
  });
  standin = await stack.standin('standin', ['--credential', 'test-credential']);
});
after(() => stack?.stop());

const add = (name, model, { url = standin.url, ...rest } = {}, ...extra) => stack.provider(name, url, { models: [model], ...rest, extra });
const ask = (model, { prompt = 'hello', extra, where = messages, base = stack.nginx } = {}) =>
  call(base, { path: where.path, headers: { 'x-api-key': stack.key }, body: where.body(model, prompt, extra) });
const beat = (token, body = {}, { base = stack.nginx, headers = {} } = {}) =>
  call(base, { path: '/provider/v1/heartbeat', headers: { ...(token && { authorization: `Bearer ${token}` }), ...headers }, body });
const offered = async (model) => {
  const { json } = await call(stack.nginx, { method: 'GET', path: '/v1/models', headers: { 'x-api-key': stack.key } });
  return json.data.some((m) => m.id === model);
};
// Every responder answers so: each is asked many times over.
async function everybodySays(what, ask, good) {
  await until(what, async () => {
    const hits = await Promise.all(Array.from({ length: 12 }, ask));
    const bad = hits.find((hit) => !good(hit));
    if (bad) throw new Error(`${bad.status} retry-after ${bad.headers['retry-after']}: ${bad.text.slice(0, 300)}`);
    return true;
  });
}
// Heartbeats until stopped.
function node(token, body = {}) {
  let stopped = false;
  const answers = [];
  const done = (async () => {
    while (!stopped) {
      answers.push(await beat(token, typeof body === 'function' ? body() : body));
      await new Promise((on) => setTimeout(on, 100));
    }
  })();
  return { answers, stop: () => ((stopped = true), done) };
}
const secondsOf = (hit) => Number(hit.headers['retry-after']);

test('a node that beats is there, one that stops is not, and it comes back', async () => {
  const model = 'claude-opus-4-8';
  await add('beats', model, {}, '--liveness', 'node');
  const token = await stack.ctl('provider', 'token', 'beats');
  await everybodySays('never heard', () => ask(model), (h) => h.status === 503 && h.json.error.message === OFFLINE && secondsOf(h) === 5);
  await everybodySays('the token is known', () => beat(token), (h) => h.status === 200);
  await everybodySays('lapsed', () => ask(model), (h) => h.status === 503);
  for (let round = 0; round < 2; round++) {
    const alive = node(token, { version: `v${round}`, models: [model] });
    await everybodySays('beating', () => ask(model), (h) => h.status === 200);
    assert.ok(await offered(model));
    const shown = await stack.json('provider', 'show', 'beats');
    assert.equal(shown.state, 'alive');
    assert.match(shown.why, /^heartbeat \d+ s ago$/);
    assert.equal(shown.node, `v${round}`);
    await alive.stop();
    for (const answer of alive.answers) assert.equal(answer.status, 200, answer.text);
    await everybodySays('silent', () => ask(model), (h) => h.status === 503 && h.json.error.message === OFFLINE);
    assert.ok(!(await offered(model)));
    assert.equal((await stack.json('provider', 'show', 'beats')).state, 'offline');
  }
});

test('a heartbeat is checked: token, form, rate; and answered as errors of /v1 are', async () => {
  const model = 'claude-haiku-4-5';
  await add('checked', model, {}, '--liveness', 'node');
  const first = await stack.ctl('provider', 'token', 'checked');
  for (const base of [stack.nginx, stack.lighttpd]) {
    await everybodySays('the token is known', () => beat(first, {}, { base }), (h) => h.status === 200);
    const good = await beat(first, { models: [model, 'moon'], free: 3, version: '1.0', resting_at: 0 }, { base });
    assert.deepEqual(good.json, { object: 'heartbeat', provider: 'checked', ttl_ms: 3000, models: [model] });
    const rows = [
      [undefined, {}, 401, 'Missing provider token', null],
      ['drp_nonsense', {}, 401, 'Invalid provider token', 'invalid_token'],
      [first.replace(/^drp_./, 'drp_0').replace(/^drp_00/, 'drp_01'), {}, 401, 'Invalid provider token', 'invalid_token'],
      [first.replace('checked', 'nobody'), {}, 401, 'Invalid provider token', 'invalid_token'],
      [stack.key, {}, 401, 'Invalid provider token', 'invalid_token'],
      [first, { colour: 'red' }, 400, 'colour: unknown field', 'unsupported_parameter'],
      [first, { free: -1 }, 400, /^free: want/, 'unsupported_parameter'],
      [first, '{', 400, /at byte/, null],
      [first, { models: ['m'.repeat(128)].concat(Array(600).fill('x'.repeat(120))) }, 413, /limit of 65536 bytes/, null],
    ];
    for (const [token, body, status, message, code] of rows) {
      const hit = await beat(token, body, { base, headers: { 'anthropic-version': '2023-06-01' } });
      assert.equal(hit.status, status, hit.text);
      if (message instanceof RegExp) assert.match(hit.json.error.message, message);
      else assert.equal(hit.json.error.message, message);
      assert.equal(hit.json.error.code, code);
      assert.equal(hit.json.error.param, null); // OpenAI's shape, whatever the headers say
      assert.match(hit.headers['request-id'], /^req_/);
      assert.equal(hit.headers['request-id'], hit.headers['x-request-id']);
      if (status === 401) assert.equal(hit.headers['x-should-retry'], 'false');
    }
    const wrongMethod = await call(base, { method: 'GET', path: '/provider/v1/heartbeat' });
    assert.equal(wrongMethod.status, 405);
  }
  const second = await stack.ctl('provider', 'token', 'checked');
  await everybodySays('the new token is in force', () => beat(second), (h) => h.status === 200);
  await everybodySays('the old one is not', () => beat(first), (h) => h.status === 401);
  await stack.reload({ heartbeat_gap: '60s' });
  try {
    const hits = [];
    for (let i = 0; i < 6; i++) hits.push(await beat(second));
    const often = hits.filter((h) => h.status === 429);
    assert.ok(often.length >= 3, hits.map((h) => h.status).join()); // one a minute and responder
    assert.equal(often[0].json.error.message, 'Heartbeats of one provider must be 60000 ms apart');
    assert.equal(often[0].headers['retry-after'], '1');
  } finally {
    await stack.reload({ heartbeat_gap: '0s' });
  }
});

test('a node narrows models and requests at a time, and is believed', async () => {
  const [one, two] = ['claude-opus-4-6', 'claude-sonnet-4-5'];
  await stack.provider('narrow', standin.url, { models: [one, two], extra: ['--liveness', 'node'] });
  const token = await stack.ctl('provider', 'token', 'narrow');
  let says = { models: [two] };
  const alive = node(token, () => says);
  await everybodySays('the model that it has', () => ask(two), (h) => h.status === 200);
  await everybodySays('the one that it has not', () => ask(one), (h) => h.status === 503 && h.json.error.message === OFFLINE);
  says = { models: [one, two], free: 0 };
  await everybodySays('full', () => ask(one), (h) => h.status === 503 && h.json.error.message === 'All providers are at max concurrency' && secondsOf(h) === 2);
  says = {};
  await everybodySays('all of it', () => ask(one), (h) => h.status === 200);
  await alive.stop();
});

test('a node that goes to rest takes no new streams, then nothing; what runs ends whole', async () => {
  const model = 'claude-sonnet-4-6';
  await add('tired', model, {}, '--liveness', 'node');
  const token = await stack.ctl('provider', 'token', 'tired');
  const says = {};
  const alive = node(token, () => says);
  await everybodySays('awake', () => ask(model, { extra: { stream: true } }), (h) => h.status === 200);
  const running = ask(model, { prompt: '[[stream events=40 gap_ms=50]]', extra: { stream: true } });
  const now = () => Math.floor(Date.now() / 1000);
  says.resting_at = now() + 120;
  await everybodySays('no new streams', () => ask(model, { extra: { stream: true } }), (h) => h.status === 503 && h.json.error.message === RESTING);
  await everybodySays('one answer is soon over', () => ask(model), (h) => h.status === 200);
  says.resting_at = now() - 1;
  await everybodySays('at rest', () => ask(model), (h) => h.status === 503 && h.json.error.message === RESTING && secondsOf(h) === 60);
  assert.equal((await stack.json('provider', 'show', 'tired')).state, 'resting');
  await alive.stop();
  const whole = await running;
  assert.equal(whole.status, 200);
  assert.match(whole.text, /event: message_stop/);
  await everybodySays('silent, and still at rest', () => ask(model), (h) => h.status === 503 && h.json.error.message === RESTING);
  delete says.resting_at;
  const again = node(token, () => says);
  await everybodySays('awake again', () => ask(model, { extra: { stream: true } }), (h) => h.status === 200);
  await again.stop();
});

test('the script for node owners keeps a node alive, and tells of its rest when it is ended', async () => {
  const model = 'claude-opus-4-7';
  await add('scripted', model, {}, '--liveness', 'node');
  const file = path.join(stack.state, 'node-token');
  await writeFile(file, `${await stack.ctl('provider', 'token', 'scripted')}\n`, { mode: 0o600 });
  const script = path.join(root, 'nginx-example/heartbeat');
  const args = ['--url', stack.nginx, '--token-file', file, '--models', `${model},moon`, '--free', 'echo 7', '--version', 'curl', '--every', '1'];
  const child = spawn(script, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  child.stderr.on('data', (piece) => (said += piece));
  child.stdout.on('data', (piece) => (said += piece));
  const ended = new Promise((on) => child.on('exit', on));
  await everybodySays('alive', () => ask(model), (h) => h.status === 200);
  // once what the calls took is given back; until then it counts as running beside the 7
  await until('its 7 are shown', async () => /^heartbeat \d+ s ago, its node takes 7 at a time$/.test((await stack.json('provider', 'show', 'scripted')).why));
  child.kill('SIGTERM');
  assert.equal(await ended, 0, said);
  await everybodySays('at rest', () => ask(model), (h) => h.status === 503 && h.json.error.message === RESTING);
});

test('a probe flags a bad credential before any caller meets it, and the good one lifts the flag', async () => {
  const model = 'gpt-4.1';
  await add('probed', model, { dialects: ['openai'] }, '--liveness', 'probe');
  const chatAsk = () => ask(model, { where: chat });
  await everybodySays('good', chatAsk, (h) => h.status === 200);
  await stack.ctlWithInput('wrong\n', 'provider', 'credential', 'probed', '--credential-file', '-');
  // the two responders and the watcher's own copy of the directory
  const told = async () => (await stack.operatorLog()).match(/probed: out of rotation: a probe's credential was refused/g)?.length;
  await until('flagged', async () => (await told()) === stack.workers + 1);
  assert.equal((await stack.json('provider', 'show', 'probed')).state, 'flagged');
  const seen = (await standin.requests()).filter((r) => r.path?.startsWith('/v1/chat') && r.status === 401).length;
  await everybodySays('flagged', chatAsk, (h) => h.status === 502 && h.json.error.message === 'Provider authentication failed');
  const met = (await standin.requests()).filter((r) => r.path?.startsWith('/v1/chat') && r.status === 401).length;
  assert.equal(met, seen); // nobody was sent there to find out
  await stack.ctlWithInput('test-credential\n', 'provider', 'credential', 'probed', '--credential-file', '-');
  await everybodySays('good again', chatAsk, (h) => h.status === 200);
});

// In front of the stand-in: its list of models fails as it is told.
async function front() {
  const state = { models: 200, posts: 0 };
  const server = http.createServer((request, response) => {
    if (request.method === 'GET') {
      response.writeHead(state.models, { 'content-type': 'application/json' }).end('{"data":[]}');
      return;
    }
    state.posts++;
    const to = http.request(new URL(request.url, standin.url), { method: request.method, headers: request.headers }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    request.pipe(to);
  });
  await new Promise((on) => server.listen(0, '127.0.0.1', on));
  server.unref();
  return Object.assign(state, { url: `http://127.0.0.1:${server.address().port}`, stop: () => server.close() });
}

test('what answers no probe is out; without the watcher it is taken for alive, with it out again', async () => {
  const model = 'gpt-5.5';
  const upstream = await front();
  await add('watched', model, { url: upstream.url, dialects: ['openai'] }, '--liveness', 'probe');
  const chatAsk = () => ask(model, { where: chat });
  await everybodySays('there', chatAsk, (h) => h.status === 200);
  upstream.models = 500;
  await everybodySays('out', chatAsk, (h) => h.status === 503 && h.json.error.message === OFFLINE);
  const shown = await stack.json('provider', 'show', 'watched');
  assert.equal(shown.state, 'offline');
  assert.match(shown.why, /probes failed, the last \d+ s ago: HTTP 500$/);
  process.kill(await stack.watcherPid(), 'SIGKILL');
  await everybodySays('taken for alive', chatAsk, (h) => h.status === 200);
  assert.match((await stack.json('provider', 'show', 'watched')).why, /no watcher/);
  await stack.startWatcher();
  await everybodySays('out again', chatAsk, (h) => h.status === 503);
  upstream.models = 200;
  await everybodySays('there again', chatAsk, (h) => h.status === 200);
  upstream.models = 404; // a server without a list of models is a server
  const probe = await stack.json('provider', 'probe', 'watched');
  assert.equal(probe.result, 'alive');
  assert.equal(probe.status, 404);
  upstream.stop();
});

test('a schedule is kept, and says when it ends', async () => {
  const model = 'claude-fable-5';
  const clock = (minutes) => new Date(Date.now() + minutes * 60000).toISOString().slice(11, 16);
  await add('scheduled', model, {}, '--rest', `${clock(-2)}-${clock(30)}`);
  await everybodySays('at rest', () => ask(model), (h) => h.status === 503 && h.json.error.message === RESTING && secondsOf(h) === 60);
  const shown = await stack.json('provider', 'show', 'scheduled');
  assert.equal(shown.state, 'resting');
  assert.match(shown.why, /^wakes 20/);
  await add('second', model);
  await everybodySays('another is awake', () => ask(model), (h) => h.status === 200);
  await stack.ctl('provider', 'disable', 'second');
  // within rest_lead (5 minutes) of its rest: no streams
  await stack.ctl('provider', 'set', 'scheduled', '--rest', `${clock(3)}-${clock(33)}`);
  await everybodySays('no new streams', () => ask(model, { extra: { stream: true } }), (h) => h.status === 503 && h.json.error.message === RESTING && secondsOf(h) === 60);
  await everybodySays('but answers', () => ask(model), (h) => h.status === 200);
});
