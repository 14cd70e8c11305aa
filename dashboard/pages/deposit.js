// deposit - USDC from the reader's own wallet to the treasury: by one button or by hand, then watched until credited.
import { add, h, live, replace } from '../dom.js';
import { icon } from '../icons.js';
import { get, post, query } from '../api.js';
import { poll, state } from '../store.js';
import { badge, bar, busy, card, copyButton, empty, errorBox, field, heading, notice, segmented, skeleton, table, toast } from '../ui.js';
import { ago, confirmations, count, dateTime, decimals, moment, shortAddress, usd } from '../format.js';
import * as wallet from '../wallet.js';
import { noWallet, walletTrouble, wrongChain } from '../wallet-ui.js';
import { refreshMe } from '../session.js';

export const title = 'Deposit';
const STATUS = {
  pending: ['warn', 'Pending', 'On the chain; waits for its confirmations.'],
  credited: ['good', 'Credited', 'Your balance has it.'],
  final: ['good', 'Credited', 'Your balance has it, and the chain cannot take it back.'],
  orphaned: ['plain', 'Dropped', 'The chain dropped the transaction; it is credited if it comes back.'],
  reversed: ['bad', 'Reversed', 'The chain dropped the transaction after it was credited; the amount was taken back.'],
  unclaimed: ['warn', 'Unclaimed', 'Waits for its owner: a smart-contract wallet counts on the networks that it has logged in on.'],
  below_min: ['plain', 'Too small', 'Less than the minimum; it is not credited.'],
};
const HEALTH = { ok: ['good', 'Watching for deposits'], delayed: ['warn', 'Delayed'], down: ['bad', 'Chain out of reach'], unknown: ['plain', 'Not checked yet'] };
const POLICY = { blocks: (chain) => `after ${chain.confirmations} confirmations`, safe: () => 'once its block is safe', finalized: () => 'once its block is final' };

const policyText = (chain) => `Credited ${(POLICY[chain.policy] ?? POLICY.blocks)(chain)}${chain.finalized_above ? `; above ${chain.finalized_above} USDC once its block is final` : ''}. Less than ${chain.min} USDC is not credited.`;
const txLink = (deposit) => (deposit.explorer_url ? h('a', { href: deposit.explorer_url, target: '_blank', rel: 'noreferrer noopener', title: `${deposit.tx}, in the block explorer` }, `${deposit.tx.slice(0, 10)}…`, icon('link')) : h('span.mono', { title: deposit.tx }, `${deposit.tx.slice(0, 10)}…`));

// Deposits on their way: large, with a bar that fills.
function underWay(list, sent, chains) {
  const rows = list.filter((one) => one.status === 'pending');
  const unseen = sent.filter((tx) => !list.some((one) => one.tx.toLowerCase() === tx.toLowerCase()));
  if (!rows.length && !unseen.length) return null;
  return h('div.under-way', { role: 'status' },
    unseen.map((tx) => h('div.way', h('div.way-head', h('strong', 'Sent'), badge('plain', 'Waiting for the chain')), h('p.small.muted', h('span.mono', { title: tx }, `${tx.slice(0, 18)}…`)), h('div.bar.waiting', h('span')))),
    rows.map((one) => h('div.way', { 'data-tx': one.tx },
      h('div.way-head', h('strong', usd(one.amount_usd)), badge('warn', 'Pending')),
      h('p.small.muted', `${confirmations(one, chains)}, seen `, ago(one.seen_at)),
      one.confirmations_needed === null ? h('div.bar.waiting', { 'aria-hidden': 'true' }, h('span')) : bar(BigInt(one.confirmations), BigInt(one.confirmations_needed || 1), confirmations(one, chains)))));
}

const history = (rows, chains) => (rows.length ? table([
  { name: 'Amount', main: true, cell: (row) => usd(row.amount_usd) },
  { name: 'Status', phone: 'end', cell: (row) => {
    const [kind, name, text] = STATUS[row.status] ?? ['plain', row.status];
    return kind === 'good' || row.status === 'pending' ? badge(kind, name, text) : [badge(kind, name), h('span.small.muted', text)];
  } },
  { name: 'Seen', cell: (row) => moment(row.seen_at) },
  { name: 'Chain', cell: (row) => chains.find((chain) => chain.chainId === row.chainId)?.name ?? row.chainId },
  { name: 'From', phone: 'hide', cell: (row) => shortAddress(row.from) },
  { name: 'Transaction', cell: txLink },
], rows, { caption: 'Deposits, newest first', compact: true, rowAttributes: (row) => ({ 'data-tx': row.tx, 'data-status': row.status }) })
  : empty('No deposit yet', 'What you send is seen within seconds, credited after its confirmations, and listed here.'));

