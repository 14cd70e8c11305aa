// wallet-ui - what login, deposit and the linking of wallets say about wallets: none here, another network, a rejection.
import { h, replace } from './dom.js';
import { state } from './store.js';
import { busy, errorBox, notice } from './ui.js';
import * as wallet from './wallet.js';

// The wallet must be on a chain that the gateway accepts, for the message names it. 0: it is on another.
export async function onKnownChain(chosen) {
  const at = await wallet.chainOf(chosen);
  return state.config.chains.some((chain) => chain.chainId === at) ? at : 0;
}

// Offers to switch; `again` goes on once it is done.
export function wrongChain(chosen, again, chains = state.config.chains) {
  const trouble = h('div');
  return notice('warn',
    h('strong', 'Your wallet is on another network.'),
    h('p', `This works on ${chains.map((chain) => chain.name).join(', ')}. Switching costs nothing.`),
    h('div.actions', chains.map((chain) => {
      const button = h('button', {
        type: 'button',
        onclick: () => busy(button, async () => {
          try {
            await wallet.switchChain(chosen, chain.chainId);
            await again();
          } catch (error) {
            replace(trouble, walletTrouble(error));
          }
        }),
      }, `Switch to ${chain.name}`);
      return button;
    })),
    trouble);
}

export function walletTrouble(error) {
  if (error.name !== 'WalletError') return errorBox(error);
  return notice(error.kind === 'rejected' ? 'info' : 'bad', h('strong', error.kind === 'rejected' ? 'Rejected in your wallet' : 'Your wallet did not do it'), h('p', error.message));
}

export function noWallet(again) {
  return h('div.empty',
    h('p.empty-title', 'No wallet found in this browser'),
    h('p', 'Install a browser wallet as an extension and reload this page. On a phone, open this page in the browser inside your wallet app.'),
    h('button.secondary', { type: 'button', onclick: () => (wallet.discover(), again()) }, 'Look again'));
}
