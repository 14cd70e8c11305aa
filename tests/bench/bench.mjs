// make bench: nginx alone and the whole stack against the same stand-in, turn by turn in one run, and at the end
// one line per figure: "reach NAME VALUE TARGET ok|miss". Nothing here fails a build: figures are read by people.
import { execFileSync, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { cpu, difference, exec, resident, sleep, total, until } from './processes.mjs';
import { openRedis, startFloor, startStack, startTlsProvider } from './stack.mjs';

const [buildArg, ...wanted] = process.argv.slice(2);
if (!buildArg) { console.error('usage: tests/bench/run BUILDDIR [unary latency bodies refused trips memory streams tls outage]'); process.exit(2); }
const build = path.resolve(buildArg);
const model = 'claude-sonnet-4-6', tlsModel = 'claude-haiku-4-5';
const workers = 2;
const wants = (part) => wanted.length === 0 || wanted.includes(part);
const SMALL = '[[stream events=1 bytes=200]]'; // an answer of about 600 bytes

let floor, stack;
// Every figure that is to be reached: its part, its target, and how many digits say something.
const figures = {
  unary_cpu_app_to_floor: ['unary', 1.75, 2],
  unary_cpu_redis_to_floor: ['unary', 2, 2],
  unary_cpu_all_to_floor: ['unary', 5, 2],
  added_latency_p50_ms: ['latency', 0.5, 2],
  added_latency_p99_ms: ['latency', 2, 2],
  body_1mb_app_ms: ['bodies', 1.2, 2],
  refused_401_cpu_to_served: ['refused', 0.5, 2],
  refused_429_cpu_to_served: ['refused', 0.5, 2],
  redis_round_trips: ['trips', 1, 0],
  idle_resident_mb: ['memory', 12, 1],
  resident_growth_mb: ['memory', 2, 1],
  streams_events_lost: ['streams', 0, 0],
  streams_first_event_p99_added_ms: ['streams', 10, 1],
  stream_memory_kb: ['streams', 20, 1],
  stream_memory_tls_http1_kb: ['tls', 110, 1],
  stream_memory_tls_http2_kb: ['tls', 32, 1],
};
const reached = {}; // what was measured, by the same names
const reach = (name, value) => { reached[name] = value; };
const row = (...cells) => console.log(`${cells[0].padEnd(44)}${cells.slice(1).map((c) => String(c).padStart(11)).join('')}`);
const title = (text, ...cells) => { console.log(''); row(text, ...cells); };
const us = (value) => (value === undefined ? '-' : value.toFixed(1));

// ---- one run of the generator ----

function load(side, options) {
  const args = ['--to', side.address, '--model', model];
  if (side === stack) args.push('--keys', stack.keysFile);
  for (const [name, value] of Object.entries(options)) args.push(`--${name}`, ...(value === true ? [] : [String(value)]));
  const child = spawn(path.join(build, 'derouter-load'), args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.on('data', (piece) => { text += piece; });
  return new Promise((done, fail) => child.on('exit', (code) => (code === 0 ? done(JSON.parse(text)) : fail(new Error(`derouter-load ended with ${code}`)))));
}

// Processor time of each group per request, and what the generator saw.
async function measure(side, options) {
  const before = cpu(side.groups);
  const seen = await load(side, options);
  await sleep(100); // settlements land after the answer
  const spent = difference(cpu(side.groups), before);
  if (seen.unexpected + seen.broken > 0) console.log(`! ${JSON.stringify(options)}: ${seen.unexpected} unexpected, ${seen.broken} broken, ${JSON.stringify(seen.status)}`);
  stack.served += side === stack ? seen.requests : 0;
  return { seen, spent };
}

// Figures of a run that did not get the answers it was made for say nothing.
const isVoid = (seen) => seen.requests === 0 || (seen.unexpected + seen.broken) / seen.requests > 0.001;

const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];

// Floor and stack in turn, `rounds` times, so that a noisy neighbour disturbs both.
async function alternate(rounds, options) {
  const sum = { floor: [], stack: [] };
  for (let i = 0; i < rounds; i++)
    for (const [name, side] of [['floor', floor], ['stack', stack]]) sum[name].push(await measure(side, options));
  const summary = (runs) => {
    const requests = total(runs.map((r) => r.seen.requests));
    const per = Object.fromEntries(Object.keys(runs[0].spent).map((g) => [g, runs.some((r) => isVoid(r.seen)) ? NaN : total(runs.map((r) => r.spent[g])) / requests]));
    return { ...per, all: total(Object.values(per)), rate: requests / total(runs.map((r) => r.seen.seconds)), requests,
      p50: median(runs.map((r) => r.seen.whole_us.p50)) / 1000, p99: median(runs.map((r) => r.seen.whole_us.p99)) / 1000 };
  };
  return { floor: summary(sum.floor), stack: summary(sum.stack) };
}

const showHead = (text) => title(text, 'app us', 'nginx us', 'redis us', 'all us', 'req/s', 'p50 ms', 'p99 ms');
const show = (name, f) => row(name, us(f.app), us(f.nginx), us(f.redis), us(f.all), f.rate.toFixed(0), f.p50.toFixed(2), f.p99.toFixed(2));
function showBoth(name, both) {
  show(`${name}, floor`, both.floor);
  show(`${name}, stack`, both.stack);
  row('  of the floor\'s nginx', ...['app', 'nginx', 'redis', 'all'].map((g) => (both.stack[g] / both.floor.nginx).toFixed(2)));
}

// ---- the parts ----

let served; // figures of the plain unary request, which others are compared with
async function unary() {
  showHead('unary, 64 connections: CPU per request');
  await measure(stack, { connections: 64, seconds: 0.7, 'body-bytes': 1024, prompt: SMALL });
  const both = await alternate(3, { connections: 64, seconds: 2.5, 'body-bytes': 1024, prompt: SMALL });
  showBoth('1 KB body', both);
  served = both.stack;
  reach('unary_cpu_app_to_floor', both.stack.app / both.floor.nginx);
  reach('unary_cpu_redis_to_floor', both.stack.redis / both.floor.nginx);
  reach('unary_cpu_all_to_floor', both.stack.all / both.floor.nginx);
}

async function latency() {
  showHead('unary, 4 connections: latency');
  const both = await alternate(3, { connections: 4, seconds: 1.5, 'body-bytes': 1024, prompt: SMALL });
  showBoth('1 KB body', both);
  reach('added_latency_p50_ms', both.stack.p50 - both.floor.p50);
  reach('added_latency_p99_ms', both.stack.p99 - both.floor.p99);
}

async function bodies() {
  showHead('larger bodies, 16 connections: CPU per request');
  const hundred = await alternate(2, { connections: 16, seconds: 1.5, 'body-bytes': 102400, prompt: SMALL });
  showBoth('100 KB body', hundred);
  const thousand = await alternate(2, { connections: 16, seconds: 2, 'body-bytes': 1000000, prompt: SMALL });
  showBoth('1000 KB body', thousand);
  reach('body_1mb_app_ms', thousand.stack.app / 1000);
}

async function refused() {
  showHead('refused, 64 connections: CPU per request');
  const run = async (name, key, status) => {
    writeFileSync(`${stack.state}/refused.keys`, `${key}\n`);
    const plain = stack.keysFile;
    stack.keysFile = `${stack.state}/refused.keys`;
    const { seen, spent } = await measure(stack, { connections: 64, seconds: 2, 'body-bytes': 1024, prompt: SMALL, expect: status });
    stack.keysFile = plain;
    const per = Object.fromEntries(Object.entries(spent).map(([g, v]) => [g, v / seen.requests]));
    const sum = { ...per, all: total(Object.values(per)), rate: seen.requests / seen.seconds, p50: seen.whole_us.p50 / 1000, p99: seen.whole_us.p99 / 1000 };
    show(name, sum);
    if (served) reach(`refused_${status}_cpu_to_served`, isVoid(seen) ? NaN : sum.all / served.all);
  };
  const wrong = `${stack.keys[0].slice(0, -6)}aaaaaa`;
  await run('unknown key (401)', wrong, 401);
  const one = await stack.key(await stack.account(), 1);
  await post(one, 'hello'); // its one request of this minute
  await run('minute used up (429)', one, 429);
}

// One request outside of the generator. Resolves with the status when the head is there.
const agent = new http.Agent({ keepAlive: true });
function post(key, prompt, name = model) {
  const body = JSON.stringify({ model: name, max_tokens: 100, messages: [{ role: 'user', content: prompt }] });
  return new Promise((done, fail) => {
    const request = http.request(`http://${stack.address}/v1/messages`, { method: 'POST', agent,
      headers: { 'x-api-key': key, 'anthropic-version': '2023-06-01', 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) } }, (response) => {
      response.resume();
      response.on('end', () => done(response.statusCode));
    });
    request.on('error', fail);
    request.end(body);
  });
}

