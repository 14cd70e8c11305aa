// activity - every request as it comes in, to be filtered; its receipt; and the ledger, all that moved the balance.
import { add, h, live, replace } from '../dom.js';
import { icon } from '../icons.js';
import { all, get, query } from '../api.js';
import { on, poll } from '../store.js';
import { badge, card, empty, errorBox, heading, select, skeleton, table } from '../ui.js';
import { count, duration, moment, usd, zone } from '../format.js';
import { refreshMe } from '../session.js';
import { keyName, statusBadge, took } from '../rows.js';
import { openReceipt } from '../receipt.js';

export const title = 'Activity';
const STATUSES = [['', 'Any status'], ['2xx', 'Answered'], ['error', 'Errors'], ['4xx', '4xx'], ['5xx', '5xx'], ['402', '402 out of credits'], ['429', '429 too many'], ['529', '529 overloaded']];
const TYPES = { deposit: ['good', 'Deposit'], charge: ['plain', 'Charge'], usage: ['plain', 'Charge'], adjustment: ['info', 'Adjustment'], reversal: ['warn', 'Reversal'], abandoned: ['warn', 'Abandoned'], opening: ['plain', 'Opening'], credit: ['good', 'Credit'] };

function tokens(row) {
  const [read, written] = [row.cache_read_input_tokens ?? 0, row.cache_creation_input_tokens ?? 0];
  const prompt = (row.input_tokens ?? 0) + read + written;
  if (!prompt && !row.output_tokens) return h('span.muted', '–');
  const parts = [`${count(prompt)} in`, read ? `${count(read)} of them read from cache` : null, written ? `${count(written)} written to it` : null, `${count(row.output_tokens)} out`];
  return h('span', { title: parts.filter(Boolean).join(', ') }, `${count(prompt)} → ${count(row.output_tokens)}`);
}

// Opens over the list, which stays as it is; the address names the receipt meanwhile.
function receiptLink(id, text, tag) {
  return h(tag, {
    href: `#/activity/${id}`, 'data-key': id, 'aria-label': `Receipt of ${id}, ${text}`,
    onclick(event) {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      show(id, location.hash);
    },
  }, text);
}
function show(id, back) {
  const here = `#/activity/${id}`;
  history.replaceState(null, '', here);
  openReceipt(id).then(() => location.hash === here && history.replaceState(null, '', back));
}

const requestTable = (rows) => table([
  { name: 'Model', main: true, cell: (row) => receiptLink(row.id, row.model ?? 'no model', 'a.row-link') },
  { name: 'Time', cell: (row) => moment(row.time) },
  { name: 'Key', cell: keyName },
  { name: 'Status', cell: statusBadge },
  { name: 'Tokens in → out', num: true, phone: 'hide', cell: tokens },
  { name: 'First byte', num: true, phone: 'wide', cell: (row) => duration(row.first_byte_ms) },
  { name: 'Took', num: true, cell: took },
  { name: 'Cost', num: true, phone: 'end', cell: (row) => [usd(row.cost_usd, { fixed: true }), row.estimated ? h('abbr.small', { title: 'Estimated: the answer was cut before its usage was reported' }, ' est.') : null] },
], rows, { caption: 'Requests, newest first', compact: true, rowAttributes: (row) => ({ 'data-id': row.id }) });

// What a deposit's row says names its transaction: the page of deposits has all of it.
function reasonText(reason) {
  const found = /^deposit: (.*), transaction (0x[0-9a-f]{64})$/.exec(reason);
  return found ? h('span', { title: found[2] }, `${found[1]}, `, h('a', { href: '#/deposit' }, `${found[2].slice(0, 10)}…`)) : reason;
}

const ledgerTable = (rows) => table([
  { name: 'Type', main: true, cell: (row) => badge(...(TYPES[row.type] ?? ['plain', row.type])) },
  { name: 'Time', cell: (row) => moment(row.time) },
  { name: 'What', wrap: true, cell: (row) => (row.request ? receiptLink(row.request, row.model || row.request, 'a') : row.reason ? reasonText(row.reason) : row.key || '–') },
  { name: 'Amount', num: true, phone: 'end', cell: (row) => usd(row.usd, { fixed: true, sign: true }) },
  { name: 'Balance', num: true, phone: 'named', cell: (row) => usd(row.balance_usd, { fixed: true }) },
], rows, { caption: 'Ledger, newest first', compact: true });

