// overview - what is left, how long it lasts at the pace of the last seven days, and where it went.
import { add, h, live, replace } from '../dom.js';
import { icon } from '../icons.js';
import { all, get } from '../api.js';
import { state, on, poll } from '../store.js';
import { card, empty, errorBox, heading, notice, segmented, skeleton, table } from '../ui.js';
import { dateTime, decimals, money, moment, nano, plural, short, usd } from '../format.js';
import { chartWithTable } from '../chart.js';
import { keyName, statusBadge, took } from '../rows.js';
import { byName } from '../guide.js';
import { refreshMe } from '../session.js';

export const title = 'Overview';

// Whole days that the balance lasts when each costs as much as the last seven did on average; of an account that is
// younger, as much as those since it began.
function runway(balance, week, spent, made) {
  if (balance <= 0n && spent === 0n) return { figure: '–', text: 'Begins with your first deposit.' };
  if (balance <= 0n) return { figure: 'Spent', text: 'Requests answer 402 until you deposit.' };
  if (week <= 0n) return { figure: '–', text: 'No spend in the last 7 days.' };
  const past = BigInt(Math.min(7, Math.max(1, Math.ceil((Date.now() - Date.parse(made)) / 86400000))));
  const days = (balance * past) / week;
  const text = `At the pace of ${past === 1n ? 'the last day' : `the last ${past} days`} (${money(week / past)} a day).`;
  if (days > 999n) return { figure: 'Over 2 years', text };
  if (days >= 1n) return { figure: plural(Number(days), 'day'), text };
  return { figure: `${(balance * past * 24n) / week} h`, text };
}

const tokensOf = (sums) => sums.input_tokens + sums.cache_read_input_tokens + sums.cache_creation_input_tokens + sums.output_tokens;
const figure = (label, value, text, ...more) => h('div.figure', h('dt', label), h('dd', h('span.figure-value', value), text ? h('span.figure-text', text) : null, ...more));

function figures({ me, month }) {
  const balance = nano(me.balance_usd);
  const held = nano(me.held_usd);
  const week = month?.data.slice(-7).reduce((sum, row) => sum + nano(row.cost_usd), 0n);
  const lasts = month ? runway(balance, week, nano(me.spent_usd), me.created_at) : { figure: '…', text: '' };
  return h('dl.figures',
    h('div.figure.main', h('dt', 'Balance'), h('dd', h('span.figure-value', { title: `$${me.balance_usd}` }, decimals(balance, 4, 4).slice(0, -2), h('small', decimals(balance, 4, 4).slice(-2))),
      h('span.figure-text', 'USDC, prepaid'), h('a.button.primary', { href: '#/deposit' }, 'Deposit'))),
    figure('Held', money(held), me.running ? `Reserved by ${plural(me.running, 'running request')}; what is not used comes back.` : 'Nothing is running.'),
    figure('Runway', lasts.figure, lasts.text),
    figure('Last 30 days', month ? usd(month.total.cost_usd) : '…', month ? `${plural(month.total.requests, 'request')}, ${short(tokensOf(month.total))} tokens` : ''));
}

function firstSteps(me, month) {
  const done = [nano(me.balance_usd) > 0n || nano(me.spent_usd) > 0n, me.keys > 0, month.total.requests > 0];
  if (done.every(Boolean)) return null;
  const steps = [
    ['Deposit USDC', 'From the wallet that you logged in with. Credited after its confirmations.', '#/deposit'],
    ['Make a key', 'Give it a budget if you like: it can never spend more.', '#/keys'],
    ['Make a call', 'Snippets for curl, the SDKs, claude-code and codex.', '#/start'],
  ];
  return card('Get going', { class: 'steps' }, h('ol', steps.map(([name, text, href], i) => h('li', { class: done[i] ? 'done' : '' },
    h('span.step-mark', { 'aria-hidden': 'true' }, done[i] ? icon('check') : String(i + 1)),
    h('div', h('a', { href }, name), done[i] ? h('span.sr-only', ' (done)') : null, h('p', text))))));
}

function warnings({ me, info }) {
  const list = [];
  if (nano(me.balance_usd) <= 0n && me.keys > 0) {
    const entry = byName('BALANCE');
    list.push(notice('bad', h('strong', entry.title), h('p', entry.what, ' ', entry.fix, ' ', h('a', { href: '#/deposit' }, 'Deposit now'))));
  }
  for (const chain of info?.data ?? []) {
    if (!['delayed', 'down'].includes(chain.health?.state)) continue;
    list.push(notice('warn', h('strong', `Deposits on ${chain.name} are delayed.`),
      h('p', 'What you send is not lost: it is credited once the network can be read again. Your keys work as before.', chain.health.last_ok_at ? [' Last seen ', dateTime(chain.health.last_ok_at), '.'] : null)));
  }
  return list;
}

