// start - from nothing to the first answer: the base URL, a key, and what to paste into each client.
import { add, h, replace } from '../dom.js';
import { all } from '../api.js';
import { state } from '../store.js';
import { card, copyButton, field, heading, select, tabs } from '../ui.js';
import { SNIPPETS } from '../snippets.js';

export const title = 'Quick start';

function block({ file, text }) {
  return h('figure.snippet', h('figcaption', h('span', file), copyButton(text, `Copy ${file}`)), h('pre', { tabindex: '0', 'aria-label': file }, h('code', text)));
}

export async function draw(node, { query, signal }) {
  const base = state.config.base_url || location.origin;
  const [keys, models] = state.me ? await Promise.all([all('/api/keys', { signal }), all('/api/models', { signal })]).catch((error) => {
    if (error.name === 'AbortError') throw error;
    return [[], []];
  }) : [[], []];
  const usable = keys.filter((key) => key.status === 'enabled');
  const rank = (model) => (model.state === 'online' ? 0 : 2) + (/sonnet/.test(model.id) ? 0 : 1);
  const offered = models.length ? [...models].sort((a, b) => rank(a) - rank(b)) : [{ id: 'claude-sonnet-4-6', owned_by: 'anthropic' }, { id: 'gpt-4.1', owned_by: 'openai' }];
  const choice = { key: usable.find((key) => key.id === query.get('key')) ?? usable[0], claude: offered.find((model) => model.owned_by === 'anthropic')?.id, gpt: offered.find((model) => model.owned_by === 'openai')?.id };
  const place = h('div');
  let tab = 0;
  const show = () => replace(place, tabs('Clients', SNIPPETS.map((client) => ({
    label: client.name,
    body: () => [client.say ? h('p', client.say) : null, client.blocks({ base, prefix: state.config.key_prefix, keyName: choice.key?.name || choice.key?.id || 'your key', claude: choice.claude ?? offered[0].id, gpt: choice.gpt ?? offered[0].id }).map(block), client.note ? h('p.muted.small', client.note) : null],
  })), { chosen: tab, onchoose: (i) => (tab = i) }));
  const pick = (label, name, options) => field(label, select(options, typeof choice[name] === 'object' ? choice[name].id : choice[name], {
    onchange: (event) => ((choice[name] = name === 'key' ? usable.find((key) => key.id === event.target.value) : event.target.value), show()),
  }));
  const of = (owner) => offered.filter((model) => model.owned_by === owner).map((model) => [model.id, model.id]);

  add(node, heading('Quick start', { text: 'Your client stays as it is. It gets another base URL and a DeRouter key.' }),
    card('Base URL', {}, h('div.secret', h('code', base), copyButton(base, 'Copy', { words: true })),
      h('p.muted.small', 'Anthropic clients use it as it stands, OpenAI clients with ', h('code', '/v1'), ' behind it.')),
    card('Key and model', {},
      usable.length ? h('div.field-pair', pick('Key', 'key', usable.map((key) => [key.id, key.name || key.id])), pick('Claude model', 'claude', of('anthropic')), of('openai').length ? pick('OpenAI model', 'gpt', of('openai')) : null)
        : h('p', state.me ? ['You have no key yet. ', h('a', { href: '#/keys' }, 'Make one'), ', then come back.'] : [h('a', { href: '#/login' }, 'Log in'), ' and make a key.']),
      h('p.muted.small', 'The snippets read the key from the environment. It is shown once, when it is made; if you no longer have it, rotate it.')),
    card('Your client', {}, place),
    card('When something goes wrong', {}, h('p', 'Every answer has a ', h('code', 'request-id'), ' header. ', state.me ? [h('a', { href: '#/activity' }, 'Activity'), ' finds the request by it; '] : null, h('a', { href: '#/errors' }, 'the error guide'), ' says what each error means.')));
  show();
}
