// rows - what lists of requests have in common on several pages.
import { h } from './dom.js';
import { byName } from './guide.js';

const kindOf = (status) => (status >= 200 && status < 300 ? 'good' : status >= 500 ? 'bad' : status >= 400 ? 'warn' : 'plain');

// "402 BALANCE", the name leading to its entry of the guide where it has one.
export function statusBadge(row) {
  const status = h(`span.badge.${kindOf(row.status)}`, String(row.status));
  if (!row.error) return status;
  const entry = byName(row.error);
  return h('span.status', status, entry ? h('a.small', { href: `#/errors/${entry.id}`, title: entry.title }, entry.title) : h('span.small.muted', row.error));
}
