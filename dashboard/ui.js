// ui - the parts that pages are made of: states (loading, empty, error), tables, badges, copy buttons, tabs, toasts,
// headings. Dialogs are in dialog.js.
import { h, newId, replace } from './dom.js';
import { icon } from './icons.js';
import { state } from './store.js';
import { byMessage } from './guide.js';

export function announce(text) {
  const node = document.getElementById('announce');
  node.textContent = '';
  requestAnimationFrame(() => (node.textContent = text));
}

export function toast(text, kind = 'good') {
  const node = h(`div.toast.${kind}`, icon(kind === 'good' ? 'check' : 'errors'), h('span', text));
  const place = document.getElementById('toasts');
  while (place.childElementCount > 1) place.firstChild.remove();
  if (place.matches(':popover-open')) place.hidePopover();
  place.append(node);
  place.showPopover(); // above a dialog that was opened later
  setTimeout(() => (node.remove(), place.childElementCount || place.hidePopover()), 5000);
}

export async function copyText(text, what = 'Copied') {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // no permission, or no secure context: the old way
    const area = h('textarea.sr-only', { value: text, 'aria-hidden': 'true', tabindex: '-1' });
    (document.querySelector('dialog[open]') ?? document.body).append(area);
    area.select();
    const done = document.execCommand('copy');
    area.remove();
    if (!done) return toast('The browser did not allow copying', 'bad');
  }
  announce(what);
}

export function copyButton(text, label = 'Copy', { words = false } = {}) {
  const face = (name, said) => [icon(name), words ? h('span', said) : null];
  const button = h('button.copy', {
    type: 'button', 'aria-label': words ? null : label, title: label, 'data-key': `copy-${text}`,
    async onclick() {
      await copyText(text, 'Copied');
      replace(button, face('check', 'Copied'));
      button.classList.add('done');
      setTimeout(() => (replace(button, face('copy', label)), button.classList.remove('done')), 1600);
    },
  }, face('copy', label));
  return button;
}

export const badge = (kind, text, title) => h(`span.badge.${kind}`, { title }, text);
export const notice = (kind, ...children) => h(`div.notice.${kind}`, { role: kind === 'bad' ? 'alert' : null }, h('div.notice-body', ...children));

// The heading of a page: it takes the focus when the page opens.
export function heading(title, { text, actions = [] } = {}) {
  return h('header.page-head',
    h('div', h('h1', { tabindex: '-1' }, title), text ? h('p.lead', text) : null),
    actions.length ? h('div.actions', ...actions) : null);
}

export const card = (title, attributes, ...children) => {
  const id = newId('card');
  const { actions, class: names = '', ...rest } = attributes ?? {};
  return h('section.card', { class: names, 'aria-labelledby': title ? id : null, ...rest },
    title ? h('div.card-head', h('h2', { id }, title), actions ? h('div.card-actions', actions) : null) : null, ...children);
};

export function skeleton(rows = 3) {
  return h('div.skeleton', { role: 'status', 'aria-label': 'Loading' }, Array.from({ length: rows }, () => h('span.bone')));
}

export function empty(title, text, ...actions) {
  return h('div.empty', h('p.empty-title', title), h('p', text), actions.length ? h('div.actions', ...actions) : null);
}

export const supportLink = (words = 'contact support') =>
  state.config?.support_url ? h('a', { href: state.config.support_url, rel: 'noreferrer noopener' }, words) : words;

// "contact support" in a text of the guide leads there.
export function withSupport(text) {
  const [before, after] = text.split('contact support');
  return after === undefined ? [text] : [before, supportLink(), after];
}

// What went wrong, in the guide's words where it has some.
export function errorBox(error, again) {
  const entry = byMessage(error.message);
  const lost = error.status === 0 || error.status === 502;
  return h('div.error-box', { role: 'alert' },
    icon(lost ? 'offline' : 'errors'),
    h('div',
      h('strong', error.message),
      entry ? h('p', entry.what, ' ', withSupport(entry.fix), ' ', h('a', { href: `#/errors/${entry.id}` }, 'In the error guide')) : null,
      lost ? h('p', 'This page goes on by itself once it is back.') : null,
      error.retryAfter_ms > 0 ? h('p', `Try again in ${Math.ceil(error.retryAfter_ms / 1000)} s.`) : null,
      error.requestId && error.status !== 404 ? h('p.muted.small', 'Request id ', h('code', error.requestId), ' ', copyButton(error.requestId, 'Copy the request id')) : null,
      again && error.status !== 404 ? h('button.secondary', { type: 'button', onclick: again }, 'Try again') : null));
}

// Several lines of a cell stay together beside their label.
function inCell(column, row) {
  const content = column.cell(row);
  return Array.isArray(content) && !column.main && !column.quiet ? h('div.cell', content) : content;
}

