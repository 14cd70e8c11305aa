// login - Sign-In with Ethereum: choose a wallet, sign the message that the server composed. No password, no key here.
import { add, h, replace } from '../dom.js';
import { icon } from '../icons.js';
import { post } from '../api.js';
import { state, on } from '../store.js';
import { busy, notice } from '../ui.js';
import * as wallet from '../wallet.js';
import { noWallet, onKnownChain, walletTrouble, wrongChain } from '../wallet-ui.js';
import { refreshMe, signedIn } from '../session.js';

export const title = 'Log in';

function farewell() {
  const { text, error } = state.farewell ?? {};
  if (error) return notice('info', h('strong', error.message), h('p', 'Log in again — your wallet and keys are all still there.'));
  return text ? notice('info', h('p', text)) : null;
}

export async function draw(node, { signal }) {
  const trouble = h('div', { 'aria-live': 'polite' });
  const list = h('div.wallet-list');
  const step = h('p.muted.small.login-step', { role: 'status' });

  async function logIn(chosen, button) {
    replace(trouble);
    await busy(button, async () => {
      try {
        replace(step, `Waiting for ${chosen.name}: connect an account.`);
        const address = await wallet.connect(chosen);
        const chainId = await onKnownChain(chosen);
        if (!chainId) return replace(trouble, wrongChain(chosen, () => logIn(chosen, button)));
        const { message } = await post('/api/auth/challenge', { address, chainId });
        replace(step, `Waiting for ${chosen.name}: sign the message. It costs nothing and moves nothing.`);
        const signature = await wallet.sign(chosen, address, message);
        replace(step, 'Checking the signature.');
        await post('/api/auth/verify', { message, signature });
        signedIn(await refreshMe());
      } catch (error) {
        replace(trouble, walletTrouble(error));
      } finally {
        replace(step);
      }
      return undefined;
    });
  }

  function drawList() {
    const found = wallet.wallets();
    replace(list, found.length ? found.map((one) => {
      const button = h('button.wallet', { type: 'button', 'data-key': one.id, onclick: () => logIn(one, button) },
        h('span.wallet-face', { 'aria-hidden': 'true' }, one.name.slice(0, 1).toUpperCase()), h('span', one.name), icon('right'));
      return button;
    }) : noWallet(drawList));
  }

  on('wallets', drawList, signal);
  add(node, h('div.login',
    h('section.login-card', { 'aria-labelledby': 'login-title' },
      h('span.mark.big', { 'aria-hidden': 'true' }),
      h('h1', { id: 'login-title', tabindex: '-1' }, 'Log in to DeRouter'),
      h('p.lead', 'Your wallet is your account. You sign one message; there is no password, and no transaction.'),
      farewell(),
      state.config.login ? [h('h2.sr-only', 'Wallets'), list, step, trouble] : notice('info', h('strong', 'Wallet login is not set up on this gateway.'), h('p', 'Its operator makes keys. The quick start and the error guide are here for you all the same.'))),
    h('ul.login-points',
      h('li', h('strong', 'One key, every model. '), 'Claude and OpenAI clients work as they are: change the base URL, keep your code.'),
      h('li', h('strong', 'Paid in USDC. '), 'Deposit from your wallet, spend by the token, see every request with its price.'),
      h('li', h('strong', 'Caps that hold. '), 'Each key has its own budget, rate and models.'))));
  if (state.config.login) {
    drawList();
    wallet.discover();
  }
}