// Pages of a list: what is asked, the cursors behind, the buttons.
function pager(ask, show) {
  const behind = [];
  let next = null;
  const newer = h('button.secondary.small', { type: 'button', disabled: true, 'data-key': 'newer', onclick: () => turn(() => behind.pop()) }, 'Newer');
  const older = h('button.secondary.small', { type: 'button', disabled: true, 'data-key': 'older', onclick: () => turn(() => behind.push(next)) }, 'Older');
  const turn = (move) => (move(), read());
  async function read() {
    const page = await ask(behind.at(-1) ?? '');
    next = page.next_cursor;
    newer.disabled = !behind.length;
    older.disabled = !page.has_more;
    node.hidden = newer.disabled && older.disabled;
    show(page.data);
  }
  const node = h('nav.pager', { 'aria-label': 'Pages of the list', hidden: true }, newer, older);
  return { node, read, first: () => !behind.length, reset: () => behind.splice(0) };
}

function drawLedger(node, { signal }) {
  const place = h('div', skeleton(6));
  const show = live(place, (rows) => (rows.length ? ledgerTable(rows) : empty('Nothing booked yet', 'Deposits and charges appear here, each with the balance after it.')));
  const pages = pager((cursor) => get(`/api/ledger${query({ limit: '50', cursor })}`, { signal }), show);
  add(node, card('Ledger', { actions: h('a.button.secondary.small', { href: '/api/ledger.csv', download: 'derouter-ledger.csv' }, icon('deposit'), 'Export CSV') }, place, pages.node));
  const first = () => pages.read().catch((error) => error.name === 'AbortError' || replace(place, errorBox(error, first)));
  first();
  poll(() => (pages.first() ? pages.read() : undefined), 15000, signal);
}

function filters(values, keys, models, changed) {
  const pick = (label, name, options) => select(options, values[name], { 'aria-label': label, onchange: (event) => changed({ [name]: event.target.value }) });
  const id = h('input', {
    type: 'search', 'aria-label': 'Request id', placeholder: 'Request id, req_…', value: values.id, autocomplete: 'off', spellcheck: 'false',
    oninput: () => (clearTimeout(id.timer), (id.timer = setTimeout(() => changed({ id: id.value.trim() }), 300))),
  });
  return h('search.filters', id,
    pick('Key', 'key', [['', 'Every key'], ...keys.map((key) => [key.id, key.name || key.id])]),
    pick('Model', 'model', [['', 'Every model'], ...models.map((model) => [model.id, model.id])]),
    pick('Status', 'status', STATUSES));
}

async function drawRequests(node, context) {
  const { signal } = context;
  const values = Object.fromEntries(['key', 'model', 'status', 'id'].map((name) => [name, context.query.get(name) ?? '']));
  const bar = h('div');
  const place = h('div', skeleton(8));
  const liveWord = h('span', 'Live');
  const liveMark = h('span.live', h('span.live-dot', { 'aria-hidden': 'true' }), liveWord);
  const reached = (yes) => (liveMark.classList.toggle('paused', !yes), (liveWord.textContent = yes ? 'Live' : 'Paused'));
  on('offline', () => reached(false), signal);
  on('online', () => reached(true), signal);
  let newest;
  const filtered = () => Object.values(values).some(Boolean);
  const show = live(place, (rows) => (rows.length ? requestTable(rows)
    : filtered() ? empty('Nothing matches', 'No request of the last 10,000 is like that.', h('a', { href: '#/activity' }, 'Show all'))
      : empty('No request yet', 'Each call with one of your keys appears here as it happens, with its tokens and its price.', h('a', { href: '#/start' }, 'Make a first call'))));
  const pages = pager((cursor) => get(`/api/requests${query({ ...values, limit: '50', cursor })}`, { signal }), (rows) => {
    liveMark.classList.toggle('off', !pages.first());
    if (newest !== undefined && newest !== rows[0]?.id) refreshMe({ signal }).catch(() => {}); // the balance in the corner keeps up
    newest = rows[0]?.id;
    show(rows);
  });
  const read = () => pages.read().catch((error) => error.name === 'AbortError' || replace(place, errorBox(error, read)));
  function changed(some) {
    Object.assign(values, some);
    history.replaceState(null, '', `#/activity${query(values)}`);
    pages.reset();
    read();
  }
  add(node, card('Requests', { actions: liveMark }, bar, place, pages.node));
  replace(bar, filters(values, [], [], changed));
  Promise.all([all('/api/keys', { signal }), all('/api/models', { signal })]).then(([keys, models]) => replace(bar, filters(values, keys, models, changed)), () => {});
  await read();
  poll(() => (pages.first() ? pages.read() : undefined), 4000, signal);
}

export async function draw(node, context) {
  const [part] = context.rest;
  const tab = (name, href, here) => h('a', { href, 'aria-current': here ? 'page' : null }, name);
  const ledger = part === 'ledger';
  add(node, heading('Activity', { text: `The last 10,000 requests, as they happen. Times in ${zone()}.` }),
    h('nav.sub-nav', { 'aria-label': 'Activity' }, tab('Requests', '#/activity', !ledger), tab('Ledger', '#/activity/ledger', ledger)));
  if (ledger) return drawLedger(node, context);
  if (part) show(part, '#/activity');
  return drawRequests(node, context);
}