// While the provider takes its time, Redis has been asked for everything that precedes it and nothing that follows.
async function trips() {
  const redis = await openRedis(stack.env.redis_socket);
  const counts = [];
  await Promise.all(Array.from({ length: 16 }, () => post(stack.keys[0], 'warm')));
  for (let i = 0; i < 15; i++) {
    await sleep(60);
    const before = await redis.reads();
    const answer = post(stack.keys[0], '[[fault slow-head=200]]');
    await sleep(100);
    counts.push((await redis.reads()) - before - 1);
    await answer;
  }
  redis.close();
  title('Redis reads before the provider is asked', counts.join(' '));
  reach('redis_round_trips', median(counts) || NaN); // 0: it was never asked
}

// Flat: after many requests and many streams that were left, a responder is as large as after the first few.
async function memory(idle) {
  const one = { connections: 64, 'body-bytes': 1024, prompt: SMALL };
  const left = { connections: 200, 'body-bytes': 1024, stream: true, 'abort-after': 1, prompt: '[[stream events=100 gap_ms=50 stamp=1]]' };
  await measure(stack, { ...one, requests: 10000 });
  await measure(stack, { ...left, requests: 1000 });
  const early = resident(stack.groups.app);
  await measure(stack, { ...left, requests: 9000 });
  if (stack.served < 110000) await measure(stack, { ...one, requests: 110000 - stack.served, seconds: 25 });
  await until('quiet', async () => { const a = cpu(stack.groups).app; await sleep(200); return cpu(stack.groups).app - a < 10000; });
  const late = resident(stack.groups.app);
  title('memory of the responders, KB', ...stack.groups.app.map((_, i) => `worker ${i + 1}`));
  row('idle, at start', ...idle);
  row('warm', ...early);
  row(`after ${stack.served} requests, 10000 left streams`, ...late);
  reach('idle_resident_mb', Math.max(...idle) / 1024);
  reach('resident_growth_mb', Math.max(...late.map((kb, i) => kb - early[i])) / 1024);
}

