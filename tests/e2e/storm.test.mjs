// The storm: requests of all kinds from many clients over many keys while responders and Redis are killed with
// -9 and nginx is reloaded. Then the books are held against the providers' own account, to the nano-dollar.
//
// How a call, a provider's record and a row of the ledger find each other: the prompt carries a mark, which the
// stand-in logs; the number of input tokens that it is told to report, and the size of the body by which the
// gateway estimates, belong to one call alone, so a charge names its call; the request id joins call and ledger
// wherever the client got an answer's head. What is left are requests whose process was killed before that:
// they are counted per key.
import test, { before, after } from 'node:test';
import assert from 'node:assert/strict';
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import http from 'node:http';
import { startStack, until } from './stack.mjs';
import { dialects, events } from './dialects.mjs';
import { cost, variantOf } from './money.mjs';

const SEED = Number(process.env.STORM_SEED ?? Math.floor(Math.random() * 2 ** 31));
const REQUESTS = Number(process.env.STORM_REQUESTS ?? 2100);
const CLIENTS = 60, ACCOUNTS = 7, POOR = 2, WORKERS = 3; // the last two accounts run dry
const keysOf = (i) => (i < ACCOUNTS - POOR ? 4 : 1);
const KILLS = 12, OUTAGES = 4, RELOADS = 4;
const STORE_TIMEOUT = 1000;
const MODELS = ['claude-sonnet-4-5', 'claude-haiku-4-5', 'claude-opus-5', 'gpt-5.4', 'gpt-4.1'];