// columns: [{ name, cell(row), num, main, quiet, phone }]. On a phone each row becomes a small card: its cells labelled, or,
// when `compact`, on two lines, where phone is "end" (first line, to the right) or "hide"; when `duo`, two cells a line.
// "named" keeps its label there; "wide" is a column for wide screens alone.
export function table(columns, rows, { caption, rowAttributes, compact, duo } = {}) {
  return h('div.table-wrap',
    h(`table.rows${compact ? '.compact' : ''}${duo ? '.duo' : ''}`,
      caption ? h('caption.sr-only', caption) : null,
      h('thead', h('tr', columns.map((c) => h('th', { scope: 'col', class: `${c.num ? 'num' : ''} ${c.phone === 'wide' ? 'phone-wide' : ''}` }, c.quiet ? h('span.sr-only', c.name) : c.name)))),
      h('tbody', rows.map((row) => h('tr', rowAttributes?.(row) ?? {},
        columns.map((c) => h(c.main ? 'th' : 'td', {
          scope: c.main ? 'row' : null, class: [c.num ? 'num' : '', c.quiet ? 'quiet' : '', c.wrap ? 'wrap' : '', c.phone ? `phone-${c.phone}` : ''].join(' '), 'data-label': c.quiet || c.main ? null : c.name,
        }, inCell(c, row))))))));
}

// [{ label, body() }]: arrow keys move, one panel is there.
export function tabs(label, list, { chosen = 0, onchoose } = {}) {
  const panel = h('div.tab-panel', { role: 'tabpanel', tabindex: '0', id: newId('panel') });
  const buttons = list.map((tab, i) => h('button.tab', {
    type: 'button', role: 'tab', id: newId('tab'), 'aria-controls': panel.id, onclick: () => choose(i),
    onkeydown(event) {
      const move = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      const to = event.key === 'Home' ? 0 : event.key === 'End' ? list.length - 1 : move ? (i + move + list.length) % list.length : null;
      if (to === null) return;
      event.preventDefault();
      choose(to);
      buttons[to].focus();
    },
  }, tab.label));
  function choose(i) {
    buttons.forEach((button, at) => {
      button.setAttribute('aria-selected', String(at === i));
      button.tabIndex = at === i ? 0 : -1;
    });
    panel.setAttribute('aria-labelledby', buttons[i].id);
    replace(panel, list[i].body());
    onchoose?.(i);
  }
  choose(chosen);
  return h('div.tabs', h('div.tab-list', { role: 'tablist', 'aria-label': label }, buttons), panel);
}

// A few choices side by side, as radio buttons.
export function segmented(label, choices, chosen, onchoose) {
  const name = newId('segment');
  return h('fieldset.segmented', h('legend.sr-only', label), choices.map(([value, text]) => {
    const id = newId('choice');
    return [h('input', { type: 'radio', name, id, value, checked: value === chosen, onchange: () => onchoose(value) }), h('label', { htmlFor: id }, text)];
  }));
}

export function field(label, control, { hint, name } = {}) {
  const id = control.id || newId('field');
  control.id = id;
  if (name) control.name = name;
  const help = hint ? h('small', { id: `${id}-hint` }, hint) : null;
  if (help) control.setAttribute('aria-describedby', help.id);
  return h('div.field', h('label', { htmlFor: id }, label), control, help);
}

export const select = (options, value, attributes = {}) =>
  h('select', attributes, options.map(([key, text]) => h('option', { value: key, selected: key === value }, text)));

// A small menu of verbs behind a button.
export function menu(label, items) {
  const box = h('details.menu', {
    onkeydown(event) {
      if (event.key !== 'Escape' || !box.open) return;
      box.open = false;
      box.querySelector('summary').focus();
    },
    onfocusout: (event) => event.relatedTarget && !box.contains(event.relatedTarget) && (box.open = false),
  },
  h('summary', { 'aria-label': label, title: label, 'data-key': `menu-${label}` }, icon('more')),
  h('div.menu-list', items.filter(Boolean).map(([text, act, kind]) => h('button', { type: 'button', class: kind ?? '', onclick: () => ((box.open = false), box.firstChild.focus(), act()) }, text)))); // a dialog gives the focus back to what is seen
  return box;
}
document.addEventListener('click', (event) => {
  for (const box of document.querySelectorAll('details.menu[open]')) if (!box.contains(event.target)) box.open = false;
});

// A bar of what is used of what there is; the figures stand beside it.
export function bar(used, most, label) {
  const part = most > 0n ? Number((used * 1000n) / most) / 10 : 100;
  const kind = part >= 100 ? 'bad' : part >= 80 ? 'warn' : '';
  return h('div.bar', { class: kind, role: 'img', 'aria-label': label }, h('span', { vars: { part: `${Math.max(0, Math.min(100, part))}%` } }));
}

// Run `work` once while its button shows that it is busy.
export async function busy(button, work) {
  if (button.getAttribute('aria-busy') === 'true') return;
  button.setAttribute('aria-busy', 'true');
  button.disabled = true;
  try {
    return await work();
  } finally {
    button.removeAttribute('aria-busy');
    button.disabled = false;
  }
}

// Load, then draw: a skeleton meanwhile, the error with "Try again" when it fails.
export async function load(node, ask, draw, rows = 4) {
  replace(node, skeleton(rows));
  try {
    const data = await ask();
    replace(node, draw(data));
    return data;
  } catch (error) {
    if (error.name === 'AbortError') return undefined;
    replace(node, errorBox(error, () => load(node, ask, draw, rows)));
    return undefined;
  }
}
