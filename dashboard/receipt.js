// receipt - one request, itemised: how it went, who was tried, what was counted, what each count costs, what was held,
// charged and given back.
import { h, replace } from './dom.js';
import { get } from './api.js';
import { openDialog } from './dialog.js';
import { byName, inShort } from './guide.js';
import { copyButton, errorBox, notice, skeleton, supportLink, withSupport } from './ui.js';
import { count, decimals, duration, nano, stamp } from './format.js';

const nanoUsd = (n) => h('span.money', { title: `${n} nano-dollars` }, decimals(BigInt(n), 2, 9));
const OUTCOMES = { served: 'answered', ok: 'answered' };

function facts(pairs) {
  return h('dl.facts', pairs.filter(([, value]) => value !== null && value !== undefined && value !== '').map(([name, value]) => h('div', h('dt', name), h('dd', value))));
}

function errorPart(receipt) {
  if (!receipt.error) return null;
  const entry = byName(receipt.error);
  const { text } = inShort(receipt.error, receipt.model_asked ?? receipt.model);
  return notice(receipt.status >= 500 ? 'bad' : 'warn', h('strong', text),
    entry ? h('p', entry.what, ' ', withSupport(entry.fix), ' ', h('a', { href: `#/errors/${entry.id}` }, 'In the error guide'))
      : h('p', 'If it happens again, ', supportLink(), ' with the request id.'));
}

function attempts(list) {
  if (!list?.length) return null;
  return [h('h3', 'Attempts'), h('ol.attempts', list.map((one) => h('li',
    h(`span.badge.${one.status >= 200 && one.status < 300 ? 'good' : 'warn'}`, one.status ? String(one.status) : 'none'),
    h('code', one.provider), h('span.muted', OUTCOMES[one.outcome] ?? String(one.outcome ?? '').replaceAll('_', ' ')), h('span.num', duration(one.ms)))))];
}

const COUNTS = [
  ['input', 'Input', 'input_usd_per_million'],
  ['cache_read', 'Read from cache', 'cache_read_usd_per_million'],
  ['cache_write_5m', 'Written to cache, 5 min', 'cache_write_5m_usd_per_million'],
  ['cache_write_1h', 'Written to cache, 1 h', 'cache_write_1h_usd_per_million'],
  ['output', 'Output', 'output_usd_per_million'],
];

function costs({ usage, price, ...receipt }) {
  if (!usage) return null;
  if (!receipt.charge_nano_usd && Object.values(usage).every((n) => !n)) return h('p.muted', 'Nothing was counted, so it cost nothing.');
  const rows = COUNTS.filter(([name]) => usage[name] > 0 || name === 'input' || name === 'output').map(([name, label, rate]) => {
    const each = price?.[rate];
    return h('tr', h('th', { scope: 'row' }, label), h('td.num', count(usage[name])), h('td.num', each ? decimals(nano(each), 2, 9) : '–'),
      h('td.num', each ? decimals((BigInt(usage[name]) * nano(each)) / 1000000n, 2, 9) : '–'));
  });
  if (usage.web_searches > 0) {
    const each = price?.web_search_usd;
    rows.push(h('tr', h('th', { scope: 'row' }, 'Web searches'), h('td.num', count(usage.web_searches)), h('td.num', each ? `${decimals(nano(each), 2, 9)} each` : '–'), h('td.num', each ? decimals(BigInt(usage.web_searches) * nano(each), 2, 9) : '–')));
  }
  const ppm = receipt.price_multiplier_ppm;
  return [h('h3', 'What it cost'), h('table.plain',
    h('thead', h('tr', h('th', { scope: 'col' }, 'Tokens'), h('th.num', { scope: 'col' }, 'Count'), h('th.num', { scope: 'col' }, 'Per million'), h('th.num', { scope: 'col' }, 'Cost'))),
    h('tbody', rows),
    h('tfoot', h('tr', h('th', { scope: 'row', colspan: '2' }, 'Charged'), h('td.num', { colspan: '2' }, nanoUsd(receipt.charge_nano_usd ?? 0))))),
  ppm && ppm !== 1000000 ? h('p.muted.small', `Times ${ppm / 1e6}, the factor of this variant.`) : null,
  receipt.estimated ? h('p.muted.small', 'Estimated: the answer was cut before its usage was reported.') : null];
}

function settled(receipt) {
  if (receipt.hold_nano_usd === undefined) return null;
  return facts([
    ['Held at the start', nanoUsd(receipt.hold_nano_usd)],
    ['Charged', nanoUsd(receipt.charge_nano_usd)],
    ['Given back', nanoUsd(receipt.refund_nano_usd ?? 0)],
    ['Balance afterwards', receipt.balance_after_nano_usd === undefined ? null : nanoUsd(receipt.balance_after_nano_usd)],
  ]);
}

function body(receipt) {
  const asked = receipt.model_asked ?? receipt.model;
  return [
    h('p.receipt-id', h('code', receipt.id), copyButton(receipt.id, 'Copy the request id')),
    errorPart(receipt),
    facts([
      ['Status', receipt.status ? String(receipt.status) : null],
      ['Model', receipt.model_served && receipt.model_served !== asked ? `${asked}, answered by ${receipt.model_served}` : asked],
      ['Key', receipt.key_name ? [receipt.key_name, ' ', h('code', receipt.key)] : h('code', receipt.key)],
      ['Route', receipt.route ? h('code', receipt.route) : null],
      ['Received', receipt.received || receipt.time ? stamp(receipt.received ?? receipt.time) : null],
      ['First byte', receipt.first_byte_ms === undefined ? null : duration(receipt.first_byte_ms)],
      ['Took', receipt.total_ms === undefined ? null : duration(receipt.total_ms)],
      ['Stream', receipt.stream === undefined ? null : receipt.stream ? 'yes' : 'no'],
    ]),
    attempts(receipt.attempts),
    costs(receipt),
    settled(receipt),
    receipt.price ? h('p.muted.small', `Prices of ${receipt.price.date}, in USD per million tokens.`) : null,
    receipt.abandoned_nano_usd === undefined ? null : [
      notice('warn', h('strong', 'It was abandoned'), h('p', 'The process that served it died before it could report. It was charged what had been counted until then.')),
      facts([['Charged', nanoUsd(receipt.abandoned_nano_usd)], ['Balance afterwards', nanoUsd(receipt.balance_after_nano_usd)]])],
    receipt.receipt === false ? h('p.muted', 'It was refused before it reached a provider. It cost nothing.') : null,
    receipt.raw_usage && typeof receipt.raw_usage === 'object' ? h('details.raw', h('summary', 'Usage as the provider reported it'), h('pre', { tabindex: '0' }, h('code', JSON.stringify(receipt.raw_usage, null, 2)))) : null,
  ];
}

export function openReceipt(id) {
  return openDialog('Receipt', () => {
    const place = h('div.receipt', skeleton(6));
    const read = () => get(`/api/requests/${encodeURIComponent(id)}`).then((receipt) => replace(place, body(receipt)), (error) => replace(place, errorBox(error, read)));
    read();
    return place;
  }, { kind: 'sheet' });
}
