// key-dialogs - the form of a key (new, or to be changed), its rotation, and the one look at a new key's secret.
import { h, replace } from './dom.js';
import { all, patch, post } from './api.js';
import { state } from './store.js';
import { busy, copyButton, errorBox, field, notice, select } from './ui.js';
import { openDialog } from './dialog.js';

const DAY_MS = 86400000;
const EXPIRY = [['', 'Never'], ['7', 'In 7 days'], ['30', 'In 30 days'], ['90', 'In 90 days'], ['365', 'In a year'], ['date', 'At the end of a day']];
const PERIODS = [['total', 'In total'], ['day', 'Per day'], ['month', 'Per month']];

const number = (value, most, placeholder) => h('input', { type: 'number', inputmode: 'numeric', min: '1', max: String(most), step: '1', value: value ?? '', placeholder: String(placeholder ?? '') });

function modelBoxes(models, chosen) {
  const some = h('div.checks', { hidden: !chosen }, models.map((model) => h('label', h('input', { type: 'checkbox', name: 'model', value: model.id, checked: chosen?.includes(model.id) ?? false }), model.id)));
  const everything = h('input', { type: 'checkbox', checked: !chosen, onchange: () => (some.hidden = everything.checked) });
  return { everything, some, node: h('fieldset.models-field', h('legend', 'Models'), h('label.switch', everything, 'All models, also future ones'), some) };
}

// The reader's own calendar: "2026-11-26".
function localDay(at) {
  return [at.getFullYear(), at.getMonth() + 1, at.getDate()].map((n) => String(n).padStart(2, '0')).join('-');
}

function keyForm(key, models) {
  const { config } = state;
  const expiry = key?.expires_at ? 'date' : '';
  const [today, had] = [localDay(new Date()), key?.expires_at ? localDay(new Date(key.expires_at)) : ''];
  const day = h('input', { type: 'date', value: had, min: had && had < today ? had : today, 'aria-label': 'Day of expiry', hidden: !expiry, required: Boolean(expiry) });
  const form = {
    name: h('input', { type: 'text', maxlength: '64', autocomplete: 'off', value: key?.name ?? '', placeholder: 'laptop, ci, …' }),
    rpm: number(key?.rpm.limit, config.max_rpm, config.default_rpm),
    concurrency: number(key?.concurrency.limit, config.max_concurrency, config.default_concurrency),
    budget: h('input', { type: 'text', inputmode: 'decimal', pattern: '\\d{1,9}([.]\\d{1,9})?', autocomplete: 'off', value: key?.budget?.limit_usd ?? '', placeholder: 'none', title: 'Dollars, as 10 or 2.50' }),
    period: select(PERIODS, key?.budget?.period ?? 'total', { 'aria-label': 'Budget period' }),
    expiry: select(EXPIRY, expiry, { onchange: (event) => (day.required = !(day.hidden = event.target.value !== 'date')) }),
    day,
    models: modelBoxes(models, key?.models),
  };
  form.node = [
    field('Name', form.name, { name: 'name', hint: 'So that you can tell your keys apart.' }),
    h('div.field-pair', field('Requests per minute', form.rpm, { name: 'rpm', hint: `At most ${config.max_rpm}.` }),
      field('Concurrent requests', form.concurrency, { name: 'concurrency', hint: `At most ${config.max_concurrency}.` })),
    h('div.field-pair', field('Budget in USD', form.budget, { name: 'budget', hint: 'Empty: no cap but your balance.' }), field('Budget period', form.period, { name: 'period', hint: `Days and months of ${state.me?.time_zone ?? 'UTC'}.` })),
    field('Expires', form.expiry, { name: 'expiry' }), day,
    form.models.node,
  ];
  return form;
}