function health(chain) {
  const { state: now, last_ok_at, head } = chain.health ?? { state: 'unknown' };
  return h('p.health', badge(...(HEALTH[now] ?? HEALTH.unknown)), h('span.small.muted', head ? `Block ${count(head)}` : '', last_ok_at ? [head ? ', ' : '', 'checked ', ago(last_ok_at)] : ''));
}

function delayed(chain) {
  return ['delayed', 'down'].includes(chain.health?.state) ? notice('warn', h('strong', `Deposits on ${chain.name} are delayed.`),
    h('p', 'What you send now is not lost; it is credited once the network can be read again.', chain.health.last_ok_at ? [' Last seen ', dateTime(chain.health.last_ok_at), '.'] : null)) : null;
}

// A deposit is known by the wallet that sends it: this says which ones count.
function byHand(chain, linked, followed) {
  const own = state.me?.wallet ?? linked[0];
  const others = linked.filter((one) => one.toLowerCase() !== own?.toLowerCase());
  return card('Send it manually', {},
    notice('warn', h('strong', `Send only USDC on ${chain.name}, from `, shortAddress(own), ' (your login wallet); not from an exchange.'),
      h('p', others.length ? [`Your other linked ${others.length === 1 ? 'wallet' : 'wallets'} may send too: `, others.slice(0, 5).map((one, i) => [i ? ', ' : '', shortAddress(one)]), others.length > 5 ? ' and more' : '', '. '] : null,
        'Other tokens, other networks and other senders are not credited automatically, and tokens other than USDC may be lost. A smart-contract wallet counts on the network that it logged in on.')),
    h('dl.facts.wide',
      h('div', h('dt', 'Network'), h('dd', `${chain.name} (chain ${chain.chainId})`)),
      h('div', h('dt', 'Treasury address'), h('dd.address', h('code', { id: 'treasury' }, chain.treasury), copyButton(chain.treasury, 'Copy the treasury address'))),
      h('div', h('dt', 'USDC contract'), h('dd.address', h('code', chain.usdc), copyButton(chain.usdc, 'Copy the address of USDC')))),
    followed, h('p.muted.small', policyText(chain)));
}

// The button: connect, check account and network, send.
function byWallet(chain, linked, sent) {
  const amount = h('input', { type: 'text', inputmode: 'decimal', autocomplete: 'off', placeholder: '25', 'aria-label': 'Amount in USDC' });
  const trouble = h('div', { 'aria-live': 'polite' });
  const step = h('p.muted.small', { role: 'status' });
  const button = h('button.primary', { type: 'submit' }, 'Deposit with wallet');
  const say = (...children) => replace(trouble, notice('bad', h('p', ...children)));

  async function send() {
    replace(trouble);
    const value = wallet.units(amount.value);
    if (!value) return say('Type an amount, as 25 or 12.50.');
    if (value < wallet.units(chain.min)) return say(`At least ${chain.min} USDC: less is not credited.`);
    const chosen = wallet.lastUsed() ?? wallet.wallets()[0];
    if (!chosen) return replace(trouble, noWallet(() => replace(trouble)));
    try {
      replace(step, `Waiting for ${chosen.name}.`);
      const from = await wallet.connect(chosen);
      if (!linked.some((one) => one.toLowerCase() === from.toLowerCase())) {
        return say('Your wallet is on ', shortAddress(from), ', which is not linked to this account. Choose a linked account in the wallet, or ', h('a', { href: '#/wallets' }, 'link this one'), '.');
      }
      if ((await wallet.chainOf(chosen)) !== chain.chainId) return replace(trouble, wrongChain(chosen, () => busy(button, send), [chain]));
      const there = await wallet.usdcBalance(chosen, chain.usdc, from).catch(() => null);
      if (there !== null && there < value) return say(`This wallet has ${decimals(there * 1000n)} in USDC on ${chain.name}.`);
      replace(step, `Confirm the transfer of ${amount.value.trim()} USDC in ${chosen.name}.`);
      const tx = await wallet.sendUsdc(chosen, { from, token: chain.usdc, to: chain.treasury, amount: value });
      amount.value = '';
      await sent(tx, chain.chainId);
    } catch (error) {
      replace(trouble, walletTrouble(error));
    } finally {
      replace(step);
    }
    return undefined;
  }
  const quick = ['10', '25', '100', '500'].map((n) => h('button.secondary.small', { type: 'button', onclick: () => ((amount.value = n), amount.focus()) }, `$${n}`));
  return card('Deposit', {}, h('form.deposit-form', { novalidate: true, onsubmit: (event) => (event.preventDefault(), busy(button, send)) },
    field('Amount in USDC', amount), h('div.quick', { role: 'group', 'aria-label': 'Amounts' }, quick), button), step, trouble,
  h('p.muted.small', `Your wallet sends USDC on ${chain.name} to DeRouter and pays the network’s fee. 1 USDC is 1 USD of balance.`));
}

