// chart - spend by day as bars, drawn by uPlot, and the same figures as a table. uPlot is fetched when the first chart is.
import { h, replace } from './dom.js';
import { on } from './store.js';
import { count, day, nano, plural, usd } from './format.js';
import { segmented, table } from './ui.js';

let loading;
function uplot() {
  loading ??= new Promise((done, fail) => {
    const style = h('link', { rel: 'stylesheet', href: 'vendor/uplot-1.6.32.min.css' });
    const script = h('script', { src: 'vendor/uplot-1.6.32.iife.min.js', onload: () => done(window.uPlot), onerror: () => fail(new Error('The chart could not be loaded')) });
    document.head.append(style, script);
  });
  return loading;
}

// A token of the theme in force: light-dark() is resolved where a colour is asked for, not in the token itself.
function colour(name) {
  const probe = h('span', { hidden: true });
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}
// The height of a bar is a picture of the sum, not the sum: here a float may do.
const height = (row) => Number(nano(row.cost_usd) / 1000n) / 1e6;
// A mark of the axis, with the decimals that its step needs.
const dollars = (value, step) => (value === 0 ? '$0' : `$${value.toLocaleString('en-US', { minimumFractionDigits: step >= 1 ? 0 : Math.max(2, Math.ceil(-Math.log10(step) - 1e-9)), maximumFractionDigits: 6 })}`);

// A label beside the bar that the pointer is on.
function tip(rows) {
  const box = h('div.chart-tip', { hidden: true });
  return {
    hooks: {
      init: (chart) => chart.over.append(box),
      setCursor(chart) {
        const i = chart.cursor.idx;
        box.hidden = i === null || i === undefined || !rows[i];
        if (box.hidden) return;
        replace(box, h('span', day(rows[i].day)), h('strong', usd(rows[i].cost_usd)), h('span', plural(rows[i].requests, 'request')));
        const left = chart.valToPos(i, 'x');
        box.style.setProperty('--x', `${Math.min(Math.max(left, 60), chart.over.clientWidth - 60)}px`);
      },
    },
  };
}

function options(uPlot, rows, width) {
  const axis = { stroke: colour('--muted'), grid: { show: false }, ticks: { show: false }, font: '12px system-ui, sans-serif' };
  const every = Math.max(1, Math.ceil(rows.length / Math.max(2, Math.floor(width / 90))));
  return {
    width,
    height: 224,
    padding: [12, 18, 0, 0],
    legend: { show: false },
    cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
    select: { show: false },
    plugins: [tip(rows)],
    scales: { x: { time: false, range: [-0.6, rows.length - 0.4] }, y: { range: (chart, least, most) => [0, most > 0 ? most * 1.1 : 1] } },
    series: [{}, {
      stroke: colour('--accent'), fill: colour('--bar'), width: 0, points: { show: false },
      paths: uPlot.paths.bars({ size: [0.7, 44, 2], radius: [0.15, 0] }),
    }],
    axes: [
      { ...axis, size: 30, splits: () => rows.map((_, i) => i).filter((i) => (rows.length - 1 - i) % every === 0), values: (chart, at) => at.map((i) => (rows[i] ? day(rows[i].day) : '')) },
      { ...axis, size: 56, grid: { show: true, stroke: colour('--line'), width: 1 }, values: (chart, at, _, space, step) => at.map((value) => dollars(value, step)) },
    ],
  };
}

// rows: [{ day, cost_usd, requests, … }], oldest first. Follows its own width and the theme; gone with the signal.
export function spendChart(rows, signal) {
  const box = h('div.chart', { role: 'img', 'aria-label': `Spend by day, ${rows.length} days; the same figures are in the table.` });
  let chart = null;
  async function draw() {
    const uPlot = await uplot();
    if (signal.aborted || !box.clientWidth) return;
    chart?.destroy();
    replace(box);
    chart = new uPlot(options(uPlot, rows, box.clientWidth), [rows.map((_, i) => i), rows.map(height)], box);
  }
  const watch = new ResizeObserver(() => (chart && Math.abs(chart.width - box.clientWidth) < 2 ? null : draw().catch((error) => replace(box, h('p.muted', error.message)))));
  watch.observe(box);
  on('theme', () => requestAnimationFrame(draw), signal);
  signal.addEventListener('abort', () => (watch.disconnect(), chart?.destroy()));
  return box;
}

const dayTable = (rows) => table([
  { name: 'Day', main: true, cell: (row) => day(row.day) },
  { name: 'Requests', num: true, cell: (row) => count(row.requests) },
  { name: 'Input tokens', num: true, cell: (row) => count(row.input_tokens + row.cache_creation_input_tokens + row.cache_read_input_tokens) },
  { name: 'Output tokens', num: true, cell: (row) => count(row.output_tokens) },
  { name: 'Spend', num: true, cell: (row) => usd(row.cost_usd, { fixed: true }) },
], [...rows].reverse(), { caption: 'Spend by day, newest first' });

// The chart, and a switch to the table.
export function chartWithTable(rows, zone, signal) {
  const place = h('div', spendChart(rows, signal));
  return [place, h('div.chart-foot', h('span.small.muted', `Days of ${zone}`), segmented('Show as', [['chart', 'Chart'], ['table', 'Table']], 'chart', (as) => replace(place, as === 'chart' ? spendChart(rows, signal) : dayTable(rows))))];
}
