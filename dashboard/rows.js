// rows - what lists of requests have in common on several pages.
import { h } from './dom.js';
import { inShort } from './guide.js';
import { duration } from './format.js';

const kindOf = (status) => (status >= 200 && status < 300 ? 'good' : status >= 500 ? 'bad' : status >= 400 ? 'warn' : 'plain');

// The key's name, on one line; its id where it has none.
export const keyName = (row) => h('span.cut', { title: row.key_name ? `${row.key_name}, ${row.key}` : null }, row.key_name || row.key);

// How long it took; on a phone nothing where nothing is known.
export const took = (row) => (row.ms === null ? h('span.none', '–') : duration(row.ms));

// "402 Insufficient balance", the words leading to the guide where it has some.
export function statusBadge(row) {
  const status = h(`span.badge.${kindOf(row.status)}`, String(row.status));
  if (!row.error) return status;
  const { text, id } = inShort(row.error);
  return h('span.status', status, id ? h('a.small', { href: `#/errors/${id}` }, text) : h('span.small.muted', text));
}
