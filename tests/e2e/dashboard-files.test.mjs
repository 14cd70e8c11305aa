// The dashboard's files: what each of the three web servers says of them, that they need nothing that is not there, and
// the modules that can be asked without a browser.
import test, { before, after } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { startStack, call, root } from './stack.mjs';
import { startApache } from './apache.mjs';
import { confirmations, decimals, duration, money, nano } from '../../dashboard/format.js';
import { CODES, SECTIONS, byMessage, byName, inShort } from '../../dashboard/guide.js';

const dashboard = path.join(root, 'dashboard');
const POLICY = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'";
const TYPES = { html: /^text\/html/, js: /^text\/javascript/, css: /^text\/css/, svg: /^image\/svg\+xml/ };
let stack, apache;
before(async () => {
  stack = await startStack({ workers: 1 });
  apache = await startApache(stack);
});
after(async () => {
  await apache?.stop();
  await stack?.stop();
});

const files = readdirSync(dashboard, { recursive: true }).filter((name) => /\.(html|js|css|svg)$/.test(name));

test('every file comes with its type, the policy and the right age, from each web server', async () => {
  for (const base of [stack.nginx, stack.lighttpd, apache.base])
    for (const name of ['', ...files]) {
      const hit = await call(base, { method: 'GET', path: `/${name}` });
      const what = `${base}/${name}`;
      assert.equal(hit.status, 200, what);
      assert.match(hit.headers['content-type'], TYPES[name.split('.').at(-1) || 'html'], what);
      assert.equal(hit.headers['content-security-policy'], POLICY, what);
      assert.equal(hit.headers['x-content-type-options'], 'nosniff', what);
      assert.equal(hit.headers['referrer-policy'], 'no-referrer', what);
      assert.equal(hit.headers['cache-control'], name.startsWith('vendor/') ? 'public, max-age=31536000, immutable' : 'no-cache', what);
      assert.equal(hit.text, readFileSync(path.join(dashboard, name || 'index.html'), 'utf8'), what);
      if (name) continue;
      const again = await call(base, { method: 'GET', path: '/', headers: { 'if-none-match': hit.headers.etag } });
      assert.equal(again.status, 304, what);
    }
});

test('nothing but these files is served there', async () => {
  for (const base of [stack.nginx, stack.lighttpd, apache.base]) {
    for (const where of ['/nothing', '/pages/', '/..%2fMakefile.am', '/%2e%2e/Makefile.am', '/.git/config', '/vendor/none.js'])
      assert.ok([400, 403, 404].includes((await call(base, { method: 'GET', path: where })).status), `${base}${where}`);
    for (const method of ['PUT', 'DELETE']) assert.ok([403, 404, 405].includes((await call(base, { method, path: '/app.js' })).status), `${base} ${method}`);
  }
  const outside = await call(stack.nginx, { method: 'POST', path: '/', body: {} });
  assert.equal(outside.status, 404);
  assert.ok(outside.json.error.message);
});

test('what a file asks for is there, and on the same origin', () => {
  for (const name of files.filter((file) => !file.startsWith('vendor'))) {
    const text = readFileSync(path.join(dashboard, name), 'utf8');
    const asked = [...text.matchAll(/(?:from |import\(|href="|src="|url\("|(?:href|src): ')["'`]?([\w./-]+\.(?:js|css|svg))/g)].map((found) => found[1]);
    for (const one of asked) {
      const from = name.endsWith('.js') && !one.startsWith('.') ? dashboard : path.dirname(path.join(dashboard, name));
      const where = one.startsWith('/') ? path.join(dashboard, one) : path.resolve(from, one);
      assert.ok(files.includes(path.relative(dashboard, where)), `${name} asks for ${one}`);
    }
    if (name === 'index.html') assert.ok(asked.length >= 8);
  }
});

test('money is counted in whole nano-dollars and shown cut off, never rounded up', () => {
  for (const [text, value, shown] of [
    ['0', 0n, '$0.00'], ['12.5', 12500000000n, '$12.50'], ['0.000000001', 1n, '$0.00'], ['0.00005', 50000n, '$0.00'], ['0.00019', 190000n, '$0.0001'],
    ['-3.10004', -3100040000n, '−$3.1001'], ['-0.000000001', -1n, '−$0.0001'], ['9007199.254740993', 9007199254740993n, '$9,007,199.2547'], ['123456789012.999999999', 123456789012999999999n, '$123,456,789,012.9999'],
    ['1e5', 0n, '$0.00'], [null, 0n, '$0.00'],
  ]) {
    assert.equal(nano(text), value, text);
    assert.equal(decimals(value), shown, text);
  }
  assert.equal(decimals(19985000000n, 2, 2), '$19.98'); // what the corner of each page says of a balance
  assert.equal(decimals(-19985000000n, 2, 2), '−$19.99');
  assert.deepEqual([3750000n, 24000n, 999n, -999n, 0n, 2622219999n].map(money), ['$0.00375', '$0.000024', '<$0.000001', '−<$0.000001', '$0.00', '$2.6222']);
  assert.equal(decimals(7500000n, 2, 9), '$0.0075');
  assert.equal(decimals(nano('3'), 2, 9), '$3.00');
  assert.deepEqual([0, 999, 1000, 61000, null].map(duration), ['0 ms', '999 ms', '1.00 s', '1 min 1 s', '–']);
});

test('a deposit says what it waits for, a number of confirmations or the word of the chain', () => {
  const chains = [{ chainId: 1, policy: 'safe', finalized_above: '100' }, { chainId: 2, policy: 'blocks', finalized_above: '100' }];
  const says = (chainId, amount_usd, needed, have = 3) => confirmations({ chainId, amount_usd, confirmations: have, confirmations_needed: needed }, chains);
  assert.equal(says(2, '20', 4), '3 of 4 confirmations');
  assert.equal(says(2, '100.5', null), '3 confirmations; credited once its block is final');
  assert.equal(says(1, '100', null, 1), '1 confirmation; credited once its block is safe');
  assert.equal(says(1, '100.000001', null), '3 confirmations; credited once its block is final');
});

test('every error that a caller can meet has words, and the guide is found by name and by message', () => {
  const rows = [...readFileSync(path.join(root, 'fcgi-app/base/errors.def'), 'utf8').matchAll(/^DR_ERROR\((\w+), (\d+)/gm)].map(([, name, status]) => [name, Number(status)]);
  assert.ok(rows.length > 30);
  const ids = new Set(SECTIONS.flatMap((section) => [section.id, ...section.entries.map((entry) => entry.id)]));
  for (const [name, status] of rows) {
    const { text, id } = inShort(name);
    assert.ok(text && !/_|\(N\)/.test(text), name);
    assert.ok(id === null || ids.has(id), `${name} leads to ${id}`);
    const entry = byName(name);
    if (entry) assert.equal(entry.status, status, name);
  }
  for (const [, , , id] of CODES) assert.ok(ids.has(id), id);
  for (const entry of SECTIONS.flatMap((section) => section.entries)) for (const name of entry.names) assert.ok(rows.some(([row]) => row === name), `${name} is no row of errors.def`);
  for (const [message, id] of [['Insufficient balance', 'insufficient-balance'], ['API key budget ($10.5) exceeded', 'budget-exceeded'], ['Requests per minute limit (60) exceeded', 'rpm-limit'],
    ['Concurrent limit (5) exceeded', 'concurrent-limit'], ['Model "x" is not available. Available models: a, b', 'model-not-available'], ['Invalid or expired token', 'invalid-token']])
    assert.equal(byMessage(message)?.id, id, message);
  assert.equal(byMessage('something else'), undefined);
});
