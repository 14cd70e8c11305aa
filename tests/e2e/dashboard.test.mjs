// The dashboard as people use it: Chromium with a wallet, the real stack, a real chain. Pictures of every page, light and
// dark, wide and on a phone, go to the output folder (DASHBOARD_PICTURES, else beside the build).
import test, { before, after } from 'node:test';
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import path from 'node:path';
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts';
import { build, startStack, call, root, until } from './stack.mjs';
import { FAST, TREASURY, startChain, chainRow, usdc } from './chain.mjs';
import { startBrowser, startWallet } from './browser.mjs';

const exec = promisify(execFile);
const CHAIN = 31337;
const MODEL = 'claude-sonnet-4-6'; // 3.00 in, 15.00 out
const PICTURES = process.env.DASHBOARD_PICTURES || path.join(build, 'dashboard-pictures');
const LONG_NAME = 'production backend, Frankfurt (do not rotate it)';
let stack, chain, dir, browser, wallet, page, context, apiKey, otherKey;

before(async () => {
  dir = await mkdtemp(path.join(os.tmpdir(), 'derouter-dashboard-'));
  chain = await startChain();
  await writeFile(path.join(dir, 'chains.json'), JSON.stringify({ chains: [chainRow(chain, [chain.url], { confirmations: 4, explorer: 'https://explorer.example/tx/' })] }));
  stack = await startStack({
    workers: 2, lighttpd: false,
    set: { ...FAST, cooldown: '10ms', cooldown_max: '10ms', chains_file: path.join(dir, 'chains.json'), login_rpm: '1000', api_rpm: '100000', support_url: 'https://support.example/help' },
  });
  const standin = await stack.standin();
  await stack.provider('one', standin.url, { models: [MODEL, 'claude-haiku-4-5'] });
  await stack.provider('two', standin.url, { models: [MODEL], extra: ['--rest', '22:00-06:00'] });
  await stack.online(MODEL);
  browser = await startBrowser(stack.nginx, PICTURES);
  context = await browser.context();
  const account = privateKeyToAccount(generatePrivateKey());
  await chain.rpc('anvil_setBalance', account.address, '0xde0b6b3a7640000');
  await chain.mint(account.address, usdc('500'));
  await chain.mine();
  wallet = startWallet(account, chain, CHAIN);
  page = await browser.tab(context, wallet);
});
after(async () => {
  await browser?.stop();
  await stack?.stop();
  await chain?.stop();
  if (dir) await rm(dir, { recursive: true });
});

const looks = async (name, options) => assert.deepEqual(await browser.look(page, name, options), []);
const ask = (prompt = '[[tokens in=1000 out=50]]', key = apiKey, model = MODEL) =>
  call(stack.nginx, { headers: { 'x-api-key': key }, body: { model, max_tokens: 64, messages: [{ role: 'user', content: prompt }] } });
const logIn = async (where = page) => {
  await where.bringToFront();
  await where.open('#/login');
  await (await where.waitForSelector('button.wallet')).click();
  await where.waitForSelector('.figures');
};

test('without a wallet the login says what to do; the guide and the quick start are there all the same', async () => {
  const bare = await browser.tab(await browser.context());
  await bare.open('#/keys');
  await bare.shows('No wallet found in this browser');
  assert.deepEqual(await browser.look(bare, 'login-no-wallet'), []);
  await bare.open('#/errors');
  await bare.shows('API Error Guide');
  await bare.close();
  await page.bringToFront();
});

test('a rejection is said, another network offers the switch, then the login works', async () => {
  await page.open('#/login');
  const button = await page.waitForSelector('button.wallet');
  await looks('login');
  wallet.reject = true;
  await button.click();
  await page.shows('You rejected the request in your wallet');
  await looks('login-rejected');
  wallet.reject = false;
  wallet.chainId = 1;
  await button.click();
  await page.shows('Your wallet is on another network');
  await looks('login-network');
  await page.press('Switch to Anvil');
  await page.waitForSelector('.figures');
  assert.equal(wallet.chainId, CHAIN);
  assert.equal(await page.evaluate(() => location.hash), '#/overview');
  // scripts cannot read the session
  const [cookie] = await context.cookies();
  assert.deepEqual([cookie.name, cookie.httpOnly, cookie.secure, cookie.sameSite], ['__Host-sid', true, true, 'Strict']);
  assert.equal(await page.evaluate(() => document.cookie + JSON.stringify({ ...localStorage, ...sessionStorage })).then((text) => text.includes(cookie.value)), false);
  await page.shows('Get going');
  await looks('overview-new');
});

