// What one responder finds out about a provider counts for all of them: a refused credential, a rest that was asked
// for; derouterctl shows it with its end.
import test, { before, after } from 'node:test';
import assert from 'node:assert/strict';
import { startStack, call, until } from './stack.mjs';
import { dialects } from './dialects.mjs';

const WORKERS = 4, { messages } = dialects;
let stack, key, account;

before(async () => {
  stack = await startStack({ workers: WORKERS, lighttpd: false,
    set: { providers_poll: '100ms', default_rpm: '100000', default_concurrency: '1000', cooldown_max: '60s', retry_wait_max: '0s', breaker_failures: '1000' } });
  account = await stack.account_with('100.00');
  key = await stack.key_of(account);
});
after(() => stack?.stop());

const ask = (model, prompt = 'hello', extra = {}) => call(stack.nginx, { path: messages.path, headers: { 'x-api-key': key }, body: messages.body(model, prompt, extra) });
const show = (name) => stack.json('provider', 'show', name);
// Every responder answers so: each is asked many times over.
const everybody = (what, model, good) => until(what, async () => {
  const hits = await Promise.all(Array.from({ length: 5 * WORKERS }, () => ask(model)));
  const bad = hits.find((hit) => !good(hit));
  if (bad) throw new Error(`${bad.status} ${bad.text.slice(0, 200)}`);
  return hits;
});
const refused = (hit) => hit.status === 502 && hit.json.error.message === 'Provider authentication failed';

test('a refused credential is met once, and is out for all until it is changed', async () => {
  const model = 'claude-opus-4-8', standin = await stack.standin('picky', ['--credential', 'the-right-one']);
  await stack.provider('picky', standin.url, { models: [model] });
  await until('met', async () => refused(await ask(model)));
  await until('shown', async () => (await show('picky')).state === 'flagged');
  assert.match((await show('picky')).why, /^refused its credential or account \d+ s ago/);
  // one after the other: a responder that a poll has not reached yet meets it once, and knows
  for (let i = 0; i < 5 * WORKERS; i++) assert.ok(refused(await ask(model)));
  const met = (await standin.requests()).length;
  await everybody('still out', model, refused);
  assert.equal((await standin.requests()).length, met); // nobody was sent there to find out
  assert.ok(met <= WORKERS, `${met} met it`); // those that a poll had not reached yet

  // a probe that fails does not lift it
  await assert.rejects(stack.json('provider', 'probe', 'picky'), ({ stdout }) => JSON.parse(stdout).result === 'flagged');
  await everybody('out after the probe', model, refused);
  await stack.ctlWithInput('the-right-one\n', 'provider', 'credential', 'picky', '--credential-file', '-');
  await everybody('in again', model, (hit) => hit.status === 200);
  assert.equal((await show('picky')).state, 'alive');
});

test('a probe that goes well lifts the flag everywhere', async () => {
  const model = 'claude-opus-4-7', standin = await stack.standin('moody', ['--name', 'moody']);
  await stack.provider('moody', standin.url, { models: [model] });
  await until('met', async () => refused(await ask(model, '[[fault 403]]')));
  await everybody('out', model, refused);
  assert.equal((await stack.json('provider', 'probe', 'moody')).result, 'alive');
  await everybody('in again', model, (hit) => hit.status === 200);
});

test('a rest that a provider asks for is kept by all, and said how long it is', async () => {
  const model = 'claude-haiku-4-5', standin = await stack.standin('busy', ['--name', 'busy']);
  await stack.provider('busy', standin.url, { models: [model] });
  await stack.online(model, key);
  const overloaded = (hit) => hit.status === 529 && Number(hit.headers['retry-after']) <= 40 && Number(hit.headers['retry-after']) > 10;
  const asked = Date.now();
  await until('met', async () => (await ask(model, '[[fault 429 retry-after=40]]')).status === 529);
  await everybody('resting', model, overloaded);
  const met = (await standin.requests()).length;
  const shown = await show('busy');
  assert.equal(shown.state, 'cooling');
  const until_ms = Date.parse(/^overloaded, rests until (.*)$/.exec(shown.why)[1]);
  assert.ok(Math.abs(until_ms - asked - 40_000) < 5000, shown.why);
  await everybody('still resting', model, overloaded);
  assert.equal((await standin.requests()).length, met);
  // the operator knows better: a record that is written anew begins anew
  await stack.ctl('provider', 'enable', 'busy');
  await everybody('awake', model, (hit) => hit.status === 200);
  assert.equal((await show('busy')).state, 'alive');
});

test('a caller whose call is the probe of a silent provider is not kept waiting for it', async () => {
  const model = 'claude-sonnet-4-6', standin = await stack.standin('mute', ['--name', 'mute']);
  await stack.provider('mute', standin.url, { models: [model], extra: ['--priority', '1'] });
  await stack.provider('spoken', standin.url, { models: [model], extra: ['--priority', '2'] });
  await stack.online(model, key);
  await stack.reload({ failover_after: '1s', response_timeout: '30s' });
  // as if it had failed a while ago: half open
  const generation = await stack.redis('HGET', '{p:mute}:provider', 'generation');
  await stack.redis('HSET', '{p:mute}:state', 'open.generation', generation, 'open.until', '1');
  await until('heard of', async () => (await stack.operatorLog()).match(/mute: circuit opened/g)?.length === WORKERS + 1); // and the watcher
  await until('a probe', async () => {
    const got = await ask(model, '[[fail first=1 id=mute fault=silence]]');
    assert.equal(got.status, 200, got.text);
    const receipt = await until('receipt', async () => JSON.parse((await stack.redis('GET', `{a:${account}}:receipt:${got.headers['request-id']}`)) || 'null'));
    if (receipt.attempts.length < 2) return false;
    assert.deepEqual(receipt.attempts.map((a) => [a.provider, a.outcome]), [['mute', 'silent'], ['spoken', 'ok']]);
    assert.ok(receipt.total_ms < 10_000, `${receipt.total_ms} ms`);
    return true;
  });
  assert.equal((await show('mute')).state, 'open');
  await stack.reload({ failover_after: '60s', response_timeout: '300s' });
});

test('longer rests than cooldown_max are not kept', async () => {
  const model = 'claude-sonnet-4-5', standin = await stack.standin('greedy', ['--name', 'greedy']);
  await stack.provider('greedy', standin.url, { models: [model] });
  await stack.online(model, key);
  await until('met', async () => (await ask(model, '[[fault 429 retry-after=86400]]')).status === 529);
  const until_ms = await until('shown', async () => Date.parse(/rests until (.*)$/.exec((await show('greedy')).why)?.[1]));
  assert.ok(until_ms - Date.now() < 62_000, `${until_ms - Date.now()} ms`);
});
