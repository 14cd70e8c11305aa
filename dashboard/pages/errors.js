// errors - the API Error Guide. #/errors/ID leads to one entry.
import { add, h } from '../dom.js';
import { CODES, INTRO, SECTIONS, SUPPORT } from '../guide.js';
import { announce, copyButton, supportLink, withSupport } from '../ui.js';
import { state } from '../store.js';

export const title = 'Errors';

// Where the guide names a page of this dashboard, the words lead there.
const LEADS = [['API dashboard', '#/keys'], ['Key Management', '#/keys'], ['pricing table', '#/models']];
function fixText(entry) {
  const parts = withSupport(entry.fix);
  return parts.map((part) => {
    if (typeof part !== 'string') return part;
    for (const [words, href] of LEADS) {
      const at = part.indexOf(words);
      if (at < 0) continue;
      const to = entry.id === 'insufficient-balance' ? '#/deposit' : href;
      return [part.slice(0, at), h('a', { href: to }, words), part.slice(at + words.length)];
    }
    return part;
  });
}

function entryNode(entry) {
  return h('article.guide-entry', { id: `e-${entry.id}`, tabindex: '-1', 'aria-labelledby': `t-${entry.id}` },
    h('span.code', { class: entry.status >= 500 ? 'bad' : '' }, String(entry.status)),
    h('div',
      h('h3', { id: `t-${entry.id}` }, h('a', { href: `#/errors/${entry.id}` }, entry.title)),
      h('p', entry.what),
      h('p.fix', fixText(entry))));
}

function sectionNode(section, i) {
  return h('section.guide-section', { id: `e-${section.id}`, tabindex: '-1', 'aria-labelledby': `t-${section.id}` },
    h('div.guide-head', h('span.guide-number', { 'aria-hidden': 'true' }, String(i + 1).padStart(2, '0')), h('div', h('h2', { id: `t-${section.id}` }, section.title), h('p', section.text))),
    section.entries.map(entryNode),
    section.closing ? h('p.muted', section.closing) : null,
    section.tip ? h('p.tip', section.tip) : null,
    section.shapes ? h('div.columns', section.shapes.map(([name, routes, shape]) => h('div.shape', h('h3', name), h('p', h('code', routes)), h('pre', { tabindex: '0' }, h('code', shape)), copyButton(shape, `Copy the shape of ${name}`)))) : null);
}

export async function draw(node, { rest }) {
  add(node,
    h('header.page-head.guide-top', h('div', h('p.small', h('a', { href: '#/overview' }, INTRO.back)), h('p.kicker', INTRO.kicker), h('h1', { tabindex: '-1' }, INTRO.title), h('p.lead', INTRO.text))),
    h('div.table-wrap', h('table.rows.codes', h('caption.sr-only', 'Codes at a glance'),
      h('thead', h('tr', ['Code', 'Meaning', 'Quick Fix'].map((name) => h('th', { scope: 'col' }, name)))),
      h('tbody', CODES.map(([code, meaning, fix, id]) => h('tr', h('th', { scope: 'row' }, h('a.code', { href: `#/errors/${id}` }, code)), h('td', { 'data-label': 'Meaning' }, meaning), h('td', { 'data-label': 'Quick Fix' }, withSupport(fix))))))),
    SECTIONS.map(sectionNode),
    h('section.card.support', h('h2', SUPPORT.title), h('p', SUPPORT.text),
      h('p', SUPPORT.closing, state.config.support_url ? [' ', supportLink('Contact support')] : null)));
  const target = rest[0] ? document.getElementById(`e-${rest[0]}`) : null;
  if (!target) return;
  target.classList.add('marked');
  target.scrollIntoView({ block: 'start' });
  target.focus({ preventScroll: true });
  announce(target.querySelector('h2, h3')?.textContent ?? title);
}