test('a key with a budget of one dollar is made and shown once', async () => {
  await page.open('#/keys');
  await page.shows('No key yet');
  await looks('keys-empty');
  await page.press('New key');
  await page.fill('Name', 'laptop');
  await page.fill('Budget in USD', '1');
  await looks('key-form', { whole: false });
  await page.fill('Requests per minute', '100000');
  await page.press('Make key');
  assert.equal(await page.$eval('input[name="rpm"]', (node) => node.validity.rangeOverflow), true);
  await page.fill('Requests per minute', '120');
  await page.press('Make key');
  apiKey = await (await page.waitForSelector('#secret')).evaluate((node) => node.textContent);
  assert.match(apiKey, /^sk-ant-dr-/);
  await looks('key-secret', { whole: false });
  await page.press('I have saved it');
  await page.shows('laptop');
  await page.shows('120 / min');
  assert.doesNotMatch(await page.content(), new RegExp(apiKey));
  // One with a long name and all there is to say of a key; it ends with the day of the reader's own calendar.
  await page.emulateTimezone('Asia/Tokyo');
  await page.press('New key');
  await page.fill('Name', LONG_NAME);
  await page.fill('Budget in USD', '123456.789');
  await page.select('select[name="period"]', 'month');
  await page.select('select[name="expiry"]', 'date');
  await page.press('Make key');
  assert.equal(await page.$eval('input[type="date"]', (node) => node.validity.valueMissing), true); // no day is not "never"
  await page.$eval('input[type="date"]', (node) => (node.value = '2031-12-31'));
  await page.press('Make key');
  otherKey = await (await page.waitForSelector('#secret')).evaluate((node) => node.textContent);
  await page.press('I have saved it');
  await page.shows('Expires 31 Dec 2031');
  const long = (await page.evaluate(() => fetch('/api/keys').then((answer) => answer.json()))).data.find(({ name }) => name === LONG_NAME);
  assert.equal(long.expires_at, '2031-12-31T14:59:59.000Z');
  await page.press(`Edit ${LONG_NAME}`);
  assert.equal(await (await page.waitForSelector('input[type="date"]')).evaluate((node) => node.value), '2031-12-31');
  await page.keyboard.press('Escape');
  await page.emulateTimezone(null);
  await looks('keys');
});

test('out of credits, deposit, pending, credited: the same key answers again', async () => {
  const refused = await ask();
  assert.equal(refused.status, 402);
  assert.equal(refused.json.error.message, 'Insufficient balance');
  await page.open('#/activity');
  await page.shows('402 Insufficient balance');
  await page.open('#/deposit');
  const { address } = wallet.account;
  await page.shows(`Send only USDC on Anvil, from ${address.slice(0, 6)}…${address.slice(-4)} (your login wallet); not from an exchange.`);
  await page.shows('Less than 0.1 USDC is not credited.');
  assert.equal(await page.$eval('#treasury', (node) => node.textContent).then((text) => text.toLowerCase()), TREASURY.toLowerCase());
  await looks('deposit-empty');
  wallet.reject = true;
  await page.fill('Amount in USDC', '20');
  await page.press('Deposit with wallet');
  await page.shows('You rejected the request in your wallet');
  wallet.reject = false;
  await page.press('Deposit with wallet');
  await page.shows('Waiting for the chain');
  await chain.mine();
  await page.shows('1 of 4 confirmations');
  await looks('deposit-pending');
  assert.equal((await ask()).status, 402);
  await chain.mine();
  await page.shows('2 of 4 confirmations');
  await chain.mine(2);
  await page.waitForSelector('tr[data-status="credited"], tr[data-status="final"]');
  await page.shows('$20.00', '.balance-pill');
  const answered = await until('the key answers', async () => { const hit = await ask(); return hit.status === 200 && hit; });
  assert.ok(answered.headers['request-id']);
  await chain.mine(12);
  await looks('deposit');
});

