// The key that providers' credentials are sealed with is changed while they are in use, by several at a time, while somebody
// types one, and killed anywhere: no call fails, and no credential is lost.
import test, { before, after } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { closeSync, constants, openSync, readFileSync, statSync, writeSync } from 'node:fs';
import path from 'node:path';
import { startStack, call, until, build } from './stack.mjs';
import { dialects } from './dialects.mjs';

const MODELS = ['claude-sonnet-4-6', 'claude-opus-4-8', 'claude-haiku-4-5', 'claude-opus-4-6', 'claude-sonnet-4-5'];
let stack, standin, key, file;

before(async () => {
  stack = await startStack({ workers: 2, lighttpd: false, set: { providers_poll: '20ms', default_rpm: '100000', default_concurrency: '100' } });
  standin = await stack.standin('standin', ['--credential', 'test-credential']);
  for (const model of MODELS) await stack.provider(`of-${model}`, standin.url, { models: [model] });
  key = await stack.key_of(await stack.account_with('100.00'));
  for (const model of MODELS) await stack.online(model, key);
  file = path.join(stack.state, 'secrets.key');
});
after(() => stack?.stop());

const ask = (model) => call(stack.nginx, { headers: { 'x-api-key': key }, body: dialects.messages.body(model, 'hello') });
const keys = () => readFileSync(file, 'utf8').split('\n').filter(Boolean);
// derouterctl, to be killed or typed at.
function ctl(...words) {
  const child = spawn(path.join(build, 'derouterctl'), ['-c', path.join(stack.state, 'derouter.conf'), ...words], { stdio: ['pipe', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (piece) => (said += piece));
  child.stdin.on('error', () => {});
  const ended = new Promise((on) => child.on('close', (code, signal) => on({ code, signal, said })));
  return { child, ended };
}
// Calls of every model until `work` is over; all of them must be good.
async function underLoad(work) {
  let going = true;
  const bad = [];
  const load = MODELS.map(async (model) => {
    while (going) {
      const got = await ask(model);
      if (got.status !== 200) bad.push(`${model}: ${got.status} ${got.text}`);
    }
  });
  try {
    await work();
  } finally {
    going = false;
    await Promise.all(load);
  }
  assert.deepEqual(bad, []);
}

test('again and again, and by several at a time', async () => {
  const first = keys()[0], seen = new Set([first]);
  await underLoad(async () => {
    for (let round = 0; round < 6; round++) {
      const runs = await Promise.all(Array.from({ length: 1 + (round % 3) }, () => ctl('secrets', 'rotate').ended));
      for (const { code, said } of runs) assert.equal(code, 0, said);
      assert.equal(keys().length, 1);
      assert.ok(!seen.has(keys()[0]));
      seen.add(keys()[0]);
    }
  });
  assert.equal(statSync(file).mode & 0o777, 0o600);
});

test('killed anywhere', async () => {
  const started = Date.now();
  assert.equal((await ctl('secrets', 'rotate').ended).code, 0);
  const takes = Date.now() - started;
  let killed = 0;
  await underLoad(async () => {
    for (let i = 0; i < 25; i++) {
      const { child, ended } = ctl('secrets', 'rotate');
      setTimeout(() => child.kill('SIGKILL'), (takes * (i % 25)) / 20);
      killed += (await ended).signal === 'SIGKILL';
      assert.ok(keys().length <= 2, `${keys().length} keys`);
    }
  });
  assert.ok(killed > 5, `${killed} were killed`);
  assert.equal((await ctl('secrets', 'rotate').ended).code, 0);
  assert.equal(keys().length, 1);
  for (const model of MODELS) assert.equal((await stack.json('provider', 'probe', `of-${model}`)).result, 'alive');
});

test('while somebody types a credential', async () => {
  const model = 'claude-opus-4-7';
  const line = path.join(stack.state, 'typed');
  execFileSync('mkfifo', [line]);
  const { ended } = ctl('provider', 'add', 'typed', '--dialect', 'anthropic', '--base-url', standin.url, '--allow-http', '--model', model, '--max-concurrency', '5', '--credential-file', line);
  // opens once it waits there
  const fd = await until('it waits', () => {
    try {
      return openSync(line, constants.O_WRONLY | constants.O_NONBLOCK);
    } catch {
      return false;
    }
  });
  await stack.ctl('secrets', 'rotate');
  writeSync(fd, 'test-credential\n');
  closeSync(fd);
  const { code, said } = await ended;
  assert.equal(code, 0, said);
  await until('in use', async () => (await ask(model)).status === 200);
});

test('in two steps, for several machines', async () => {
  const old = keys()[0];
  await underLoad(async () => {
    assert.match(await stack.ctl('secrets', 'rotate', '--prepare'), /copy it to every machine/);
    const both = keys();
    assert.deepEqual([both.length, both[1]], [2, old]);
    await stack.ctl('secrets', 'rotate', '--prepare'); // it is prepared already
    assert.deepEqual(keys(), both);
    assert.match(await stack.ctl('secrets', 'rotate'), /^6 credentials sealed/);
    assert.deepEqual(keys(), [both[0]]);
  });
});

test('a credential that does not open is our trouble, not the caller\'s', async () => {
  const [model] = MODELS, name = `of-${model}`;
  await stack.redis('HSET', `{p:${name}}:provider`, 'credential', 'v1.AAAA', 'generation', '9000000000000000');
  const got = await until('told', async () => {
    const hits = await Promise.all(Array.from({ length: 8 }, () => ask(model)));
    return hits.every((hit) => hit.status === 502) && hits[0];
  });
  assert.equal(got.json.error.message, 'Provider authentication failed');
  const shown = await stack.json('provider', 'show', name);
  assert.equal(shown.state, 'flagged');
  assert.match(shown.why, /does not open/);
  await stack.ctlWithInput('test-credential\n', 'provider', 'credential', name, '--credential-file', '-');
  await until('good again', async () => (await Promise.all(Array.from({ length: 8 }, () => ask(model)))).every((hit) => hit.status === 200));
});

test('none of it is told', async () => {
  assert.doesNotMatch(await stack.operatorLog(), /test-credential|[0-9a-f]{64}/);
  assert.doesNotMatch(JSON.stringify(await stack.json('provider', 'list')), /test-credential|v1\./);
});
