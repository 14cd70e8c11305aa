// format - money, times, counts as the pages show them. Money is decimal text and becomes integers of nano-dollars to be
// added or compared; it is never a float.
import { h } from './dom.js';

const NANO = 1000000000n;

// "12.5" -> 12500000000n
export function nano(text) {
  const found = /^(-?)(\d+)(?:\.(\d{1,9}))?$/.exec(String(text ?? '0'));
  if (!found) return 0n;
  const [, sign, whole, part = ''] = found;
  const value = BigInt(whole) * NANO + BigInt(part.padEnd(9, '0'));
  return sign ? -value : value;
}

// 12500000000n -> "$12.50": between `least` and `most` decimals. What is behind them is cut off toward less, so that nobody
// has more, or owes less, than is shown.
export function decimals(value, least = 2, most = 4) {
  const unit = 10n ** BigInt(9 - most);
  const size = value < 0n ? (unit - 1n - value) / unit : value / unit;
  const scale = 10n ** BigInt(most);
  let part = (size % scale).toString().padStart(most, '0');
  while (part.length > least && part.endsWith('0')) part = part.slice(0, -1);
  const whole = (size / scale).toString().replace(/\B(?=(\d{3})+$)/g, ',');
  return `${value < 0n ? '−' : ''}$${whole}${part ? `.${part}` : ''}`;
}

// Money in a sentence: four decimals, and six where it is less than a dollar.
export function money(value) {
  const size = value < 0n ? -value : value;
  if (size !== 0n && size < 1000n) return `${value < 0n ? '−' : ''}<$0.000001`;
  return decimals(value, 2, size < NANO ? 6 : 4);
}

// Decimal text as an element that says all of it to those who ask; in a column of figures `fixed` keeps the points in line.
export function usd(text, { fixed = false, sign = false } = {}) {
  if (text === null || text === undefined) return h('span.muted', '–');
  const value = nano(text);
  if (fixed && value === 0n) return h('span.money.muted', '$0');
  const shown = fixed && (value >= 1000n || value <= -1000n) ? decimals(value, 6, 6) : money(value);
  return h('span.money', { title: `${value < 0n ? '−' : ''}$${String(text).replace('-', '')}` }, `${sign && value > 0n ? '+' : ''}${shown}`);
}

const counts = new Intl.NumberFormat('en-US');
const shortCounts = new Intl.NumberFormat('en-US', { notation: 'compact', maximumFractionDigits: 1 });
export const count = (n) => (n === null || n === undefined ? '–' : counts.format(n));
export const short = (n) => (n === null || n === undefined ? '–' : shortCounts.format(n));

export function duration(ms) {
  if (ms === null || ms === undefined) return '–';
  if (ms < 1000) return `${ms} ms`;
  if (ms < 60000) return `${(ms / 1000).toFixed(ms < 10000 ? 2 : 1)} s`;
  return `${Math.floor(ms / 60000)} min ${Math.round((ms % 60000) / 1000)} s`;
}

const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const dayAndClock = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' });
const dayAndYear = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', year: 'numeric' });
const toTheSecond = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', year: 'numeric', hour: '2-digit', minute: '2-digit', second: '2-digit', timeZoneName: 'short' });
const full = new Intl.DateTimeFormat('en-GB', { dateStyle: 'full', timeStyle: 'long' });
const dayOnly = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', timeZone: 'UTC' });
const sameDay = (a, b) => a.toDateString() === b.toDateString();

const timeTag = (text, shown) => h('time', { datetime: text, title: full.format(new Date(text)) }, shown);
// To the second: for rows of a log.
export function moment(text) {
  if (!text) return '–';
  const at = new Date(text);
  const now = new Date();
  return timeTag(text, sameDay(at, now) ? clock.format(at) : at.getFullYear() === now.getFullYear() ? dayAndClock.format(at) : dayAndYear.format(at));
}
// All of it, with the zone: for a receipt.
export const stamp = (text) => (text ? timeTag(text, toTheSecond.format(new Date(text))) : '–');
// The zone that times are shown in; days of spend and of budgets are the account's own.
export const zone = () => Intl.DateTimeFormat().resolvedOptions().timeZone;
export const date = (text) => (text ? timeTag(text, dayAndYear.format(new Date(text))) : '–');
export const dateTime = (text) => (text ? timeTag(text, `${dayAndYear.format(new Date(text))}, ${clock.format(new Date(text)).slice(0, 5)}`) : '–');
// "2026-11-26" of the account's own calendar.
export const day = (text) => dayOnly.format(new Date(`${text}T00:00:00Z`));

export function ago(text) {
  if (!text) return 'never';
  const s = Math.round((Date.now() - Date.parse(text)) / 1000);
  return timeTag(text, s < 45 ? 'just now' : s < 5400 ? `${Math.round(s / 60)} min ago` : s < 129600 ? `${Math.round(s / 3600)} h ago` : s < 60 * 86400 ? `${Math.round(s / 86400)} days ago` : dayAndYear.format(new Date(text)));
}
export function ahead(text) {
  const s = Math.round((Date.parse(text) - Date.now()) / 1000);
  return timeTag(text, s <= 0 ? 'now' : s < 5400 ? `in ${Math.max(1, Math.round(s / 60))} min` : s < 129600 ? `in ${Math.round(s / 3600)} h` : `in ${Math.round(s / 86400)} days`);
}

// 0x1234…abcd; the whole of it for those who ask.
export const shortAddress = (address) => (address ? h('span.mono', { title: address }, `${address.slice(0, 6)}…${address.slice(-4)}`) : '–');
export const plural = (n, one, many = `${one}s`) => `${counts.format(n)} ${n === 1 ? one : many}`;

// How far a deposit is: "2 of 4 confirmations"; where the chain's own word is waited for, there is no such number.
export function confirmations(one, chains) {
  if (one.confirmations_needed !== null) return `${one.confirmations} of ${one.confirmations_needed} confirmations`;
  const chain = chains.find(({ chainId }) => chainId === one.chainId);
  const safe = chain?.policy === 'safe' && !(chain.finalized_above && nano(one.amount_usd) > nano(chain.finalized_above));
  return `${plural(one.confirmations, 'confirmation')}; credited once its block is ${safe ? 'safe' : 'final'}`;
}
