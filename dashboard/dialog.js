// dialog - native <dialog>s: the browser keeps the focus inside and gives it back, Escape closes.
import { h, newId, replace } from './dom.js';
import { icon } from './icons.js';
import { busy, errorBox } from './ui.js';

// draw(close) gives the body. Resolves with what close() was given, undefined when dismissed.
export function openDialog(title, draw, { kind = '', dismissable = true } = {}) {
  return new Promise((done) => {
    let answer;
    const id = newId('dialog');
    const back = document.activeElement;
    const key = back?.dataset?.key;
    const close = (value) => {
      answer = value;
      node.close();
    };
    const node = h('dialog', {
      class: kind, 'aria-labelledby': id,
      oncancel: (event) => dismissable || event.preventDefault(),
      onkeydown: (event) => dismissable || event.key !== 'Escape' || event.preventDefault(), // a second Escape would close it all the same
      onclose() {
        window.removeEventListener('hashchange', leave);
        node.remove();
        // the page may have been drawn anew behind it
        (back?.isConnected ? back : key ? document.querySelector(`[data-key="${CSS.escape(key)}"]`) : null)?.focus();
        done(answer);
      },
      onclick: (event) => event.target === node && dismissable && close(),
    });
    const leave = () => close();
    window.addEventListener('hashchange', leave);
    node.append(h('div.dialog-box',
      h('div.dialog-head', h('h2', { id }, title), dismissable ? h('button.icon-button', { type: 'button', 'aria-label': 'Close', onclick: () => close() }, icon('close')) : null),
      h('div.dialog-body', draw(close, node))));
    document.body.append(node);
    node.showModal();
  });
}

// Yes or no; `work` runs on yes and its error is shown in place.
export function confirmDialog(title, body, verb, work, kind = 'danger') {
  return openDialog(title, (close) => {
    const trouble = h('div');
    const go = h(`button.${kind}`, {
      type: 'button',
      onclick: () => busy(go, async () => {
        try {
          close((await work()) ?? true);
        } catch (error) {
          replace(trouble, errorBox(error));
        }
      }),
    }, verb);
    return [h('div', body), trouble, h('div.dialog-foot', h('button.secondary', { type: 'button', onclick: () => close() }, 'Cancel'), go)];
  });
}
