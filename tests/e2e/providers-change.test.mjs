// An operator changes providers while they answer: what runs ends whole on the provider as it was, what comes is served by it
// as it is, and nothing stays behind.
import test, { before, after } from 'node:test';
import assert from 'node:assert/strict';
import { startStack, call, until } from './stack.mjs';
import { dialects } from './dialects.mjs';
import { cost } from './money.mjs';

const OTHER = 'claude-haiku-4-5';
const MODELS = ['claude-sonnet-4-6', 'claude-sonnet-4-5', 'claude-opus-4-8', 'claude-opus-4-7', 'claude-opus-4-6', 'claude-opus-4-5', 'claude-fable-5', 'claude-opus-5', 'claude-sonnet-5', 'claude-opus-5-5'];
let stack, account, key, standin, pids;

before(async () => {
  stack = await startStack({ workers: 2, lighttpd: false, set: { providers_poll: '30ms', lease_time: '2s', default_rpm: '100000', default_concurrency: '1000' } });
  standin = await stack.standin('standin', ['--credential', 'test-credential', '--credential', 'second']);
  account = await stack.account_with('1000.00');
  key = await stack.key_of(account);
  pids = await stack.workerPids();
});
after(() => stack?.stop());

const clock = (minutes) => new Date(Date.now() + minutes * 60000).toISOString().slice(11, 16);
const receiptOf = (got) => until('receipt', async () => JSON.parse((await stack.redis('GET', `{a:${account}}:receipt:${got.headers['request-id']}`)) || 'null'));
const served = (hit) => hit.status === 200;

// A provider of its own, the only one of its model.
function provider(name, model) {
  const ask = (prompt, extra) => call(stack.nginx, { headers: { 'x-api-key': key }, body: dialects.messages.body(model, prompt, extra) });
  const slots = async () => Number(await stack.redis('ZCARD', `{p:${name}}:running`));
  return {
    name, model, ask,
    add: () => stack.provider(name, standin.url, { models: [model] }),
    everywhere: (what, good) => until(what, async () => (await Promise.all(Array.from({ length: 8 }, () => ask('hello')))).every(good)),
    streams: (n) => Array.from({ length: n }, () => ask('[[tokens in=1000 out=50]] [[stream events=60 gap_ms=100]]', { stream: true })),
    run: (n) => until(`${n} run`, async () => (await slots()) >= n),
    noSlots: () => until('no slot taken', async () => (await slots()) === 0),
    async endWhole(calls) {
      for (const got of await Promise.all(calls)) {
        assert.equal(got.status, 200, got.text.slice(0, 300));
        assert.match(got.text, /event: message_stop/);
        assert.doesNotMatch(got.text, /event: error/);
        const receipt = await receiptOf(got);
        assert.equal(BigInt(receipt.charge_nano_usd), BigInt(cost(model, { in: 1000, out: 50 })));
        assert.deepEqual(receipt.attempts.map((a) => a.provider), [name]);
      }
    },
  };
}

// The streams last longer than a lease: slots are renewed on a record that has changed.
const rows = [
  ['set', ({ name }) => stack.ctl('provider', 'set', name, '--weight', '7', '--max-concurrency', '50'), served],
  ['set to other models', ({ name }) => stack.ctl('provider', 'set', name, '--model', OTHER), (hit) => hit.status === 400 && /is not available/.test(hit.json.error.message)],
  ['given another credential', ({ name }) => stack.ctlWithInput('second\n', 'provider', 'credential', name, '--credential-file', '-'), served],
  ['given a token', ({ name }) => stack.ctl('provider', 'token', name), served],
  ['sent to rest', ({ name }) => stack.ctl('provider', 'set', name, '--rest', `${clock(-5)}-${clock(60)}`), (hit) => hit.status === 503 && hit.json.error.message === 'All providers are in scheduled rest'],
  ['moved to where nobody is', ({ name }) => stack.ctl('provider', 'set', name, '--base-url', 'http://127.0.0.1:9'), (hit) => hit.status === 503],
  ['disabled', ({ name }) => stack.ctl('provider', 'disable', name), (hit) => hit.status === 400],
  ['removed', ({ name }) => stack.ctl('provider', 'remove', name), (hit) => hit.status === 400],
  ['removed and made again', async ({ name, add }) => (await stack.ctl('provider', 'remove', name), await add()), served],
];
test('a provider changes while streams run', { concurrency: 3 }, async (t) => {
  await Promise.all(rows.map(([what, change, now], i) => t.test(what, async () => {
    const it = provider(`changing-${i}`, MODELS[i]);
    await it.add();
    await it.everywhere('there', served);
    const calls = it.streams(6);
    await it.run(6);
    await change(it);
    await it.everywhere('in force', now);
    await it.run(6); // nobody was cut off
    await it.endWhole(calls);
    await it.noSlots();
  })));
});

test('changed by several at a time, without a pause: every call is served, every change is one whole record', async () => {
  const it = provider('shared', MODELS.at(-1));
  await it.add();
  await it.everywhere('there', served);
  const calls = it.streams(4), bad = [];
  let going = true;
  const load = Array.from({ length: 4 }, async () => {
    while (going) {
      const hit = await it.ask('hello');
      if (hit.status !== 200) bad.push(`${hit.status} ${hit.text}`);
    }
  });
  const words = [['set', it.name, '--weight', '3'], ['set', it.name, '--org', 'x'], ['token', it.name], ['set', it.name, '--priority', '7'], ['set', it.name, '--query', 'a=b']];
  let refused = 0;
  for (let round = 0; round < 8; round++)
    await Promise.all(words.map((w) => stack.ctl('provider', ...w).catch((error) => {
      assert.match(error.stderr, /somebody else changed it at the same time; try again/);
      refused++;
    })));
  going = false;
  await Promise.all(load);
  assert.deepEqual(bad, []);
  assert.ok(refused < words.length * 8);
  await it.endWhole(calls);
  const shown = await stack.json('provider', 'show', it.name);
  assert.deepEqual([shown.weight, shown.priority, shown.org, shown.models], [3, 7, 'x', it.model]);
  assert.equal(await stack.redis('HGET', 'providers', it.name), await stack.redis('HGET', `{p:${it.name}}:provider`, 'generation'));
  await it.noSlots();
});

test('the same processes, no hold', async () => {
  assert.deepEqual(await stack.workerPids(), pids);
  await until('all settled', async () => Number(await stack.redis('HGET', `{a:${account}}:account`, 'held')) === 0);
});
