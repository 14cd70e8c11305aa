// dom - elements from data. What is given as text stays text: nothing here, and nothing elsewhere, reads HTML.
const PROPERTIES = new Set(['value', 'checked', 'disabled', 'hidden', 'selected', 'open', 'htmlFor', 'required']);

// h('button.primary', { onclick: go, 'aria-label': 'Go' }, 'Go', icon): the attributes may be left out.
export function h(tag, attributes, ...children) {
  const [name, ...classes] = tag.split('.');
  const node = document.createElement(name);
  if (classes.length) node.className = classes.join(' ');
  if (attributes === null || typeof attributes !== 'object' || attributes instanceof Node || Array.isArray(attributes)) children.unshift(attributes);
  else for (const [key, value] of Object.entries(attributes)) set(node, key, value);
  add(node, ...children);
  return node;
}

function set(node, key, value) {
  if (value === null || value === undefined) return;
  if (key.startsWith('on')) node.addEventListener(key.slice(2), value);
  else if (key === 'class') node.classList.add(...value.split(' ').filter(Boolean));
  else if (key === 'vars') for (const [name, text] of Object.entries(value)) node.style.setProperty(`--${name}`, text);
  else if (PROPERTIES.has(key)) node[key] = value;
  else if (value !== false) node.setAttribute(key, value === true ? '' : value);
}

// Lists are flattened, null and false are left out.
export function add(node, ...children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    node.append(child instanceof Node ? child : String(child));
  }
}

// Put these in the place of what is there. What had the focus keeps it, when there is one of the same data-key again.
export function replace(node, ...children) {
  const had = node.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
  const fragment = document.createDocumentFragment();
  add(fragment, ...children);
  node.replaceChildren(fragment);
  if (had) node.querySelector(`[data-key="${CSS.escape(had)}"]`)?.focus({ preventScroll: true });
  return node;
}

// A part of a page that follows data: draws anew only when the data has changed, and not under an open menu.
export function live(node, draw) {
  let last;
  return (data) => {
    const text = JSON.stringify(data);
    if (text === last || node.querySelector('details.menu[open]')) return;
    last = text;
    replace(node, draw(data));
  };
}

let ids = 0;
export const newId = (prefix) => `${prefix}-${++ids}`;
