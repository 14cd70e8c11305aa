// drain_on_abort: the client leaves, the provider is read on to its own count of tokens; bounded in time, bytes and number.
import test, { before, after } from 'node:test';
import assert from 'node:assert/strict';
import http from 'node:http';
import { startStack, call, until } from './stack.mjs';
import { dialects } from './dialects.mjs';

const MODEL = 'claude-sonnet-4-6';
const PRICE = 1000 * 3000 + 500 * 15000; // nano-USD: 1000 tokens in, 500 out
const USAGE = '[[tokens in=1000 out=500]]';
let stack, standin;

before(async () => {
  stack = await startStack({ workers: 1, lighttpd: false, set: { drain_on_abort: '50s', drain_timeout: '1s', default_rpm: '100000', breaker_failures: '1000' } });
  standin = await stack.standin('standin', ['--log-body', '4096']);
  await stack.provider('main', standin.url, { models: [MODEL] });
  await stack.online(MODEL);
});
after(() => stack?.stop());

async function customer(concurrency = 100) {
  const account = await stack.account_with('1000.00');
  return { account, key: await stack.key_of(account, '--concurrency', String(concurrency)) };
}
const field = async (account, name) => Number(await stack.redis('HGET', `{a:${account}}:account`, name));
const settled = (account) => until('settled', async () => (await field(account, 'running')) === 0 && (await field(account, 'held')) === 0, 60);

// Read one piece of the answer, then hang up.
function leave({ key }, where, prompt, extra = { stream: true }) {
  return new Promise((done, fail) => {
    const request = http.request(new URL(where.path, stack.nginx), { method: 'POST', headers: { 'x-api-key': key, 'content-type': 'application/json' } }, (response) => {
      response.on('error', () => {});
      response.once('data', () => {
        request.destroy();
        done(response.headers['request-id']);
      });
    });
    request.on('error', fail);
    request.end(JSON.stringify(where.body(MODEL, prompt, extra)));
  });
}
const receiptOf = (id) => until('receipt', () => stack.json('trace', id), 60);
const seenBy = (mark) => until('the provider is done', async () => (await standin.requests()).find((r) => r.body?.includes(mark)), 60);

for (const [name, where] of Object.entries(dialects))
  test(`${name}: a stream whose client left is read on and charged as the provider counts it`, async () => {
    const who = await customer(1), mark = `mark-${Math.random()}`;
    const id = await leave(who, where, `${mark} ${USAGE} [[stream events=60 gap_ms=50]]`);
    // the key's only slot is free while the hold stays
    await until('a call besides', async () =>
      (await call(stack.nginx, { path: where.path, headers: { 'x-api-key': who.key }, body: where.body(MODEL, '[[tokens in=0 out=0]] hello') })).status === 200);
    assert.equal((await standin.requests()).some((r) => r.body?.includes(mark)), false, 'it is still being read');
    assert.equal(await field(who.account, 'running'), 1);
    assert.ok((await field(who.account, 'held')) > 0);
    const receipt = await receiptOf(id);
    assert.equal((await seenBy(mark)).closed_early, false);
    assert.equal(receipt.after_abort, 'drained');
    assert.equal(receipt.estimated, false);
    assert.equal(receipt.charge_nano_usd, PRICE);
    assert.equal(receipt.error, 'CLIENT_GONE');
    await settled(who.account);
  });

test('a very long unary answer likewise', async () => {
  const who = await customer();
  const receipt = await receiptOf(await leave(who, dialects.messages, `${USAGE} [[stream events=100 bytes=100000]]`, {}));
  assert.equal(receipt.after_abort, 'drained');
  assert.equal(receipt.estimated, false);
  assert.equal(receipt.charge_nano_usd, PRICE);
  await settled(who.account);
});

test('a provider that breaks off meanwhile: what was seen is charged, and the client is still who ended it', async () => {
  const who = await customer();
  const receipt = await receiptOf(await leave(who, dialects.messages, `${USAGE} [[stream events=40 gap_ms=50 bytes=100]] [[fault cut-after=20]]`));
  assert.equal(receipt.after_abort, 'cut');
  assert.equal(receipt.estimated, true);
  assert.equal(receipt.error, 'CLIENT_GONE');
  assert.ok(receipt.charge_nano_usd > 0);
  await settled(who.account);
});

test('bounded in bytes', async () => {
  const who = await customer(), mark = `mark-${Math.random()}`;
  const receipt = await receiptOf(await leave(who, dialects.messages, `${mark} ${USAGE} [[stream events=300 bytes=100000]]`));
  assert.equal(receipt.after_abort, 'cut');
  assert.equal((await seenBy(mark)).closed_early, true);
  await settled(who.account);
});

test('bounded in number', async () => {
  await stack.reload({ drain_most: '1' });
  const who = await customer();
  const first = await leave(who, dialects.messages, `${USAGE} [[stream events=100 gap_ms=50]]`);
  await until('it is read on', async () => (await stack.redis('HVALS', `{a:${who.account}}:open:${who.key.split('-').at(-2)}`)).split(' ')[1] <= Date.now());
  const second = await leave(who, dialects.messages, `${USAGE} [[stream events=100 gap_ms=50]]`);
  assert.equal((await receiptOf(second)).after_abort, 'not drained');
  assert.equal((await receiptOf(first)).after_abort, 'drained');
  await settled(who.account);
  const third = await leave(who, dialects.messages, `${USAGE} [[stream events=40 gap_ms=50]]`);
  assert.equal((await receiptOf(third)).after_abort, 'drained', 'there is room again');
  await settled(who.account);
});

test('bounded in time', async () => {
  await stack.reload({ drain_on_abort: '300ms' });
  const who = await customer(), mark = `mark-${Math.random()}`;
  const receipt = await receiptOf(await leave(who, dialects.messages, `${mark} ${USAGE} [[stream events=2000 gap_ms=50 bytes=100]]`));
  assert.equal(receipt.after_abort, 'cut');
  assert.equal(receipt.estimated, true);
  assert.equal((await seenBy(mark)).closed_early, true);
  await settled(who.account);
  await stack.reload({ drain_on_abort: '50s' });
});

test('what became of them is counted', async () => {
  await until('counted', async () => {
    const { text } = await call(stack.nginx, { method: 'GET', path: '/metrics' });
    const n = (after) => Number(new RegExp(`^derouter_client_aborts_total\\{after="${after}"\\} (\\d+)$`, 'm').exec(text)?.[1]);
    assert.match(text, /^derouter_drains_running 0$/m);
    return n('drained') >= 5 && n('cut') >= 3 && n('not drained') === 1;
  });
});

test('a responder that is told to go does not read on for longer than drain_timeout', async () => {
  const who = await customer();
  const id = await leave(who, dialects.messages, `${USAGE} [[stream events=2000 gap_ms=50 bytes=100]]`);
  for (const pid of await stack.workerPids()) process.kill(pid, 'SIGTERM');
  assert.equal((await receiptOf(id)).after_abort, 'cut');
  await settled(who.account);
});