export async function draw(node, { signal }) {
  const place = h('div', skeleton(5));
  const way = h('div');
  const past = h('div', skeleton(3));
  const sent = [];
  let info = null;
  let watched = new Map();
  const drawWay = live(way, ([rows, unseen, chains]) => underWay(rows, unseen, chains));
  const drawPast = live(past, ([rows]) => history(rows, info?.data ?? []));

  async function readDeposits() {
    const { data } = await get(`/api/deposits${query({ limit: '50' })}`, { signal });
    drawWay([data, sent, (info?.data ?? []).map(({ chainId, policy, finalized_above }) => ({ chainId, policy, finalized_above }))]);
    drawPast([data]);
    for (const one of data) {
      const before = watched.get(one.id);
      if (before === 'pending' && ['credited', 'final'].includes(one.status)) {
        toast(`${one.amount_usd} USDC credited`);
        refreshMe().catch(() => {});
      }
    }
    watched = new Map(data.map((one) => [one.id, one.status]));
    const unseen = sent.some((tx) => !data.some((one) => one.tx.toLowerCase() === tx.toLowerCase()));
    return unseen || data.some((one) => one.status === 'pending') ? 1500 : 8000;
  }
  let reading = null;
  const onSent = async (tx, chainId) => {
    sent.push(tx);
    await post('/api/deposits/notify', { tx, chainId }).catch(() => {});
    await reading.now();
  };

  // What changes with every block has places of its own, so that a form that is being filled in is let alone.
  let chosen = 0;
  const alarm = h('div');
  const followed = h('div');
  const drawAlarm = live(alarm, delayed);
  const drawHealth = live(followed, health);
  const drawChain = live(place, ({ chains, linked }) => {
    const chain = chains[chosen] ?? chains[0];
    if (!chain) return empty('Deposits are not set up', 'The operator of this gateway credits accounts by hand.');
    return h('div.stack.wide', chains.length > 1 ? segmented('Network', chains.map((one, i) => [String(i), one.name]), String(chosen), (i) => ((chosen = Number(i)), show())) : null,
      h('div.columns', byWallet(chain, linked, onSent), byHand(chain, linked, followed)));
  });
  function show() {
    drawChain({ chains: info.data.map(({ health: _, ...chain }) => chain), linked: info.wallets, chosen });
    const chain = info.data[chosen] ?? info.data[0];
    if (!chain) return;
    drawAlarm(chain);
    drawHealth(chain);
  }
  async function readInfo() {
    info = await get('/api/deposit-info', { signal });
    show();
  }
  add(node, heading('Deposit', { text: 'Prepaid in USDC. Your keys work again the moment it is credited.' }), alarm, way, place, card('History', {}, past));
  const first = async () => {
    try {
      await readInfo();
      await readDeposits();
    } catch (error) {
      if (error.name !== 'AbortError') replace(place, errorBox(error, first));
    }
  };
  await first();
  post('/api/deposits/notify', {}).catch(() => {});
  reading = poll(readDeposits, 8000, signal);
  poll(readInfo, 15000, signal);
}