test('a request is found by its id, its receipt adds up, errors lead to the guide', async () => {
  const id = (await ask('[[tokens in=2000 out=100]]')).headers['request-id'];
  await ask('[[fault 529]]');
  await page.open('#/activity');
  await page.shows(MODEL);
  await page.fill('Request id', id);
  await until('one row', async () => (await page.$$('tbody tr')).length === 1 && (await page.$eval('tbody tr', (row) => row.dataset.id)) === id);
  await (await page.$('tbody .row-link')).click();
  await page.shows('What it cost');
  const receipt = await page.text('dialog');
  assert.ok(receipt.includes(id));
  assert.match(receipt, new RegExp(`Key laptop ${apiKey.split('-').at(-2)}`));
  assert.match(receipt, /Received \d+ \w+ \d{4}, \d\d:\d\d:\d\d UTC/);
  assert.match(receipt, /Input 2,000 \$3\.00 \$0\.006/);
  assert.match(receipt, /Output 100 \$15\.00 \$0\.0015/);
  assert.match(receipt, /Charged \$0\.0075/);
  assert.match(receipt, /Given back \$0\./);
  assert.match(receipt, /p_[0-9a-f]{8}/);
  await looks('receipt', { whole: false });
  await page.keyboard.press('Escape');
  // the list goes on behind an open receipt; its row has the focus back all the same
  await page.open('#/activity');
  await page.waitForSelector(`tr[data-id="${id}"] .row-link`);
  await page.focus(`tr[data-id="${id}"] .row-link`);
  await page.keyboard.press('Enter');
  await page.shows('What it cost');
  const meanwhile = (await ask()).headers['request-id'];
  await page.waitForSelector(`tr[data-id="${meanwhile}"]`);
  await page.keyboard.press('Escape');
  await until('the row has the focus', async () => (await page.evaluate(() => document.activeElement.dataset.key)) === id);
  await page.open('#/activity?status=error');
  await page.shows('Upstream API is temporarily overloaded');
  await looks('activity-errors');
  await page.press('Upstream API is temporarily overloaded', 'link');
  await page.waitForSelector('#e-overloaded.marked');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'e-overloaded');
  await page.open('#/activity');
  await page.shows('Live');
  const next = (await ask(undefined, otherKey)).headers['request-id']; // comes in by itself
  await page.waitForSelector(`tr[data-id="${next}"]`);
  await page.shows(/^Balance \$19\.98$/, '.balance-pill'); // 19.98125
  await looks('activity');
  await page.open('#/activity/ledger');
  await page.shows('+$20.000000');
  await page.shows('−$0.003750');
  await page.shows('$19.985000');
  await page.shows('$19.981250');
  await looks('ledger');
  const csv = await page.evaluate(() => fetch('/api/ledger.csv').then((answer) => answer.text()));
  assert.ok(csv.includes(id));
});