function shares(rows, name, label) {
  const most = rows.reduce((sum, row) => (nano(row.cost_usd) > sum ? nano(row.cost_usd) : sum), 0n);
  const list = rows.filter((row) => row.requests > 0).sort((a, b) => (nano(b.cost_usd) > nano(a.cost_usd) ? 1 : -1)).slice(0, 5);
  if (!list.length) return h('p.muted', 'Nothing yet.');
  return h('ul.shares', list.map((row) => h('li',
    h('span.share-name', { title: label(row[name], row) }, label(row[name], row)), h('span.num', usd(row.cost_usd)),
    h('span.share-bar', { 'aria-hidden': 'true', vars: { part: `${most > 0n ? Number((nano(row.cost_usd) * 100n) / most) : 0}%` } }))));
}

const recent = (rows) => (rows.length ? table([
  { name: 'Request', main: true, cell: (row) => h('a.row-link', { href: `#/activity/${row.id}` }, row.model ?? 'no model') },
  { name: 'Time', cell: (row) => moment(row.time) },
  { name: 'Key', cell: keyName },
  { name: 'Status', cell: statusBadge },
  { name: 'Took', num: true, cell: took },
  { name: 'Cost', num: true, phone: 'end', cell: (row) => usd(row.cost_usd, { fixed: true }) },
], rows, { caption: 'The last requests', compact: true }) : h('p.muted', 'No request yet.'));

export async function draw(node, { signal }) {
  const top = h('div', skeleton(2));
  const alerts = h('div.stack');
  const steps = h('div');
  const chart = h('div', skeleton(5));
  const byModel = h('div', skeleton(3));
  const byKey = h('div', skeleton(3));
  const last = h('div', skeleton(4));
  const data = { me: state.me };
  let days = '30';
  const drawTop = live(top, figures);
  const drawAlerts = live(alerts, warnings);
  const drawLast = live(last, recent);
  const drawSteps = live(steps, ([me, month]) => firstSteps(me, month));

  let chartLife = new AbortController();
  const drawChart = live(chart, (rows) => {
    chartLife.abort();
    chartLife = new AbortController();
    return rows.some((row) => row.requests > 0) ? chartWithTable(rows, data.month.time_zone, AbortSignal.any ? AbortSignal.any([signal, chartLife.signal]) : signal)
      : empty('No spend yet', 'Every call with one of your keys shows up here within seconds.', h('a', { href: '#/start' }, 'Make a first call'));
  });
  const showChart = () => data.month && drawChart(data.month.data.slice(-Number(days)));

  async function readRows() {
    const [rows, info] = await Promise.all([
      get('/api/requests?limit=5', { signal }),
      get('/api/deposit-info', { signal }).catch((error) => (error.offline || error.name === 'AbortError' ? Promise.reject(error) : null)),
    ]);
    data.info = info;
    drawAlerts({ me: data.me, info });
    drawLast(rows.data);
    return rows.data[0]?.id ?? 'none';
  }

  async function readUsage() {
    const [month, models, keys, keyList] = await Promise.all([
      get('/api/usage', { signal }), get('/api/usage?group_by=model', { signal }), get('/api/usage?group_by=key', { signal }), all('/api/keys', { signal }),
    ]);
    const names = new Map(keyList.map((key) => [key.id, key.name || key.id]));
    data.month = month;
    drawTop(data);
    drawSteps([data.me, month]);
    showChart();
    replace(byModel, shares(models.data, 'model', (model) => model));
    replace(byKey, shares(keys.data, 'key', (key, row) => (names.has(key) ? names.get(key) : `${row.key_name || key} (deleted)`)));
  }

  // The sums are read again only when there is a new request, or after a minute.
  let newest, readAt;
  async function refresh() {
    const id = await readRows();
    if (id === newest && Date.now() - readAt < 60000) return;
    await Promise.all([readUsage(), newest === undefined || id !== newest ? refreshMe({ signal }) : null]);
    [newest, readAt] = [id, Date.now()];
  }

  on('me', (me) => {
    data.me = me;
    if (data.month) drawTop(data);
    drawAlerts({ me, info: data.info });
  }, signal);
  add(node, heading('Overview'), alerts, top, steps,
    card('Spend', { actions: segmented('Days', [['7', '7 days'], ['30', '30 days']], days, (choice) => ((days = choice), showChart())) }, chart),
    h('div.columns', card('By model, 30 days', {}, byModel), card('By key, 30 days', {}, byKey)),
    card('Last requests', { actions: h('a', { href: '#/activity' }, 'All activity') }, last));
  drawTop(data);
  const first = async () => {
    try {
      await refresh();
    } catch (error) {
      if (error.name === 'AbortError') return;
      replace(chart, errorBox(error, first));
      for (const part of [byModel, byKey, last]) replace(part, h('p.muted', 'Not loaded.'));
    }
  };
  first();
  poll(refresh, 10000, signal);
}
