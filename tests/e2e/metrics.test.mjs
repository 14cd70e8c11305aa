// GET /metrics through both web servers: parsed strictly, true to what was done, growing over restarts, for the operator only.
import test, { before, after } from 'node:test';
import assert from 'node:assert/strict';
import http from 'node:http';
import { startStack, call, until } from './stack.mjs';
import { dialects } from './dialects.mjs';

const { messages, chat } = dialects;
const MODEL = 'claude-sonnet-4-6';
let stack, standin;

before(async () => {
  stack = await startStack({ workers: 2, set: { metrics_interval: '100ms', metrics_dead: '1s', providers_poll: '100ms', max_attempts: '1', breaker_failures: '1000', default_rpm: '100000', default_concurrency: '1000' } });
  standin = await stack.standin();
  await stack.provider('main', standin.url, { models: [MODEL] });
  await stack.online(MODEL);
});
after(() => stack?.stop());

const ask = (prompt, extra, where = messages) => call(stack.nginx, { path: where.path, headers: { 'x-api-key': stack.key }, body: where.body(MODEL, prompt, extra) });

// The text format 0.0.4 as a strict reader takes it: every line is known, every family is declared once before its samples and
// stands together, names and labels are well-formed, no series twice, histograms cumulate and end in +Inf = _count.
function parse(text) {
  assert.ok(text.endsWith('\n'), 'the last line ends');
  const families = new Map();
  const series = new Map();
  let family;
  for (const line of text.slice(0, -1).split('\n')) {
    let m;
    if ((m = /^# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) (.*)$/.exec(line))) {
      assert.ok(!families.has(m[1]), `${m[1]} is declared twice`);
      assert.ok(!/\\(?![\\n])/.test(m[2]), line);
      families.set((family = m[1]), { help: m[2], samples: 0 });
    } else if ((m = /^# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge|histogram|summary|untyped)$/.exec(line))) {
      assert.equal(m[1], family, 'TYPE follows its HELP');
      assert.equal(families.get(family).type, undefined);
      families.get(family).type = m[2];
    } else {
      m = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (-?\d+(?:\.\d+)?|[+-]Inf|NaN)$/.exec(line);
      assert.ok(m, `no sample: ${line}`);
      const { type } = families.get(family);
      const base = type === 'histogram' ? m[1].replace(/_(bucket|sum|count)$/, '') : m[1];
      assert.equal(base, family, `${m[1]} stands outside its family`);
      const labels = {};
      let rest = m[2] ?? '';
      while (rest) {
        const label = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,(?=[a-zA-Z_])|$)/.exec(rest);
        assert.ok(label, `bad labels: ${line}`);
        assert.ok(!(label[1] in labels), line);
        labels[label[1]] = label[2];
        rest = rest.slice(label[0].length);
      }
      const name = `${m[1]}{${Object.entries(labels).sort().map(([k, v]) => `${k}=${v}`).join()}}`;
      assert.ok(!series.has(name), `${name} is there twice`);
      const value = Number(m[3]);
      if (type === 'counter') assert.ok(value >= 0 && Number.isInteger(value), line);
      series.set(name, value);
      families.get(family).samples++;
    }
  }
  for (const [name, { type, samples }] of families) {
    assert.ok(type, `${name} has no type`);
    assert.ok(samples > 0, `${name} has no sample`);
    if (type !== 'histogram') continue;
    let last = 0;
    let bound = -Infinity;
    const buckets = [...series].filter(([s]) => s.startsWith(`${name}_bucket{`));
    for (const [s, value] of buckets) {
      const le = /le=([^,}]+)/.exec(s)[1];
      const at = le === '+Inf' ? Infinity : Number(le);
      assert.ok(at > bound && value >= last, s);
      [last, bound] = [value, at];
    }
    assert.equal(bound, Infinity);
    assert.equal(series.get(`${name}_count{}`), last);
    assert.ok(series.get(`${name}_sum{}`) >= 0);
  }
  return series;
}