test('the overview counts it; models, wallets, quick start and guide are there', async () => {
  await page.open('#/overview');
  await page.waitForSelector('.chart canvas');
  await page.shows('At the pace of the last day');
  await looks('overview');
  await page.$$eval('.chart-foot label', (labels) => labels.find((label) => label.textContent === 'Table').click());
  await page.waitForSelector('.card table caption');
  await page.open('#/models');
  await page.shows(MODEL);
  await (await page.waitForSelector(`tr[data-id="${MODEL}"] details.who summary`)).click();
  assert.match(await page.text(`tr[data-id="${MODEL}"]`), /p_[0-9a-f]{8}.*rests 22:00-06:00 UTC/s);
  assert.match(await page.text(`tr[data-id="${MODEL}"]`), /\$3\.00 \$15\.00/);
  await looks('models');
  await page.$$eval('label', (labels) => labels.find((label) => label.textContent === 'All models').click());
  await page.shows('none online');
  await looks('models-all');
  await page.open(`#/start?key=${apiKey.split('-').at(-2)}`);
  await page.shows(`curl ${stack.nginx}/v1/messages`);
  await page.shows('# laptop');
  await looks('start');
  // each of them works as it is pasted, once the key is in the environment
  const snippets = () => page.$$eval('[role="tabpanel"] .snippet pre', (nodes) => nodes.map((node) => node.textContent));
  const run = (program, words) => exec(program, words, { cwd: import.meta.dirname, env: { ...process.env, DEROUTER_API_KEY: apiKey } });
  for (const text of await snippets()) assert.match((await run('sh', ['-c', text])).stdout, /"role":"assistant"/);
  for (const client of ['Anthropic SDK', 'OpenAI SDK']) {
    await page.press(client, 'tab');
    const [js, py] = await snippets();
    assert.match((await run(process.execPath, ['--input-type=module', '-e', js])).stdout, /\S/);
    await run('python3', ['-c', 'import ast, sys; ast.parse(sys.argv[1])', py]);
  }
  for (const [client, text] of [['Anthropic SDK', `baseURL: '${stack.nginx}'`], ['OpenAI SDK', `baseURL: '${stack.nginx}/v1'`], ['claude-code', `ANTHROPIC_BASE_URL=${stack.nginx}`], ['codex', 'wire_api = "responses"']]) {
    await page.press(client, 'tab');
    await page.shows(text);
  }
  await page.open('#/errors');
  await page.shows('Every response includes a request-id header');
  // each error that the guide names is there, in the words that callers get
  const said = (await readFile(path.join(root, 'fcgi-app/base/errors.def'), 'utf8')).matchAll(/^DR_ERROR\((\w+), (\d+),.*, "((?:[^"\\]|\\.)*)"\)$/gm);
  const shown = await page.$$eval('.guide-entry', (nodes) => nodes.map((node) => [node.querySelector('.code').textContent, node.querySelector('h3').textContent]));
  const plain = (text) => text.replaceAll('\\"', '"').replace('$%s', '$N').replace('%lld', 'N').replace('"%s"', '"X"').replace(/\. Available models.*/, '');
  const rows = new Set([...said].map(([, , status, text]) => `${status} ${plain(text)}`));
  assert.equal(shown.length, 15);
  for (const [status, text] of shown) assert.ok(rows.has(`${status} ${text}`), `${status} ${text} is no row of errors.def`);
  assert.equal(await page.$$eval('.guide-entry a', (links) => links.filter((link) => link.textContent === 'contact support').every((link) => link.href === 'https://support.example/help')), true);
  await looks('errors');
});

test('another wallet is linked; sessions are listed and ended', async () => {
  const first = wallet.account;
  wallet.account = privateKeyToAccount(generatePrivateKey());
  await page.open('#/wallets');
  await page.press('Link a wallet');
  await (await page.waitForSelector('dialog button.wallet')).click();
  await page.shows(wallet.account.address);
  wallet.account = first;
  const other = await browser.tab(await browser.context(), wallet); // another browser
  await logIn(other);
  await page.bringToFront();
  await page.open('#/start');
  await page.open('#/wallets');
  await page.shows('End all others');
  await looks('wallets');
  await page.press('End all others');
  await page.waitForSelector('dialog');
  await page.$$eval('dialog button', (buttons) => buttons.find((button) => button.textContent === 'End all others').click());
  await until('one session', async () => !(await page.text()).includes('End all others'));
  await other.open('#/keys');
  await other.shows('Log in to DeRouter');
  await other.close();
  await page.bringToFront();
});

