// wallets - the wallets that open this account, and the sessions that are open.
import { add, h, live, replace } from '../dom.js';
import { icon } from '../icons.js';
import { all, post, remove } from '../api.js';
import { poll } from '../store.js';
import { badge, busy, card, copyButton, errorBox, heading, skeleton, table, toast } from '../ui.js';
import { ago, ahead, date, shortAddress } from '../format.js';
import { confirmDialog, openDialog } from '../dialog.js';
import * as wallet from '../wallet.js';
import { noWallet, onKnownChain, walletTrouble, wrongChain } from '../wallet-ui.js';
import { logOut } from '../session.js';

export const title = 'Wallets & sessions';

const linkDialog = () => openDialog('Link another wallet', (close) => {
  const trouble = h('div', { 'aria-live': 'polite' });
  const list = h('div.wallet-list');
  const step = h('p.muted.small', { role: 'status' });
  async function link(chosen, button) {
    replace(trouble);
    await busy(button, async () => {
      try {
        replace(step, `Waiting for ${chosen.name}: choose the account to link.`);
        const address = await wallet.connect(chosen, { another: true });
        const chainId = await onKnownChain(chosen);
        if (!chainId) return replace(trouble, wrongChain(chosen, () => link(chosen, button)));
        const { message } = await post('/api/auth/challenge', { address, chainId, purpose: 'link' });
        replace(step, `Waiting for ${chosen.name}: sign the message.`);
        const signature = await wallet.sign(chosen, address, message);
        close(await post('/api/wallets', { message, signature }));
      } catch (error) {
        replace(trouble, walletTrouble(error));
      } finally {
        replace(step);
      }
      return undefined;
    });
  }
  const drawList = () => replace(list, wallet.wallets().length ? wallet.wallets().map((one) => {
    const button = h('button.wallet', { type: 'button', onclick: () => link(one, button) }, h('span.wallet-face', { 'aria-hidden': 'true' }, one.name.slice(0, 1).toUpperCase()), h('span', one.name), icon('right'));
    return button;
  }) : noWallet(drawList));
  drawList();
  return [h('p', 'A linked wallet can log in to this account, and USDC that it sends is credited here. One wallet belongs to one account.'), list, step, trouble];
});

const walletTable = (rows) => table([
  { name: 'Address', main: true, cell: (row) => h('span.address', h('code.full', row.address), h('span.short', shortAddress(row.address)), copyButton(row.address, 'Copy the address')) },
  { name: 'Linked', cell: (row) => date(row.linked_at) },
  { name: 'State', quiet: true, cell: (row) => (row.current ? badge('good', 'This session') : null) },
], rows, { caption: 'Linked wallets' });

export async function draw(node, { signal }) {
  const wallets = h('div', skeleton(2));
  const sessions = h('div', skeleton(2));
  const drawWallets = live(wallets, walletTable);

  const end = (session) => confirmDialog('End this session?', h('p', 'Whoever uses it has to log in again.'), 'End session', () => remove(`/api/sessions/${session.id}`))
    .then((done) => done && (toast('Session ended'), refresh()));
  const endOthers = () => confirmDialog('End all other sessions?', h('p', 'Every browser and program but this one has to log in again. API keys are not touched.'), 'End all others', () => remove('/api/sessions'))
    .then((done) => done && (toast('All other sessions ended'), refresh()));
  const drawSessions = live(sessions, (rows) => [table([
    { name: 'Wallet', main: true, cell: (row) => shortAddress(row.wallet) },
    { name: 'Began', cell: (row) => ago(row.created_at) },
    { name: 'Ends', cell: (row) => ahead(row.expires_at) },
    { name: 'Action', quiet: true, cell: (row) => (row.current ? h('div.row-actions', badge('good', 'This session'), h('button.secondary.small', { type: 'button', 'data-key': 'log-out-here', onclick: logOut }, 'Log out'))
      : h('div.row-actions', h('button.secondary.small', { type: 'button', 'data-key': `end-${row.id}`, 'aria-label': `End the session of ${row.wallet}`, onclick: () => end(row) }, 'End'))) },
  ], rows, { caption: 'Open sessions' }),
  rows.length > 1 ? h('div.card-foot', h('button.secondary.danger', { type: 'button', 'data-key': 'end-others', onclick: endOthers }, 'End all others')) : null]);

  async function refresh() {
    const [walletRows, sessionRows] = await Promise.all([all('/api/wallets', { signal }), all('/api/sessions', { signal })]);
    drawWallets(walletRows);
    drawSessions([...sessionRows].sort((a, b) => b.current - a.current));
  }
  const link = h('button.primary', { type: 'button', onclick: () => linkDialog().then((done) => done && (toast('Wallet linked'), refresh())) }, icon('plus'), 'Link a wallet');
  add(node, heading('Wallets & sessions', { text: 'A session lasts 24 hours. Keys work whether or not you are logged in.', actions: [link] }),
    card('Wallets', {}, wallets), card('Sessions', {}, sessions));
  const first = () => refresh().catch((error) => error.name === 'AbortError' || (replace(wallets, errorBox(error, first)), replace(sessions)));
  await first();
  poll(refresh, 20000, signal);
}
