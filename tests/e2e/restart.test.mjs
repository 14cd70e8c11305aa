// A responder that dies or is told to go: the next request waits for the new one instead of being refused, and a
// stream under way ends whole.
import test, { before, after } from 'node:test';
import assert from 'node:assert/strict';
import { startStack, call, until } from './stack.mjs';

const MODEL = 'claude-sonnet-4-6';
let stack;
const body = (text, extra) => ({ model: MODEL, max_tokens: 64, messages: [{ role: 'user', content: text }], ...extra });
const ask = (text, extra) => call(stack.nginx, { headers: { 'x-api-key': stack.key }, body: body(text, extra) });

// nginx may still hold a connection that died with the responder (a 502 of its own making); what must not
// come is the new responder's 503 because it is not ready yet.
async function answered(text) {
  const seen = [];
  await until('an answer', async () => {
    seen.push((await ask(text)).status);
    return seen.at(-1) === 200;
  });
  assert.ok(!seen.includes(503), `statuses ${seen}`);
}

before(async () => {
  stack = await startStack({ workers: 1, lighttpd: false });
  const standin = await stack.standin();
  await stack.provider('main', standin.url, { models: [MODEL] });
  await stack.online(MODEL);
});
after(() => stack?.stop());

test('killed responders come back, and the request at their socket is answered', async () => {
  for (let i = 0; i < 3; i++) {
    const [pid] = await stack.workerPids();
    process.kill(pid, 'SIGKILL');
    await answered('hello');
  }
});

test('SIGTERM lets a stream end whole, and the next request is answered', async () => {
  const [pid] = await stack.workerPids();
  const running = ask('[[stream events=10 gap_ms=50]]', { stream: true });
  await new Promise((done) => setImmediate(done));
  await ask('hello'); // the stream was sent before it, on the same responder
  process.kill(pid, 'SIGTERM');
  const stream = await running;
  assert.equal(stream.status, 200);
  assert.match(stream.text, /event: message_stop/);
  await answered('hello again');
});