// What the form says, as the API takes it; of a key that is changed only what is different.
function readForm(form, key) {
  const value = {};
  const put = (name, now, before) => {
    if (key ? JSON.stringify(now ?? null) !== JSON.stringify(before ?? null) : now !== null && now !== '' && now !== undefined) value[name] = now ?? null;
  };
  put('name', form.name.value.trim(), key?.name ?? '');
  if (form.rpm.value) put('rpm', Number(form.rpm.value), key?.rpm.limit);
  if (form.concurrency.value) put('concurrency', Number(form.concurrency.value), key?.concurrency.limit);
  const budget = form.budget.value.trim() || null;
  put('budget_usd', budget, key?.budget?.limit_usd ?? null);
  if (budget) put('budget_period', form.period.value, key?.budget?.period);
  if (key?.budget && budget && 'budget_period' in value) value.budget_usd = budget;
  const days = form.expiry.value;
  const until = days === '' ? null : days === 'date' ? new Date(`${form.day.value}T23:59:59`).toISOString() : new Date(Date.now() + Number(days) * DAY_MS).toISOString();
  if (!(days === 'date' && key?.expires_at && form.day.value === localDay(new Date(key.expires_at)))) put('expires_at', until, key?.expires_at ?? null);
  const chosen = [...form.models.some.querySelectorAll('input:checked')].map((box) => box.value);
  put('models', form.models.everything.checked ? null : chosen, key?.models ?? null);
  return value;
}

// The form in a dialog; `send(value)` gives what goes to `close`.
function formDialog(title, key, verb, send) {
  return openDialog(title, (close) => {
    const place = h('div', { 'aria-busy': 'true' });
    const trouble = h('div');
    const submit = h('button.primary', { type: 'submit' }, verb);
    let form;
    const node = h('form', {
      onsubmit: (event) => {
        event.preventDefault();
        busy(submit, async () => {
          replace(trouble);
          try {
            const value = readForm(form, key);
            if (value.models?.length === 0) return replace(trouble, notice('bad', h('p', 'Choose at least one model, or all of them.')));
            return close(key && !Object.keys(value).length ? undefined : await send(value));
          } catch (error) {
            return replace(trouble, errorBox(error));
          }
        });
      },
    }, place, trouble, h('div.dialog-foot', h('button.secondary', { type: 'button', onclick: () => close() }, 'Cancel'), submit));
    submit.disabled = true;
    all('/api/models').catch(() => []).then((models) => {
      form = keyForm(key, models);
      replace(place, form.node);
      place.removeAttribute('aria-busy');
      submit.disabled = false;
      form.name.focus();
    });
    return node;
  }, { kind: 'form-dialog' });
}

// The only time that the secret is there to be seen. It stays in this dialog and is gone with it.
function showSecret(key, title) {
  return openDialog(title, (close) => [
    notice('warn', h('strong', 'Copy it now. '), h('span', 'It is not shown again: DeRouter keeps only its hash.')),
    h('div.secret', h('code', { id: 'secret', tabindex: '0' }, key.key), copyButton(key.key, 'Copy key', { words: true })),
    h('p.muted', 'Keep it out of code and chats; put it in the environment of the program that uses it.'),
    h('div.dialog-foot', h('button.secondary', { type: 'button', onclick: () => (close(true), (location.hash = `#/start?key=${key.id}`)) }, 'Saved, show the quick start'), h('button.primary', { type: 'button', onclick: () => close(true) }, 'I have saved it')),
  ], { dismissable: false });
}

export async function createKey() {
  const made = await formDialog('New key', null, 'Make key', (value) => post('/api/keys', value));
  if (made) await showSecret(made, 'Your new key');
  return Boolean(made);
}

export const editKey = (key) => formDialog(`Edit “${key.name || key.id}”`, key, 'Save', async (value) => (await patch(`/api/keys/${key.id}`, value), true));

export async function rotateKey(key) {
  const made = await openDialog(`Rotate “${key.name || key.id}”`, (close) => {
    const grace = select([['0s', 'No: the old key stops now'], ['1h', 'For an hour'], ['24h', 'For a day'], ['168h', 'For a week']], '24h');
    const trouble = h('div');
    const go = h('button.primary', { type: 'submit' }, 'Rotate');
    return h('form', {
      onsubmit: (event) => {
        event.preventDefault();
        busy(go, async () => {
          try {
            close(await post(`/api/keys/${key.id}/rotate`, { grace: grace.value }));
          } catch (error) {
            replace(trouble, errorBox(error));
          }
        });
      },
    }, h('p', 'The key gets a new secret; its name, limits, budget and history stay.'), field('Let the old one work meanwhile?', grace), trouble,
    h('div.dialog-foot', h('button.secondary', { type: 'button', onclick: () => close() }, 'Cancel'), go));
  });
  if (made) await showSecret(made, 'The new key');
  return Boolean(made);
}