test('a budget that is spent is said so, a disabled key is answered 401, an enabled one answers', async () => {
  const id = apiKey.split('-').at(-2);
  await page.open('#/keys');
  await page.press('Edit laptop');
  await page.fill('Budget in USD', '0.000001');
  await page.press('Save');
  await until('budget spent', async () => (await ask()).json.error?.message === 'API key budget ($0.000001) exceeded');
  await page.press('Edit laptop');
  await page.fill('Budget in USD', '5');
  await page.press('Save');
  await until('the budget is raised', async () => (await ask()).status === 200);
  const menu = async (verb) => {
    await page.press('More for laptop', 'DisclosureTriangle');
    await page.press(verb);
  };
  await menu('Disable');
  await page.press('Disable key');
  await page.shows('Disabled', `tr[data-id="${id}"]`);
  const refused = await ask();
  assert.equal(refused.status, 401);
  assert.equal(refused.json.error.message, 'Invalid API key');
  await menu('Enable');
  await page.shows('Enabled', `tr[data-id="${id}"]`);
  await until('it answers', async () => (await ask()).status === 200);
  await menu('Rotate');
  await page.press('Rotate');
  const rotated = await (await page.waitForSelector('#secret')).evaluate((node) => node.textContent);
  await page.press('I have saved it');
  assert.equal((await ask(undefined, rotated)).status, 200);
  assert.equal((await ask()).status, 200); // within its grace
  await menu('Delete');
  await page.press('Delete key');
  await until('it is gone', async () => !(await page.$(`tr[data-id="${id}"]`)));
  assert.equal((await ask(undefined, rotated)).status, 401);
  await page.open('#/overview');
  await page.shows('laptop (deleted)');
});

test('by keyboard alone: skip link, tabs, a dialog that keeps and gives back the focus; the theme stays', async () => {
  const focused = () => page.evaluate(() => document.activeElement.textContent || document.activeElement.getAttribute('aria-label') || document.activeElement.id);
  await page.open('?#/start');
  await page.shows('Your client stays as it is');
  await page.keyboard.press('Tab');
  assert.equal(await focused(), 'Skip to the page');
  await page.keyboard.press('Enter');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'main');
  await page.focus('[role="tab"][aria-selected="true"]');
  await page.keyboard.press('ArrowLeft');
  assert.equal(await focused(), 'codex');
  await page.shows('wire_api = "responses"');
  await page.evaluate(() => (location.hash = '#/keys'));
  await page.shows(LONG_NAME);
  await until('the heading has the focus', async () => (await focused()) === 'Keys');
  await page.keyboard.press('Tab');
  assert.equal(await focused(), 'New key');
  await page.keyboard.press('Enter');
  await until('the form', async () => page.evaluate(() => document.activeElement.name === 'name'));
  for (let i = 0; i < 30; i++) {
    await page.keyboard.press('Tab');
    assert.ok(await page.evaluate(() => document.activeElement === document.body || document.querySelector('dialog').contains(document.activeElement)));
  }
  await page.keyboard.press('Escape');
  await until('the dialog is gone', async () => !(await page.$('dialog')));
  await until('the focus is back', async () => (await focused()) === 'New key');
  // of a dialog behind a menu it goes back to the menu
  await page.focus('details.menu summary');
  await page.keyboard.press('Enter');
  await page.keyboard.press('Tab');
  assert.equal(await focused(), 'Disable');
  await page.keyboard.press('Enter');
  await page.waitForSelector('dialog');
  await page.evaluate(() => import('/ui.js').then((ui) => ui.toast('seen')));
  assert.equal(await page.$eval('#toasts', (node) => node.matches(':popover-open')), true); // above the dialog
  await page.keyboard.press('Escape');
  await until('the menu has the focus', async () => page.evaluate(() => document.activeElement.matches('details.menu:not([open]) > summary')));
  await page.press('Switch to dark');
  await page.reload();
  await page.shows(LONG_NAME);
  assert.equal(await page.evaluate(() => getComputedStyle(document.documentElement).colorScheme), 'dark');
  await page.press('Switch to light');
  await page.setViewport({ width: 320, height: 700 });
  await page.press('Menu');
  assert.equal(await focused(), 'Overview');
  await looks('menu-open', { whole: false });
  await page.keyboard.press('Escape');
  await page.evaluate(() => localStorage.removeItem('theme'));
  await page.reload();
});

test('offline is said, and goes by itself', async () => {
  await page.open('#/activity');
  await page.shows(MODEL);
  await page.setOfflineMode(true);
  await page.shows('You are offline');
  await page.shows('Paused', '.live');
  await looks('offline');
  await page.setOfflineMode(false);
  await until('online again', async () => !(await page.text()).includes('You are offline'));
  await page.shows('Live', '.live');
});