// mulberry32: the same storm for the same seed, as far as the machine plays along
function random(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
const whole = (rnd, below) => Math.floor(rnd() * below);
const pick = (rnd, list) => list[whole(rnd, list.length)];

/*
 * Kinds: weight; `books`: what the ledger must say where nothing is killed: the provider's whole usage, a part
 * of it (what was seen, the rest estimated), nothing; `says`: what the stand-in is told, beside the tokens.
 */
const moves = ['500', 'reset', 'cut-head', '502-html', 'not-http', 'empty', '503', '529'];
const kinds = [
  { name: 'unary', weight: 30, books: 'whole' },
  { name: 'stream', weight: 26, books: 'whole', stream: true, says: (rnd) => `[[stream events=${3 + whole(rnd, 20)} gap_ms=${whole(rnd, 15)} bytes=${whole(rnd, 300)}]]` },
  { name: 'long stream', weight: 3, books: 'whole', stream: true, says: (rnd) => `[[stream events=${100 + whole(rnd, 100)} gap_ms=25 bytes=40]]` },
  { name: 'slow answer', weight: 6, books: 'whole', says: (rnd) => `[[fault slow-head=${50 + whole(rnd, 300)}]]` },
  { name: 'moved on', weight: 8, books: 'whole', says: (rnd) => `[[fault ${pick(rnd, moves)} at=a]]` },
  { name: 'stream moved on', weight: 6, books: 'whole', stream: true, says: (rnd) => `[[stream events=6]] [[fault ${pick(rnd, [...moves, 'error-first type=api_error failed=1'])} at=a]]` },
  { name: 'usage absent', weight: 3, books: 'part', says: () => '[[fault no-usage]]' },
  { name: 'cut', weight: 4, books: 'part', stream: true, says: (rnd) => `[[stream events=12 bytes=80]] [[fault cut-after=${3 + whole(rnd, 6)}${pick(rnd, ['', ' reset=1'])}]]` },
  { name: 'error later', weight: 3, books: 'part', stream: true, says: () => '[[stream events=9 bytes=40]] [[fault error-later=6 type=overloaded_error failed=1]]' },
  { name: 'left in the stream', weight: 6, books: 'part', stream: true, leaves: (rnd) => ({ pieces: 1 + whole(rnd, 5) }), says: () => '[[stream events=300 gap_ms=15 bytes=60]]' },
  { name: 'left before the head', weight: 3, books: 'part', leaves: (rnd) => ({ ms: whole(rnd, 100) }), says: () => '[[fault slow-head=1500]]' },
  { name: 'fails everywhere', weight: 3, books: 'nothing', says: (rnd) => `[[fault ${pick(rnd, ['500', '502-html', 'cut-head'])}]]` },
  { name: "the caller's fault", weight: 3, books: 'nothing', says: (rnd) => `[[fault ${pick(rnd, ['context-length', '422', '404'])}]]` },
  { name: 'count_tokens', weight: 2, books: 'nothing', path: '/v1/messages/count_tokens', only: 'messages' },
  { name: 'no such model', weight: 1, books: 'nothing', model: 'no-such-model' },
  { name: 'no such key', weight: 1, books: 'nothing', key: (key) => `${key.slice(0, -1)}${key.endsWith('a') ? 'b' : 'a'}` },
];
const lottery = kinds.flatMap((kind) => Array(kind.weight).fill(kind));

let stack, standins, keys, accounts;
const calls = [];
const chaos = { kills: [], outages: 0, reloads: 0, up: Promise.resolve(), over: false };

before(async () => {
  console.log(`# storm: STORM_SEED=${SEED} STORM_REQUESTS=${REQUESTS}`);
  stack = await startStack({
    workers: WORKERS, lighttpd: false,
    set: {
      lease_time: '2s', sweep_after: '2s', store_timeout: `${STORE_TIMEOUT}ms`, response_timeout: '20s', total_timeout: '20s', failover_after: '20s', idle_timeout: '20s',
      default_rpm: '100000', default_concurrency: '1000', count_tokens_rpm: '100000', breaker_failures: '1000', breaker_window: '100ms', cooldown: '10ms', cooldown_max: '20ms', providers_poll: '100ms',
    },
  });
  await stack.redis('CONFIG', 'SET', 'appendfsync', 'always');
  standins = [];
  for (const [i, name] of ['a', 'b', 'c'].entries()) {
    standins.push(await stack.standin(name, ['--name', name, '--log-body', '400']));
    await stack.provider(name, standins[i].url, { models: MODELS, extra: ['--priority', String(i + 1)] });
  }
  accounts = await Promise.all(Array.from({ length: ACCOUNTS }, (_, i) => stack.account_with(i < ACCOUNTS - POOR ? '100000.00' : '1.00')));
  keys = await Promise.all(accounts.flatMap((account, i) => Array.from({ length: keysOf(i) }, () => stack.key_of(account).then((key) => ({ key, account, id: key.split('-').at(-2) })))));
  await Promise.all(MODELS.map((model) => stack.online(model)));
});
after(() => stack?.stop());

/* ---- the clients ---- */

function plan(rnd, serial) {
  const kind = pick(rnd, lottery);
  const name = kind.only ?? pick(rnd, Object.keys(dialects)), where = dialects[name];
  const model = kind.model ?? pick(rnd, MODELS), owner = pick(rnd, keys);
  const many = rnd() < 0.1 ? 300_000 : 20_000; // above some models' tier
  const tokens = { in: many + serial, out: 1 + whole(rnd, 2000), cr: whole(rnd, 2) * whole(rnd, 5000), cw5: whole(rnd, 2) * whole(rnd, 5000), cw1: 0, web: 0 };
  if (name === 'messages') tokens.cw1 = whole(rnd, 2) * whole(rnd, 2000);
  if (name === 'messages' || (name === 'responses' && kind.books === 'whole')) tokens.web = whole(rnd, 8) ? 0 : 1 + whole(rnd, 3);
  const variant = !kind.model && rnd() < 0.2 ? variantOf(model) : undefined;
  const mark = `storm-${String(serial).padStart(5, '0')}-`;
  const prompt = `${mark} [[tokens in=${tokens.in} out=${tokens.out} cache_read=${tokens.cr} cache_write_5m=${tokens.cw5} cache_write_1h=${tokens.cw1} searches=${tokens.web}]] ${kind.says?.(rnd) ?? ''} `;
  const body = where.body(model, prompt, { ...(kind.stream && { stream: true }), ...(variant && { [variant[0]]: variant[1] }) });
  // a body of 4 × (300 + serial) bytes: what it is estimated at is nobody else's number either
  const short = 4 * (300 + serial) - Buffer.byteLength(JSON.stringify(body));
  return {
    serial, kind, mark, where, model, variant, tokens, account: owner.account, keyId: owner.id, estimate: 300 + serial,
    key: kind.key ? kind.key(owner.key) : owner.key, path: kind.path ?? where.path,
    body: JSON.stringify(where.body(model, prompt + '.'.repeat(short), { ...(kind.stream && { stream: true }), ...(variant && { [variant[0]]: variant[1] }) })),
    leaves: kind.leaves?.(rnd),
  };
}

// Make the call; what came of it stands in it afterwards. Never throws: a broken connection is an outcome.
function make(call, agent) {
  return new Promise((done) => {
    const pieces = [];
    let count = 0;
    const over = (outcome) => {
      if (call.ended) return;
      Object.assign(call, outcome, { ended: Date.now(), text: Buffer.concat(pieces).toString() });
      done(call);
    };
    call.began = Date.now();
    const request = http.request(new URL(call.path, stack.nginx), {
      method: 'POST', agent, timeout: 60_000, headers: { 'x-api-key': call.key, 'content-type': 'application/json', 'content-length': Buffer.byteLength(call.body) },
    }, (response) => {
      call.status = response.statusCode;
      // nginx's own answers have ids of its own: 32 digits
      if (/^req_[0-9a-z]{30}$/.test(response.headers['request-id'] ?? '')) call.id = response.headers['request-id'];
      response.on('data', (piece) => {
        pieces.push(piece);
        if (++count === call.leaves?.pieces) {
          over({ left: true });
          request.destroy();
        }
      });
      response.on('error', (error) => over({ error }));
      response.on('end', () => over({ complete: response.complete }));
    });
    request.on('error', (error) => over({ error }));
    request.on('timeout', () => over({ hung: true }));
    if (call.leaves?.ms !== undefined) // a client's patience
      request.on('finish', () => setTimeout(() => {
        over({ left: true });
        request.destroy();
      }, call.leaves.ms));
    request.end(call.body);
  });
}

// A whole answer: JSON, or a stream with its terminal event.
function isWhole(call) {
  if (!call.complete || call.status !== 200) return false;
  return !call.kind.stream || events(call.text).some((event) => event !== '[DONE]' && call.where.terminal(event));
}

// Calls that count: those refused because the store is away are made anew.
const refusedByStore = (call) => call.status === 503 && call.text.includes('data store');
const counted = () => calls.filter((call) => call.ended && !refusedByStore(call)).length;

let next = 0;
async function client(i) {
  const rnd = random(SEED * 1000 + i);
  const agent = new http.Agent({ keepAlive: i % 3 !== 0, maxSockets: 1 });
  while (counted() < REQUESTS || !chaos.over) {
    const call = plan(rnd, next++);
    calls.push(call);
    await make(call, agent);
    // told that the store is away: comes back when it is, instead of asking on
    if (refusedByStore(call)) await chaos.up;
  }
  agent.destroy();
}

/* ---- what befalls them ---- */

async function killResponder(rnd) {
  const pids = await until('a responder', async () => (await stack.workerPids()).length > 0 && stack.workerPids());
  const pid = pick(rnd, pids);
  chaos.kills.push({ at: Date.now() });
  process.kill(pid, 'SIGKILL');
}

async function outage(rnd, withKill) {
  let back;
  chaos.up = new Promise((done) => {
    back = done;
  });
  await stack.killRedis();
  const told = calls.length;
  await until('some were refused', () => calls.slice(Math.max(0, told - CLIENTS)).filter(refusedByStore).length >= CLIENTS / 4);
  if (withKill) await killResponder(rnd); // what it has spooled is another's to replay
  await stack.startRedis('--appendfsync', 'always');
  await until('served again', async () => (await Promise.all(Array.from({ length: 6 * WORKERS }, () => fetch(`${stack.nginx}/readyz`)))).every((answer) => answer.status === 200));
  chaos.outages++;
  back();
}

async function befall() {
  const rnd = random(SEED);
  const what = [...Array(KILLS).fill(killResponder), ...Array(OUTAGES).fill(outage), ...Array(RELOADS).fill(async () => {
    await stack.reloadNginx();
    chaos.reloads++;
  })];
  for (let i = what.length - 1; i > 0; i--) {
    const j = whole(rnd, i + 1);
    [what[i], what[j]] = [what[j], what[i]];
  }
  let outages = 0;
  for (const [i, happens] of what.entries()) {
    const due = Math.floor(((i + 1) * REQUESTS) / (what.length + 2));
    await until(`${due} calls`, () => counted() >= due, 120);
    await happens(rnd, happens === outage && outages++ % 2 === 1);
  }
}

/* ---- the books ---- */

async function settledDown() {
  await until('nothing held', async () => (await Promise.all(accounts.map((account) => stack.redis('HMGET', `{a:${account}}:account`, 'held', 'running')))).every((both) => both === '0\n0'), 60);
  for (const owner of keys) assert.equal(await stack.redis('HLEN', `{a:${owner.account}}:open:${owner.id}`), '0', owner.id);
  await until('no provider lease', async () => {
    const names = (await stack.redis('KEYS', '{p:*}:running')).split('\n').filter(Boolean);
    return (await Promise.all(names.map((name) => stack.redis('ZCARD', name)))).every((n) => n === '0');
  }, 60);
  await until('the spool is empty', async () => {
    const names = await readdir(path.join(stack.state, 'spool')).catch(() => []);
    return (await Promise.all(names.map((name) => stat(path.join(stack.state, 'spool', name)).catch(() => ({ size: 0 }))))).every(({ size }) => size === 0);
  }, 60);
}

async function ledgerOf(account) {
  const lines = JSON.parse(await stack.redis('--json', 'XRANGE', `{a:${account}}:ledger`, '-', '+'));
  return lines.map(([entry, fields]) => {
    const row = { entry, account };
    for (let i = 0; i < fields.length; i += 2) row[fields[i]] = fields[i + 1];
    return { ...row, nano: BigInt(row.nano), balance: BigInt(row.balance) };
  });
}

function grouped(list, of) {
  const groups = new Map();
  for (const item of list) {
    const name = of(item);
    if (!groups.has(name)) groups.set(name, []);
    groups.get(name).push(item);
  }
  return groups;
}
const tokensOf = (row) => Object.fromEntries(['in', 'cw5', 'cw1', 'cr', 'out', 'web'].map((field) => [field, Number(row[field] ?? 0)]));
const sum = (list, of = (x) => x) => list.reduce((total, x) => total + of(x), 0n);
// A process that died in the call's life, or before it can have told the store or the spool what it cost.
const killedIn = (call) => chaos.kills.some(({ at }) => at >= call.began - 50 && at <= call.ended + STORE_TIMEOUT + 1000);

// Who a charge belongs to: its input is one call's own number, as reported or as estimated.
function callOf(row, byInput, byId) {
  const named = byInput.get(Number(row.in)), known = byId.get(row.req);
  if (known) assert.equal(named, known, `row ${row.entry} of ${row.req} carries ${known.mark}'s id and the input of ${named?.mark}`);
  assert.ok(named, `row ${row.entry}: nobody asked for ${row.in} tokens`);
  assert.deepEqual([row.account, row.key], [named.account, named.keyId], named.mark);
  return named;
}

// One request's rows: one charge, or one abandoned, or that and the late difference.
function checkRows(rows, what) {
  const types = rows.map((row) => row.type).sort().join(' ');
  assert.ok(['charge', 'abandoned', 'abandoned charge'].includes(types), `${what}: rows ${types}`);
  const late = rows.some((row) => row.flags?.includes('late'));
  assert.equal(late, types === 'abandoned charge', `${what}: ${types}, flags ${rows.map((row) => row.flags)}`);
}

test('the storm', { timeout: 300_000 }, async () => {
  await Promise.all([befall().finally(() => (chaos.over = true)), ...Array.from({ length: CLIENTS }, (_, i) => client(i))]);
  assert.ok(chaos.kills.length >= KILLS && chaos.outages >= OUTAGES && chaos.reloads >= RELOADS, JSON.stringify(chaos));
  assert.equal(calls.filter((call) => call.hung).length, 0, 'calls hung');
  assert.ok(counted() >= REQUESTS);
  await settledDown();
});

test('the books', async (t) => {
  const rows = (await Promise.all(accounts.map(ledgerOf))).flat();
  const records = (await Promise.all(standins.map((standin) => standin.requests()))).flat().filter((r) => r.method === 'POST');
  const attempts = grouped(records, (record) => /storm-\d+-/.exec(record.body)?.[0]);
  const byId = new Map(calls.filter((call) => call.id).map((call) => [call.id, call]));
  const byInput = new Map(calls.flatMap((call) => [[call.tokens.in, call], [call.estimate, call]]));
  const booked = rows.filter((row) => ['charge', 'abandoned'].includes(row.type));
  const byRequest = grouped(booked, (row) => row.req);
  const report = { exact: [], part: [], abandoned: [], late: [] };

  // each charge is the price of its tokens, and one call's; no call is charged under two ids
  const requestsOf = new Map();
  for (const [id, own] of byRequest) {
    checkRows(own, id);
    const charge = own.find((row) => row.type === 'charge');
    if (!charge) continue;
    const call = callOf(charge, byInput, byId), price = cost(charge.model, tokensOf(charge), { variant: call.variant });
    assert.equal(-sum(own, (row) => row.nano), price, `${call.mark} ${id}: ${JSON.stringify(tokensOf(charge))} of ${charge.model}`);
    assert.equal(charge.model, call.model);
    assert.equal(requestsOf.get(call), undefined, `${call.mark} is charged twice`);
    requestsOf.set(call, { id, own, charge, paid: price });
    if (own.length > 1) report.late.push(price);
  }

  // each call: what the provider says it used, against what was booked for it
  const lost = new Map(); // key -> calls whose process was killed, without an id to look for
  for (const call of calls) {
    const mine = requestsOf.get(call), known = call.id ? byRequest.get(call.id) ?? [] : mine?.own ?? [];
    const what = `${call.mark} ${call.kind.name} (${call.status} ${call.id ?? 'no id'}) ${JSON.stringify(known.map((row) => [row.type, Number(row.nano), row.flags]))}`;
    const last = (attempts.get(call.mark) ?? []).sort((a, b) => a.time_ms - b.time_ms).at(-1);
    const abandoned = known.length === 1 && known[0].type === 'abandoned';
    if (abandoned) {
      // an admission whose reply died with the store ends by its lease, at no charge
      assert.ok(killedIn(call) || (refusedByStore(call) && known[0].nano === 0n), `abandoned, though nothing was killed: ${what}`);
      report.abandoned.push(-known[0].nano);
      continue;
    }
    if (!call.id && !mine) {
      // answered by nginx, or not at all: it never got in, or its process took it along; what costs nothing
      // may have been given back before that
      if (last && !call.left && call.kind.books !== 'nothing') lost.set(call.keyId, [...(lost.get(call.keyId) ?? []), call]);
      continue;
    }
    if (call.kind.books === 'nothing' || (call.status >= 400 && !mine)) {
      assert.equal(mine, undefined, `charged: ${what}`);
      continue;
    }
    if (call.kind.books === 'whole' && !call.left && call.status === 200 && isWhole(call)) {
      const used = { in: last.tokens.input, out: last.tokens.output, cr: last.tokens.cache_read, cw5: last.tokens.cache_write_5m, cw1: last.tokens.cache_write_1h, web: last.tokens.searches };
      assert.ok(mine, `not charged: ${what}`);
      assert.equal(last.end, 'complete', what);
      assert.equal(mine.charge.flags.replace('late', '').trim(), '', what);
      assert.deepEqual(tokensOf(mine.charge), used, what);
      assert.equal(mine.paid, cost(call.model, used, { variant: call.variant }), what);
      report.exact.push(mine.paid);
    } else if (mine) {
      if (!mine.charge.flags.includes('estimated')) assert.equal(Number(mine.charge.in), call.tokens.in, what);
      report.part.push(mine.paid);
    }
  }
  assert.ok(report.exact.length > REQUESTS / 3, `only ${report.exact.length} of ${calls.length} calls went through`);

  // what died before its client knew its id: each is one abandoned row of its key
  const nameless = grouped(booked.filter((row) => row.type === 'abandoned' && byRequest.get(row.req).length === 1 && !byId.has(row.req)), (row) => row.key);
  for (const owner of keys) {
    const found = nameless.get(owner.id) ?? [], sure = lost.get(owner.id) ?? [];
    const atMost = calls.filter((call) => call.keyId === owner.id && !call.id && !requestsOf.has(call) && killedIn(call)).length;
    assert.ok(found.length >= sure.length && found.length <= atMost, `key ${owner.id}: ${found.length} abandoned rows, ${sure.length} to ${atMost} requests died: ${sure.map((call) => call.mark)}`);
    report.abandoned.push(...found.map((row) => -row.nano));
  }

  // the sums: of the ledger, of what was told above, of each account and key
  const told = sum(report.exact) + sum(report.part) + sum(report.abandoned);
  assert.equal(-sum(booked, (row) => row.nano), told);
  for (const account of accounts) {
    const own = rows.filter((row) => row.account === account);
    const [balance, held, running] = (await stack.redis('HMGET', `{a:${account}}:account`, 'balance', 'held', 'running')).split('\n');
    assert.equal(BigInt(balance), sum(own, (row) => row.nano), account);
    assert.equal(own.at(-1).balance, BigInt(balance));
    assert.deepEqual([held, running], ['0', '0']);
    for (const owner of keys.filter((key) => key.account === account)) {
      const [spent, heldHere] = (await stack.redis('HMGET', `{a:${account}}:account`, `${owner.id}.spent:total`, `${owner.id}.held:total`)).split('\n');
      assert.equal(BigInt(spent || 0), -sum(own.filter((row) => row.key === owner.id), (row) => row.nano), owner.id);
      assert.equal(Number(heldHere || 0), 0);
    }
  }
  assert.match(await stack.ctl('ledger', 'verify'), /./); // exits 1 where anything differs
  const statuses = grouped(calls, (call) => call.status ?? 'broken');
  t.diagnostic(`answers: ${[...statuses.keys()].sort().map((status) => `${status} ${statuses.get(status).length}`).join(', ')}; left by the client ${calls.filter((call) => call.left).length}`);
  const dollars = (list) => `${list.length} ($${(Number(sum(list)) / 1e9).toFixed(6)})`;
  t.diagnostic(`seed ${SEED}: ${calls.length} calls, ${records.length} attempts; killed: ${chaos.kills.length} responders, redis ${chaos.outages}; nginx reloaded ${chaos.reloads}`);
  t.diagnostic(`charged in full ${dollars(report.exact)}, in part or estimated ${dollars(report.part)}, abandoned ${dollars(report.abandoned)}, of all these late ${dollars(report.late)}`);
});

// Two accounts ran dry under it: below zero by no more than what requests cost above their holds.
test('no balance is below what the holds allow', async () => {
  for (const account of accounts.slice(-POOR)) {
    const rows = await ledgerOf(account);
    let excess = 0n;
    for (const row of rows.filter((r) => r.type === 'charge')) {
      const receipt = JSON.parse(await stack.redis('GET', `{a:${account}}:receipt:${row.req}`));
      const over = BigInt(receipt.charge_nano_usd) - BigInt(receipt.hold_nano_usd);
      if (over > 0n) excess += over;
    }
    for (const row of rows) assert.ok(row.balance >= -excess, `${account}: ${row.balance} after ${row.req}, ${excess} above the holds`);
    assert.ok(calls.some((call) => call.account === account && call.status === 402), 'ran dry');
  }
});
