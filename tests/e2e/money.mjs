// money - what a usage costs by config/models.json, computed here in exact integers and from the file alone: what
// the gateway books is held against it.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { root } from './stack.mjs';

const list = JSON.parse(readFileSync(path.join(root, 'config/models.json'), 'utf8')).models;
const TRILLION = 10n ** 12n;

// "3.75" as an integer of so many digits behind the point; more digits than that are a mistake.
export function decimal(text, digits) {
  const [, whole, part = ''] = /^(\d+)(?:\.(\d+))?$/.exec(text);
  if (part.length > digits) throw new Error(`"${text}" has more than ${digits} digits`);
  return BigInt(whole + part.padEnd(digits, '0'));
}

function rowOf(name, at) {
  const model = list.find((m) => m.name === name || m.aliases?.includes(name));
  return model.prices.filter((row) => Date.parse(row.effective_from) <= at).sort((a, b) => Date.parse(a.effective_from) - Date.parse(b.effective_from)).at(-1);
}

// The first variant that the model's row lists, as [field, value], or undefined.
export function variantOf(name, at = Date.now()) {
  const [field, values] = Object.entries(rowOf(name, at).variants ?? {})[0] ?? [];
  return field && [field, Object.keys(values)[0]];
}

// Nano-dollars, rounded up once. tokens: { in, cw5, cw1, cr, out, web }; variant: [field, value].
export function cost(name, tokens, { variant, at = Date.now() } = {}) {
  const row = rowOf(name, at);
  const n = Object.fromEntries(['in', 'cw5', 'cw1', 'cr', 'out', 'web'].map((field) => [field, BigInt(tokens[field] ?? 0)]));
  const prompt = n.in + n.cw5 + n.cw1 + n.cr;
  const tier = (row.tiers ?? []).filter((t) => prompt > BigInt(t.above_tokens)).at(-1) ?? row;
  const perMillion = (text) => decimal(text, 9); // nano-dollars for a million tokens
  const read = tier.cache_read ?? tier.input, write = tier.cache_write_5m ?? tier.input, hour = tier.cache_write_1h ?? write;
  const sum = n.in * perMillion(tier.input) + n.out * perMillion(tier.output) + n.cr * perMillion(read) + n.cw5 * perMillion(write) + n.cw1 * perMillion(hour);
  const multiply = variant ? decimal(row.variants[variant[0]][variant[1]].multiply, 6) : 1_000_000n;
  const searches = n.web * decimal(row.web_search ?? '0', 9) * TRILLION;
  return (sum * multiply + searches + TRILLION - 1n) / TRILLION;
}
