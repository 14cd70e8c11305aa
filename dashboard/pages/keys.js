// keys - the API keys: make, cap, change, switch off, rotate, delete. A key's secret is shown once, when it is made.
import { add, h, live, replace } from '../dom.js';
import { icon } from '../icons.js';
import { all, patch, remove } from '../api.js';
import { state, poll } from '../store.js';
import { badge, bar, empty, errorBox, heading, menu, skeleton, table, toast } from '../ui.js';
import { ago, ahead, count, date, dateTime, nano, plural, usd } from '../format.js';
import { confirmDialog } from '../dialog.js';
import { createKey, editKey, rotateKey } from '../key-dialogs.js';

export const title = 'Keys';
const STATUS = { enabled: ['good', 'Enabled'], disabled: ['plain', 'Disabled'], expired: ['warn', 'Expired'] };
const PERIOD = { total: 'in total', day: 'per day', month: 'per month' };

const statusCell = (key) => [badge(...(STATUS[key.status] ?? ['plain', key.status])),
  key.rotation ? h('span.small.muted', 'Old secret until ', dateTime(key.rotation.old_key_until)) : null,
  key.expires_at && key.status !== 'expired' ? h('span.small.muted', 'Expires ', date(key.expires_at)) : null];

function budgetCell({ budget }) {
  if (!budget) return h('span.muted', 'No budget');
  const used = nano(budget.spent_usd) + nano(budget.held_usd);
  return h('div.budget',
    h('span', h('span.nowrap', usd(budget.spent_usd), h('span.muted', ' of '), usd(budget.limit_usd)), h('span.muted', ` ${PERIOD[budget.period] ?? ''}`)),
    bar(used, nano(budget.limit_usd), `${budget.spent_usd} of ${budget.limit_usd} dollars spent`),
    budget.resets_at ? h('span.small.muted', 'Resets ', ahead(budget.resets_at)) : null);
}

const limitsCell = (key) => h('div.limits',
  h('span', { title: `${key.rpm.remaining} left in this minute` }, `${count(key.rpm.limit)} / min`),
  h('span.muted', { title: `${key.concurrency.remaining} free now` }, `${key.concurrency.limit} concurrent`),
  key.models ? h('span.small.muted', { title: key.models.join(', ') }, plural(key.models.length, 'model')) : null);

export async function draw(node, { signal }) {
  const place = h('div', skeleton(5));
  const create = h('button.primary', { type: 'button', onclick: () => createKey().then((made) => made && refresh()) }, icon('plus'), 'New key');

  async function change(key, body, said) {
    try {
      await patch(`/api/keys/${key.id}`, body);
      toast(said);
    } catch (error) {
      toast(error.message, 'bad');
    }
    await refresh();
  }
  const name = (key) => key.name || key.id;
  const drop = (key) => confirmDialog(`Delete “${name(key)}”?`, [
    h('p', 'Requests with it are answered 401 “Invalid API key” from now on. This cannot be undone; what it spent stays in your ledger.'),
    h('p.muted', 'To stop it for a while, disable it instead.')], 'Delete key', () => remove(`/api/keys/${key.id}`)).then((done) => done && (toast('Key deleted'), refresh()));
  const off = (key) => confirmDialog(`Disable “${name(key)}”?`, h('p', 'Requests with it are answered 401 “Invalid API key” until you enable it again.'), 'Disable key',
    () => patch(`/api/keys/${key.id}`, { status: 'disabled' })).then((done) => done && (toast('Key disabled'), refresh()));

  const actions = (key) => h('div.row-actions',
    h('button.secondary.small', { type: 'button', 'data-key': `edit-${key.id}`, 'aria-label': `Edit ${name(key)}`, onclick: () => editKey(key).then((changed) => changed && refresh()) }, 'Edit'),
    menu(`More for ${name(key)}`, [
      key.status === 'disabled' ? ['Enable', () => change(key, { status: 'enabled' }, 'Key enabled')] : ['Disable', () => off(key)],
      ['Rotate', () => rotateKey(key).then((done) => done && refresh())],
      ['Requests with it', () => (location.hash = `#/activity?key=${key.id}`)],
      ['Delete', () => drop(key), 'danger'],
    ]));

  const drawList = live(place, (keys) => (keys.length ? table([
    { name: 'Key', main: true, cell: (key) => [h('span.name', name(key)), h('code.hint', key.hint)] },
    { name: 'Status', cell: statusCell },
    { name: 'Budget', cell: budgetCell },
    { name: 'Limits', cell: limitsCell },
    { name: 'Spent', num: true, cell: (key) => [usd(key.spent_usd), h('span.small.muted', key.used_at ? ['used ', ago(key.used_at)] : 'never used')] },
    { name: 'Actions', quiet: true, cell: actions },
  ], keys, { caption: 'API keys', rowAttributes: (key) => ({ class: key.status === 'enabled' ? '' : 'dim', 'data-id': key.id }) })
    : empty('No key yet', 'A key is what your client sends. Give each program its own: then each has its own budget, and you see who spends what.',
      h('button.primary', { type: 'button', onclick: () => create.click() }, 'Make the first key'))));

  async function refresh() {
    drawList(await all('/api/keys', { signal }));
  }
  add(node, heading('Keys', { text: `Each key: up to ${count(state.config.max_rpm)} requests per minute, ${count(state.config.max_concurrency)} at the same time.`, actions: [create] }), place);
  const first = () => refresh().catch((error) => error.name === 'AbortError' || replace(place, errorBox(error, first)));
  await first();
  poll(refresh, 15000, signal);
}