// Sums that few have and states that are seldom: answers of /api changed on their way to the page.
test('a debt, a fortune, and deposits of every kind fit on a phone', async () => {
  const fakes = new Map();
  const put = (path, body) => fakes.set(path, body);
  const answer = (request) => {
    const body = fakes.get(new URL(request.url()).pathname);
    return body && request.respond({ contentType: 'application/json', body: JSON.stringify(body) });
  };
  const odd = await browser.tab(context, wallet, answer);
  const me = await odd.open('#/start').then(() => odd.evaluate(() => fetch('/api/me').then((hit) => hit.json())));
  put('/api/me', { ...me, balance_usd: '9007199.254740992', held_usd: '1234.56789', running: 12 });
  await odd.open('#/overview');
  await odd.shows('$9,007,199.25', '.balance-pill');
  assert.deepEqual(await browser.look(odd, 'overview-fortune'), []);
  await odd.setViewport({ width: 320, height: 700 });
  assert.ok(await odd.$eval('.nav-toggle', (node) => node.getBoundingClientRect().right <= innerWidth), 'the menu is on the screen');
  await odd.setViewport({ width: 1280, height: 900 });
  put('/api/me', { ...me, balance_usd: '-0.0042' });
  await odd.open('#/overview');
  await odd.shows('−$0.01', '.balance-pill.bad');
  const deposit = (status, more = {}) => ({ object: 'deposit', id: status + JSON.stringify(more), chainId: CHAIN, tx: `0x${'ab'.repeat(32)}`, from: wallet.account.address, amount_usd: '12.5', amount_nano_usd: 12500000000,
    status, confirmations: 3, confirmations_needed: 4, block: 7, explorer_url: null, seen_at: '2026-01-02T03:04:05Z', credited_at: null, ...more });
  put('/api/deposits', { object: 'list', has_more: false, next_cursor: null, data: [
    deposit('pending', { confirmations_needed: null }), deposit('pending', { amount_usd: null }), ...['credited', 'final', 'orphaned', 'reversed', 'unclaimed', 'below_min'].map((status) => deposit(status))] });
  await odd.open('#/deposit');
  await odd.shows('3 confirmations; credited once its block is final');
  await odd.shows('Less than the minimum; it is not credited.');
  assert.deepEqual(await browser.look(odd, 'deposit-kinds'), []);
  await odd.close();
  await page.bringToFront();
});

test('late deposits are said on the overview', async () => {
  const pid = await stack.watcherPid();
  process.kill(pid, 'SIGSTOP'); // a watcher that follows nothing
  try {
    await stack.redis('HSET', `{dep:${CHAIN}}:health`, 'ok_ms', String(Date.now() - 3600000));
    await page.open('#/overview');
    await page.shows('Deposits on Anvil are delayed');
    await looks('overview-delayed');
  } finally {
    process.kill(pid, 'SIGCONT');
  }
});

test('logging out in one tab is noticed in the other', async () => {
  const second = await browser.tab(context, wallet);
  await second.open('#/keys');
  await second.waitForSelector('.account button');
  await page.bringToFront();
  await page.open('#/overview');
  await page.waitForSelector('.figures');
  await page.press('Log out');
  await page.shows('You are logged out');
  await second.shows('You logged out in another tab');
  await logIn(page);
  await until('logged in there too', async () => second.$('.account button'));
  await second.close();
  await page.bringToFront();
});

test('a session that has expired leads to the login, and back to where one was', async () => {
  await page.open('#/models');
  await page.shows(MODEL);
  await stack.reload({ test_clock_offset: '86500s' });
  await page.shows('Invalid or expired token');
  await page.shows('Log in again — your wallet and keys are all still there.');
  await looks('login-expired');
  await (await page.waitForSelector('button.wallet')).click();
  await page.shows(MODEL);
  assert.equal(await page.evaluate(() => location.hash), '#/models');
  await stack.reload({ test_clock_offset: '0s' });
});

test('no request left the origin, the policy was never broken, no page threw', () => assert.deepEqual(browser.trouble, []));
