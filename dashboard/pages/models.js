// models - what each model costs, and who is online for it now.
import { add, h, live, replace } from '../dom.js';
import { all } from '../api.js';
import { poll } from '../store.js';
import { badge, copyButton, empty, errorBox, heading, segmented, skeleton, table } from '../ui.js';
import { ahead, count, decimals, nano, plural, short } from '../format.js';

export const title = 'Models';
const STATE = {
  online: ['good', 'Online'], resting: ['info', 'Resting'], full: ['warn', 'Full'], cooling: ['warn', 'Cooling down'], offline: ['plain', 'Offline'],
};
const ROUTES = { anthropic: 'Messages', openai: 'Chat, Responses', 'openai-chat': 'Chat', 'openai-responses': 'Responses' };
const stateBadge = (name) => badge(...(STATE[name] ?? ['plain', name]));
const rateText = (text) => decimals(nano(text), 2, 9);
const price = (text) => (text === null || text === undefined ? h('span.muted', '–') : h('span.money', rateText(text)));

function who({ providers }) {
  if (!providers?.length) return h('span.muted.nowrap', 'none online');
  const online = providers.filter((one) => one.state === 'online').length;
  return h('details.who', h('summary', `${online} of ${providers.length} online`),
    h('ul', providers.map((one) => h('li', h('code', one.id), stateBadge(one.state),
      one.rest ? h('span.small.muted', `rests ${one.rest} UTC`) : null, one.wakes_at ? h('span.small.muted', 'back ', ahead(one.wakes_at)) : null))));
}

function nameCell(model) {
  return [h('span.name', model.display_name ?? model.id), h('span.id-line', h('code', model.id), copyButton(model.id, `Copy ${model.id}`)),
    h('span.small.muted', { title: model.aliases?.length ? `Also ${model.aliases.join(', ')}` : null },
      [model.dialects?.map((one) => ROUTES[one] ?? one).join(', '), model.context_window ? `${short(model.context_window)} context` : null, model.aliases?.length ? plural(model.aliases.length, 'other name') : null].filter(Boolean).join(' · '))];
}

function tiers(model, rate) {
  const list = model.price?.tiers?.filter((tier) => tier[rate] !== undefined && tier[rate] !== null) ?? [];
  return list.map((tier) => h('span.small.muted', { title: `For prompts above ${count(tier.above_tokens)} tokens` }, `>${short(tier.above_tokens)}: ${rateText(tier[rate])}`));
}

const rate = (name) => (model) => [price(model.price?.[name]), tiers(model, name)];
const modelTable = (models) => table([
  { name: 'Model', main: true, cell: nameCell },
  { name: 'State', cell: (model) => stateBadge(model.state) },
  { name: 'Providers', cell: who },
  { name: 'Input', num: true, cell: rate('input_usd_per_million') },
  { name: 'Output', num: true, cell: rate('output_usd_per_million') },
  { name: 'Cache read', num: true, cell: rate('cache_read_usd_per_million') },
  { name: 'Cache write', num: true, cell: (model) => [price(model.price?.cache_write_5m_usd_per_million), model.price?.cache_write_1h_usd_per_million ? h('span.small.muted', `1 h ${rateText(model.price.cache_write_1h_usd_per_million)}`) : null] },
], models, { caption: 'Models, prices in USD per million tokens', duo: true, rowAttributes: (model) => ({ class: model.state === 'offline' ? 'dim' : '', 'data-id': model.id }) });

const OWNERS = { anthropic: 'Anthropic', openai: 'OpenAI' };

export async function draw(node, { signal }) {
  const place = h('div', skeleton(8));
  const choice = { text: '', which: 'now' };
  let models = [];
  const fits = (model) => (choice.which === 'all' || model.state !== 'offline') &&
    [model.id, model.display_name, ...(model.aliases ?? [])].some((name) => name?.toLowerCase().includes(choice.text.toLowerCase()));
  const drawList = live(place, (list) => {
    if (!list.length) return models.length ? empty('Nothing matches', choice.which === 'all' ? 'Try fewer letters.' : 'No such model is online at this moment. “All models” has every price.') : empty('No model yet', 'The operator has not set up any model.');
    const owners = [...new Set(list.map((model) => model.owned_by))];
    return owners.map((owner) => h('section', { 'aria-label': OWNERS[owner] ?? owner }, h('h2.group', OWNERS[owner] ?? owner), modelTable(list.filter((model) => model.owned_by === owner))));
  });
  // Who answers now comes first; else the order of the price list.
  const rank = (model) => ['online', 'full', 'resting', 'offline'].indexOf(model.state);
  const show = () => drawList(models.filter(fits).sort((a, b) => rank(a) - rank(b)));
  const search = h('input', { type: 'search', 'aria-label': 'Search models', placeholder: 'Search', autocomplete: 'off', oninput: () => ((choice.text = search.value), show()) });

  async function refresh() {
    models = await all('/api/models', { signal });
    if (!place.querySelector('details.who[open]')) show(); // not under the eyes of somebody who reads it; a search does
  }
  add(node, heading('Models', { text: 'Prices in USD per million tokens, as they are charged, and who is online now.' }),
    h('div.filters', search, segmented('Which', [['now', 'Online now'], ['all', 'All models']], choice.which, (which) => ((choice.which = which), show()))), place);
  const first = () => refresh().catch((error) => error.name === 'AbortError' || replace(place, errorBox(error, first)));
  await first();
  poll(refresh, 10000, signal);
}
