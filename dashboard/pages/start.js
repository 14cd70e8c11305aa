// start - from nothing to the first answer: the base URL, a key, and what to paste into each client.
import { add, h, replace } from '../dom.js';
import { all } from '../api.js';
import { state } from '../store.js';
import { card, copyButton, field, heading, notice, select, tabs } from '../ui.js';
import { SNIPPETS, keySnippet } from '../snippets.js';

export const title = 'Quick start';

function block({ file, text }) {
  return h('figure.snippet', h('figcaption', h('span', file), copyButton(text, `Copy ${file}`)), h('pre', { tabindex: '0', 'aria-label': file }, h('code', text)));
}

// The models that clients of a dialect can call, who answers now first, then the vendor's own; without any, `otherwise`.
function callable(models, owner, dialects, otherwise) {
  const speaks = (model) => dialects.some((one) => model.dialects?.includes(one));
  const list = models.filter((model) => speaks(model) || (!model.dialects?.length && model.owned_by === owner));
  const rank = (model) => (model.state !== 'offline' ? 0 : speaks(model) ? 4 : 8) + (model.owned_by === owner ? 0 : 2) + (/sonnet/.test(model.id) ? 0 : 1);
  const names = [...list].sort((a, b) => rank(a) - rank(b)).map((model) => model.id);
  return { names: names.length ? names : [otherwise], online: list.some((model) => model.state !== 'offline') };
}

export async function draw(node, { query, signal }) {
  const base = state.config.base_url || location.origin;
  const [keys, models] = state.me ? await Promise.all([all('/api/keys', { signal }), all('/api/models', { signal })]).catch((error) => {
    if (error.name === 'AbortError') throw error;
    return [[], []];
  }) : [[], []];
  const usable = keys.filter((key) => key.status === 'enabled');
  const forClaude = callable(models, 'anthropic', ['anthropic'], 'claude-sonnet-4-6');
  const forOpenai = callable(models, 'openai', ['openai-responses', 'openai-chat'], 'gpt-4.1');
  const key = usable.find((one) => one.id === query.get('key')) ?? usable[0];
  const first = ({ names }) => names.find((name) => key?.models?.includes(name)) ?? names[0];
  const choice = { key, claude: first(forClaude), gpt: first(forOpenai) };
  const place = h('div');
  let tab = 0;
  function show() {
    const { key: used, claude, gpt } = choice;
    const told = { base, claude, gpt, hint: used?.hint ?? `${state.config.key_prefix}…`, keyName: used ? used.name || used.id : 'your key' };
    replace(place, block(keySnippet(told)), tabs('Clients', SNIPPETS.map((client) => ({
      label: client.name,
      body: () => [client.blocks(told).map(block), client.note ? h('p.muted.small', client.note) : null],
    })), { chosen: tab, onchoose: (i) => (tab = i) }));
  }
  const pick = (label, name, options, chosen = choice[name]) => field(label, select(options, chosen, {
    onchange: ({ target: { value } }) => ((choice[name] = name === 'key' ? usable.find((one) => one.id === value) : value), show()),
  }));
  const named = (list) => list.names.map((name) => [name, name]);
  const missing = (list, whose) => (state.me && models.length && !list.online ? notice('warn', h('p', `No model for ${whose} clients is online at this moment; calls answer an error until one is. `, h('a', { href: '#/models' }, 'Models'))) : null);

  add(node, heading('Quick start', { text: 'Your client stays as it is. It gets another base URL and a DeRouter key.' }),
    card('Base URL', {}, h('div.secret', h('code', base), copyButton(base, 'Copy', { words: true })),
      h('p.muted.small', 'Anthropic clients use it as it stands, OpenAI clients with ', h('code', '/v1'), ' behind it.')),
    card('Key and model', {},
      h('div.field-pair.wide', usable.length ? pick('Key', 'key', usable.map((one) => [one.id, one.name || one.id]), key.id) : null, pick('Model for Anthropic clients', 'claude', named(forClaude)), pick('Model for OpenAI clients', 'gpt', named(forOpenai))),
      missing(forClaude, 'Anthropic'), missing(forOpenai, 'OpenAI'),
      usable.length ? null : h('p', state.me ? ['You have no key yet. ', h('a', { href: '#/keys' }, 'Make one'), ', then come back.'] : [h('a', { href: '#/login' }, 'Log in'), ' and make a key.']),
      h('p.muted.small', 'The snippets read the key from the environment. It is shown once, when it is made; if you no longer have it, rotate it.')),
    card('Your client', {}, place),
    card('When something goes wrong', {}, h('p', 'Every answer has a ', h('code', 'request-id'), ' header. ', state.me ? [h('a', { href: '#/activity' }, 'Activity'), ' finds the request by it; '] : null, h('a', { href: '#/errors' }, 'the error guide'), ' says what each error means.')));
  show();
}