async function scrape(base = stack.nginx) {
  const hit = await call(base, { method: 'GET', path: '/metrics' });
  assert.equal(hit.status, 200, hit.text);
  assert.equal(hit.headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8');
  return parse(hit.text);
}
const sum = (series, name, labels = {}) =>
  [...series].filter(([s]) => s.startsWith(`${name}{`) && Object.entries(labels).every(([k, v]) => s.includes(`${k}=${v}`))).reduce((n, [, v]) => n + v, 0);

// Counters never go down, whatever happens in between.
function grows(before, now) {
  for (const [name, value] of before) if (/_total|_bucket|_count/.test(name)) assert.ok((now.get(name) ?? 0) >= value, `${name}: ${value} -> ${now.get(name)}`);
}

test('what was done is what is counted, from every responder and through both web servers', async () => {
  const before = await scrape();
  const money = async () => BigInt(await stack.redis('HGET', `{a:${stack.account}}:account`, 'balance'));
  const balance = await money();
  const hits = await Promise.all([
    ...Array.from({ length: 10 }, () => ask('[[tokens in=7 out=3]]')),
    ...Array.from({ length: 5 }, () => ask('[[tokens in=7 out=3]] [[stream events=3 gap_ms=10]]', { stream: true }, chat)),
    ...Array.from({ length: 2 }, () => ask('[[fault 500]]')),
    call(stack.nginx, { path: '/v1/messages', body: {} }),
    call(stack.nginx, { method: 'GET', path: '/v1/no/such/path/with-an-id-1234' }),
  ]);
  assert.deepEqual(hits.map((h) => h.status), [...Array(15).fill(200), 502, 502, 401, 404]);
  for (const base of [stack.nginx, stack.lighttpd]) {
    const now = await until('all of it', async () => {
      const page = await scrape(base);
      grows(before, page);
      return sum(page, 'derouter_attempts_total') - sum(before, 'derouter_attempts_total') >= 17 && page;
    });
    const added = (name, labels) => sum(now, name, labels) - sum(before, name, labels);
    assert.equal(added('derouter_requests_total', { route: '/v1/messages,', status: '200' }), 10);
    assert.equal(added('derouter_requests_total', { route: '/v1/messages,', status: '502' }), 2);
    assert.equal(added('derouter_requests_total', { route: '/v1/messages,', status: '401', end: 'PR' }), 1);
    assert.equal(added('derouter_requests_total', { route: '/v1/chat/completions', status: '200', end: '--' }), 5);
    assert.equal(added('derouter_requests_total', { route: 'none', status: '404' }), 1);
    assert.equal(added('derouter_attempts_total', { provider: 'main', outcome: 'ok' }), 15);
    assert.equal(added('derouter_attempts_total', { provider: 'main', outcome: 'failed' }), 2);
    assert.equal(added('derouter_tokens_total', { kind: 'input', model: MODEL }), 15 * 7);
    assert.equal(added('derouter_tokens_total', { kind: 'output', model: MODEL }), 15 * 3);
    assert.equal(BigInt(added('derouter_charge_nano_usd_total', { model: MODEL })), balance - (await money()));
    assert.equal(added('derouter_first_token_seconds_count'), 5);
    assert.equal(added('derouter_overhead_seconds_count'), 17);
    assert.ok(added('derouter_store_seconds_count') >= 17);
    assert.ok(added('derouter_event_gap_seconds_count') > 0);
    assert.equal(sum(now, 'derouter_processes'), 2);
    assert.equal(sum(now, 'derouter_watcher_up'), 1);
    assert.equal(sum(now, 'derouter_provider_state', { provider: 'main', state: 'alive' }), 1);
    assert.equal(sum(now, 'derouter_provider_slots', { provider: 'main' }), 1000);
  }
});

test('what runs is shown while it runs', async () => {
  const controller = new AbortController();
  const running = new Promise((done) => {
    const request = http.request(new URL('/v1/messages', stack.nginx), { method: 'POST', headers: { 'x-api-key': stack.key, 'content-type': 'application/json' }, signal: controller.signal }, (response) => {
      response.on('error', () => {});
      response.once('data', done);
      response.resume();
    });
    request.on('error', () => {});
    request.end(JSON.stringify(messages.body(MODEL, '[[stream events=2000 gap_ms=50]]', { stream: true })));
  });
  await running;
  await until('one more runs', async () => {
    const page = await scrape();
    return sum(page, 'derouter_transfers_running') === 1 && sum(page, 'derouter_leases') === 1 && sum(page, 'derouter_requests_running') >= 1 && sum(page, 'derouter_provider_running', { provider: 'main' }) === 1;
  });
  controller.abort();
  await until('none runs', async () => {
    const page = await scrape();
    return sum(page, 'derouter_transfers_running') === 0 && sum(page, 'derouter_leases') === 0 && sum(page, 'derouter_provider_running') === 0;
  });
});

test('counters grow over SIGTERM and kill -9, and nothing is counted twice', async () => {
  let last = await scrape();
  const done = () => sum(last, 'derouter_requests_total', { route: '/v1/messages,', status: '200' });
  const first = done();
  let asked = 0;
  for (const signal of ['SIGTERM', 'SIGKILL', 'SIGTERM', 'SIGKILL']) {
    const hits = await Promise.all(Array.from({ length: 6 }, () => ask('hello')));
    for (const hit of hits) assert.equal(hit.status, 200);
    asked += hits.length;
    await until('counted', async () => {
      const page = await scrape();
      grows(last, page);
      last = page;
      return done() === first + asked;
    });
    const pids = await stack.workerPids();
    for (const pid of pids) process.kill(pid, signal);
    await until('new responders', async () => {
      const now = await stack.workerPids();
      return now.length === stack.workers && !now.some((pid) => pids.includes(pid));
    });
    // folded (after metrics_dead, where it had no last word), and still the same
    await until('only the new ones are left', async () => {
      const page = await scrape();
      grows(last, page);
      last = page;
      assert.equal(done(), first + asked);
      return (await stack.redis('ZCARD', '{m}:index')) === String(stack.workers) && sum(page, 'derouter_processes') === stack.workers;
    });
  }
  assert.ok(Number(await stack.redis('HLEN', '{m}:total')) > 0);
});

test('labels have few values, whatever is asked for', async () => {
  for (let i = 0; i < 30; i++) {
    await call(stack.nginx, { method: 'GET', path: `/v1/models/made-up-${i}`, headers: { 'x-api-key': stack.key } });
    await call(stack.nginx, { path: '/v1/messages', headers: { 'x-api-key': stack.key }, body: messages.body(`made-up-${i}`, 'x') });
    await call(stack.nginx, { method: 'PATCH', path: `/v1/made/up/${i}` });
  }
  const page = await scrape();
  assert.ok(![...page.keys()].some((name) => name.includes('made')));
  assert.ok(page.size < 400, `${page.size} series`);
});

test('only the operator may look', async () => {
  for (const base of [stack.nginx, stack.lighttpd])
    for (const where of ['/metrics', '/healthz', '/readyz']) {
      const from = (localAddress) => call(base, { method: 'GET', path: where, agent: new http.Agent({ localAddress }) });
      assert.equal((await from('127.0.0.1')).status, 200, where);
      assert.equal((await from('127.0.0.2')).status, 403, `${base}${where}`);
    }
});
