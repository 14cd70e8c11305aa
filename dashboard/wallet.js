// wallet - the reader's own wallet: found by EIP-6963, asked by EIP-1193. Nothing here touches keys. Pictures that wallets
// announce are not shown: they are not ours, and the page loads nothing from elsewhere.
import { tell, remembered } from './store.js';

const found = new Map(); // rdns -> { id, name, provider }
let used = null;

window.addEventListener('eip6963:announceProvider', ({ detail }) => {
  const { info, provider } = detail ?? {};
  if (!info?.uuid || typeof provider?.request !== 'function') return;
  const id = String(info.rdns || info.uuid);
  if (found.get(id)?.provider === provider) return;
  found.set(id, { id, name: String(info.name || id).slice(0, 40), provider });
  tell('wallets');
});
export const discover = () => window.dispatchEvent(new Event('eip6963:requestProvider'));

export function wallets() {
  const list = [...found.values()];
  // Older wallets put themselves there and announce nothing.
  if (!list.length && typeof window.ethereum?.request === 'function') list.push({ id: 'injected', name: 'Browser wallet', provider: window.ethereum });
  return list.sort((a, b) => a.name.localeCompare(b.name));
}

// What went wrong, for people: kind is "rejected", "busy", "chain-unknown", "other".
export class WalletError extends Error {
  constructor(kind, message) {
    super(message);
    this.name = 'WalletError';
    this.kind = kind;
  }
}

async function request(wallet, method, params) {
  try {
    return await wallet.provider.request({ method, params });
  } catch (error) {
    const code = error?.code ?? error?.data?.originalError?.code;
    if (code === 4001) throw new WalletError('rejected', 'You rejected the request in your wallet. Nothing was signed or sent.');
    if (code === -32002) throw new WalletError('busy', 'Your wallet already shows a request. Open it and answer that one.');
    if (code === 4902) throw new WalletError('chain-unknown', 'Your wallet does not know this network yet. Add it there, then try again.');
    if (code === 4100) throw new WalletError('other', 'Your wallet has not allowed this page to use this account. Connect it and try again.');
    throw new WalletError('other', `${wallet.name}: ${error?.message ?? 'the request failed'}`);
  }
}

const hex = (n) => `0x${BigInt(n).toString(16)}`;
const word = (n) => BigInt(n).toString(16).padStart(64, '0');
const toHex = (text) => `0x${[...new TextEncoder().encode(text)].map((byte) => byte.toString(16).padStart(2, '0')).join('')}`;

// The account that the wallet lends to this page. `another`: let its owner choose anew.
export async function connect(wallet, { another = false } = {}) {
  if (another) {
    await request(wallet, 'wallet_requestPermissions', [{ eth_accounts: {} }]).catch((error) => {
      if (error.kind === 'rejected' || error.kind === 'busy') throw error; // others do not know the method
    });
  }
  const accounts = await request(wallet, 'eth_requestAccounts');
  if (!accounts?.length) throw new WalletError('other', `${wallet.name} has no account to use.`);
  used = wallet;
  remembered.set('wallet', wallet.id);
  return accounts[0];
}

// The wallet of this session, or the one that was used last.
export const lastUsed = () => used ?? wallets().find((wallet) => wallet.id === remembered.get('wallet')) ?? null;

export const chainOf = async (wallet) => Number(await request(wallet, 'eth_chainId'));
export const switchChain = (wallet, chainId) => request(wallet, 'wallet_switchEthereumChain', [{ chainId: hex(chainId) }]);
export const sign = (wallet, address, message) => request(wallet, 'personal_sign', [toHex(message), address]);

// "12.5" -> 12500000n; null when it is no amount of USDC.
export function units(text) {
  const match = /^(\d{1,12})(?:\.(\d{0,6}))?$/.exec(text.trim());
  return match ? BigInt(match[1]) * 1000000n + BigInt((match[2] ?? '').padEnd(6, '0')) : null;
}

// ERC-20: balanceOf(address), transfer(address,uint256).
export async function usdcBalance(wallet, token, address) {
  return BigInt(await request(wallet, 'eth_call', [{ to: token, data: `0x70a08231${word(address)}` }, 'latest']));
}
export const sendUsdc = (wallet, { from, token, to, amount }) =>
  request(wallet, 'eth_sendTransaction', [{ from, to: token, value: '0x0', data: `0xa9059cbb${word(to)}${word(amount)}` }]);