// Open `count` streams within `ramp` seconds, one event a second each, and look at the stretch when all are open: from
// the end of the ramp until the first one has had its last event.
async function streamRun(side, { count, ramp, events, bytes, name = model }) {
  if (side === stack) {
    await stack.restart();
    await until('warm responders', async () => (await Promise.all(Array.from({ length: 16 }, () => post(stack.keys[0], 'hello', name)))).every((s) => s === 200));
  }
  const before = side.groups.app && total(resident(side.groups.app));
  const running = load(side, { connections: count, requests: count, ramp, stream: true, deltas: events, 'body-bytes': bytes, model: name,
    prompt: `[[stream events=${events} gap_ms=1000 stamp=1 bytes=100]]` });
  await sleep((ramp + 0.5) * 1000);
  const from = cpu(side.groups), began = Date.now();
  await sleep((events - ramp - 2) * 1000);
  const memory_kb = side.groups.app && (total(resident(side.groups.app)) - before) / count;
  const spent = difference(cpu(side.groups), from), passed = (Date.now() - began) / 1000;
  const seen = await running;
  if (isVoid(seen) || seen.cut > 0) console.log(`! streams: ${JSON.stringify(seen.status)}, ${seen.broken} broken, ${seen.cut} cut`);
  return { seen, memory_kb: isVoid(seen) ? NaN : memory_kb, per: Object.fromEntries(Object.entries(spent).map(([g, v]) => [g, v / (count * passed)])) };
}

function showStreams(name, run) {
  const { seen, per } = run, ms = (s, p) => (seen[s][p] === undefined ? '-' : (seen[s][p] / 1000).toFixed(1));
  row(name, us(per.app), us(per.nginx), us(per.redis), ms('first_us', 'p50'), ms('first_us', 'p99'), ms('delay_us', 'p99'), seen.events_lost, run.memory_kb === undefined ? '-' : run.memory_kb.toFixed(1));
}
const streamHead = (text) => title(text, 'app us/ev', 'nginx', 'redis', 'first p50', 'first p99', 'delay p99', 'lost', 'KB/stream');

async function streams() {
  const what = { count: 5000, ramp: 7, events: 12, bytes: 102400 };
  streamHead(`${what.count} streams, 100 KB bodies, 1 event/s; ms`);
  const plain = await streamRun(floor, what);
  showStreams('floor', plain);
  const full = await streamRun(stack, what);
  showStreams(`stack, ${workers} responders`, full);
  reach('streams_events_lost', full.seen.events_lost);
  reach('streams_first_event_p99_added_ms', isVoid(full.seen) ? NaN : (full.seen.first_us.p99 - plain.seen.first_us.p99) / 1000);
  reach('stream_memory_kb', full.memory_kb);
}

async function tls() {
  const provider = await startTlsProvider(floor);
  stack.extra.push(provider);
  stack.reload('ca_file', provider.ca);
  await stack.provider('bench-tls', `https://${provider.address}`, tlsModel);
  await until('the TLS provider', async () => (await post(stack.keys[0], 'hello', tlsModel)) === 200);
  const what = { count: 1000, ramp: 3, events: 7, bytes: 1024, name: tlsModel };
  streamHead(`${what.count} streams over TLS; ms`);
  const first = await streamRun(stack, what);
  showStreams('HTTP/1.1 to the provider', first);
  reach('stream_memory_tls_http1_kb', first.memory_kb);
  stack.reload('http2_streams', 'on');
  const second = await streamRun(stack, what);
  showStreams('HTTP/2 to the provider', second);
  reach('stream_memory_tls_http2_kb', second.memory_kb);
}

// Redis is killed and comes back: how long a caller waits for its 503 meanwhile, and for the first answer afterwards.
async function outage() {
  const timed = async () => { const from = performance.now(); return [await post(stack.keys[0], SMALL), performance.now() - from]; };
  process.kill(stack.groups.redis[0], 'SIGKILL');
  const [first, first_ms] = await timed();
  const waits = [];
  for (let i = 0; i < 100; i++) {
    const [status, ms] = await timed();
    if (status === 503) waits.push(ms);
  }
  const from = performance.now();
  await exec('redis-server', ['--port', '0', '--unixsocket', stack.env.redis_socket, '--unixsocketperm', '700', '--dir', `${stack.state}/redis`, '--appendonly', 'yes',
    '--appendfsync', 'everysec', '--maxmemory-policy', 'noeviction', '--save', '', '--daemonize', 'yes', '--pidfile', `${stack.state}/redis.pid`, '--logfile', `${stack.state}/redis.log`]);
  await until('Redis answers', async () => (await exec('redis-cli', ['-s', stack.env.redis_socket, 'PING'])).stdout.trim() === 'PONG');
  const up_ms = performance.now() - from;
  await sleep(50); // longer than the pause between two attempts to connect
  const [back, back_ms] = await timed();
  title('Redis killed, then there again; ms', 'first', 'median', 'longest', 'back');
  row(`503 (${waits.length} of 100; the first call: ${first})`, first_ms.toFixed(1), (median(waits) ?? NaN).toFixed(2), Math.max(...waits).toFixed(1), '-');
  row('from its start until it answers (it reads its AOF)', '-', '-', '-', up_ms.toFixed(0));
  row(`the first call from then on: ${back}`, back_ms.toFixed(1), '-', '-', '-');
}

// ---- the whole ----

async function prepare() {
  floor = await startFloor(build);
  stack = await startStack(build, floor, workers);
  stack.extra = [];
  stack.served = 0;
  await sleep(300);
  const idle = resident(stack.groups.app);
  stack.keys = [];
  for (let a = 0; a < 8; a++) {
    const account = await stack.account();
    for (let k = 0; k < 8; k++) stack.keys.push(await stack.key(account));
  }
  stack.keysFile = `${stack.state}/bench.keys`;
  writeFileSync(stack.keysFile, `${stack.keys.join('\n')}\n`);
  await stack.provider('bench', `http://${floor.standin.address}`, model);
  await until('the provider', async () => (await Promise.all(Array.from({ length: 8 }, () => post(stack.keys[0], 'hello')))).every((s) => s === 200));
  return idle;
}

// A build with sanitizers is many times slower and larger in some places and not in others: its figures mean nothing.
function about() {
  const links = execFileSync('ldd', [path.join(build, 'derouter-fcgi')], { encoding: 'utf8' });
  if (/lib[at]san|libubsan/.test(links)) {
    console.error(`bench: ${build} has sanitizers on, so its figures would mean nothing; bench a build without --enable-asan and --enable-ubsan`);
    process.exit(2);
  }
  console.log(`derouter bench: ${build}, ${workers} responders, ${new Date().toISOString()}`);
}

async function main() {
  const began = Date.now(), took = [];
  about();
  try {
    const idle = await prepare();
    for (const [name, part] of Object.entries({ unary, latency, bodies, refused, trips, memory: () => memory(idle), streams, tls, outage })) {
      if (!wants(name)) continue;
      // One part that fails must not hide the figures of the others.
      const from = Date.now();
      await part().catch((error) => console.log(`! ${name}: ${error.message}`));
      took.push(`${name} ${Math.round((Date.now() - from) / 1000)}`);
    }
  } finally {
    agent.destroy();
    for (const extra of stack?.extra || []) extra.stop();
    if (stack) await stack.stop();
    if (floor) floor.stop();
  }
  console.log(`\n${Math.round((Date.now() - began) / 1000)} s (${took.join(', ')})\n`);
  for (const [name, [part, target, digits]] of Object.entries(figures)) {
    if (!wants(part)) continue;
    const value = reached[name];
    console.log(`reach ${name} ${Number.isFinite(value) ? value.toFixed(digits) : 'none'} ${target} ${value <= target ? 'ok' : 'miss'}`);
  }
}

main().catch((error) => { console.error(`bench: ${error.message}`); process.exitCode = 1; });
