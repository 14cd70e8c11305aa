// browser - Chromium as a reader of the dashboard has it: a wallet that announces itself by EIP-6963 and is a viem account
// on a real chain, an eye on every request (none may leave the origin) and on the policy, axe-core, pictures.
import { readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import puppeteer from 'puppeteer-core';
import { until } from './stack.mjs';

const require = createRequire(import.meta.url);
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
export const CHROMIUM = process.env.CHROMIUM || '/usr/bin/chromium';

const hex = (n) => `0x${BigInt(n).toString(16)}`;
const refusal = (code, message) => Object.assign(new Error(message), { code });

// What the page's wallet does, here where the key is. `wallet` may be told to reject, or to be on another network.
export function startWallet(account, chain, chainId) {
  const wallet = {
    account,
    reject: false,
    chainId,
    asked: [],
    async request({ method, params = [] }) {
      wallet.asked.push(method);
      switch (method) {
        case 'eth_requestAccounts':
        case 'eth_accounts':
          return [wallet.account.address.toLowerCase()]; // as real ones do
        case 'wallet_requestPermissions':
          return [];
        case 'eth_chainId':
          return hex(wallet.chainId);
        case 'wallet_switchEthereumChain':
          wallet.chainId = Number(params[0].chainId);
          return null;
        case 'personal_sign':
          if (wallet.reject) throw refusal(4001, 'User rejected the request.');
          return wallet.account.signMessage({ message: { raw: params[0] } });
        case 'eth_sendTransaction':
          if (wallet.reject) throw refusal(4001, 'User rejected the request.');
          return wallet.send(params[0]);
        case 'eth_call':
          return chain.rpc(method, ...params);
        default:
          throw refusal(4200, `${method} is not known here`);
      }
    },
    // Signed here, sent as a raw transaction: what a wallet does.
    async send({ from, to, data, value }) {
      if (from.toLowerCase() !== wallet.account.address.toLowerCase()) throw refusal(4100, 'not my account');
      const nonce = Number(await chain.rpc('eth_getTransactionCount', from, 'pending'));
      const raw = await wallet.account.signTransaction({ chainId, nonce, to, data, value: BigInt(value ?? 0), gas: 200000n, gasPrice: 5000000000n, type: 'legacy' });
      return chain.rpc('eth_sendRawTransaction', raw);
    },
  };
  return wallet;
}

// In the page: a provider that hands everything on, announced as the standard says.
function announce(name) {
  const provider = {
    async request(what) {
      const { result, error } = await window.walletRequest(JSON.stringify(what));
      if (error) throw Object.assign(new Error(error.message), { code: error.code });
      return result;
    },
  };
  const info = Object.freeze({ uuid: '6a3e1f5c-6c0b-4f4e-9d1a-000000000001', name, icon: 'data:image/svg+xml,%3Csvg/%3E', rdns: 'test.wallet' });
  const say = () => window.dispatchEvent(new CustomEvent('eip6963:announceProvider', { detail: Object.freeze({ info, provider }) }));
  window.addEventListener('eip6963:requestProvider', say);
  say();
}

export async function startBrowser(origin, pictures) {
  await mkdir(pictures, { recursive: true });
  const browser = await puppeteer.launch({ executablePath: CHROMIUM, headless: true, args: ['--no-sandbox', '--disable-dev-shm-usage'], protocolTimeout: 120000 });
  const trouble = []; // requests elsewhere, breaches of the policy, errors of the pages

  // A tab; tabs of one context share the cookie. What is to be clicked has to be in front (bringToFront). `answer`(request)
  // may answer a request of the page in the gateway's place; else it gives nothing.
  async function tab(context, wallet, answer = () => undefined) {
    const page = await context.newPage();
    await page.setViewport({ width: 1280, height: 900 });
    page.setDefaultTimeout(30000);
    await page.setRequestInterception(true);
    page.on('request', (request) => {
      const url = request.url();
      // the browser draws parts of its own controls from data: URLs; one of ours would break the policy
      if (url.startsWith('data:') || new URL(url).origin === origin) return answer(request) ?? request.continue();
      trouble.push(`request to ${url}`);
      return request.abort();
    });
    page.on('pageerror', (error) => trouble.push(`error in the page: ${error.stack ?? error}`));
    await page.exposeFunction('policyBroken', (what) => trouble.push(`policy: ${what}`));
    await page.evaluateOnNewDocument(() => document.addEventListener('securitypolicyviolation', (event) => window.policyBroken(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`)));
    if (wallet) {
      await page.exposeFunction('walletRequest', async (text) => {
        try {
          return { result: (await wallet.request(JSON.parse(text))) ?? null };
        } catch (error) {
          return { error: { code: error.code, message: error.message } };
        }
      });
      await page.evaluateOnNewDocument(announce, 'Test Wallet');
    }
    // Ask until it is so; a picture of what was there instead.
    const wait = (what, asked) => until(what, asked).catch(async (error) => {
      await page.screenshot({ path: path.join(pictures, 'failure.png') }).catch(() => {});
      throw error;
    });
    return Object.assign(page, {
      open: (hash) => page.goto(`${origin}/${hash}`, { waitUntil: 'load' }),
      // The text of what is shown, as one line.
      text: (selector = 'body') => page.$$eval(selector, (nodes) => nodes.map((node) => node.innerText).join(' ').replace(/\s+/g, ' ')),
      shows: (what, selector = 'body') => wait(`the page shows ${what}`, async () => {
        const text = await page.text(selector);
        return (what instanceof RegExp ? what.test(text) : text.includes(what)) && text;
      }),
      // By role and name, as a reader of the screen finds it; again when the page has drawn it anew meanwhile.
      press: (name, role = 'button') => wait(`"${name}" to press`, async () => {
        const node = await page.$(`::-p-aria([name="${name}"][role="${role}"])`);
        if (!node || (await node.evaluate((one) => one.disabled))) return false;
        await node.click();
        return true;
      }),
      fill: async (label, value) => {
        const node = await page.waitForSelector(`::-p-aria([name="${label}"])`);
        await node.evaluate((one) => one.select?.());
        await node.type(value);
        await node.dispose();
      },
      still: () => page.waitForNetworkIdle({ idleTime: 300, timeout: 10000 }).catch(() => {}), // pages that poll are never still for long
    });
  }

  async function violations(page) {
    await page.evaluate(axe);
    const { violations: list } = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
    return list.filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .map(({ id, impact, nodes }) => `${impact} ${id}: ${nodes.map((node) => `${node.target} ${node.failureSummary}`).join('; ')}`);
  }

  // Light and dark, wide and on a phone, each looked at by axe; gives what is wrong.
  async function look(page, name, { whole = true } = {}) {
    const wrong = [];
    await page.evaluate(() => scrollTo(0, 0));
    for (const [theme, width] of [['light', 1280], ['dark', 1280], ['light', 320], ['dark', 390]]) {
      await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: theme }, { name: 'prefers-reduced-motion', value: 'reduce' }]);
      await page.setViewport({ width, height: width > 600 ? 900 : 780 });
      await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
      await page.screenshot({ path: path.join(pictures, `${name}-${theme}-${width}.png`), fullPage: whole });
      wrong.push(...(await violations(page)).map((text) => `${name} ${theme} ${width}: ${text}`));
      const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      if (over > 0) wrong.push(`${name} ${theme} ${width}: ${over} px wider than the screen`);
      // What is wider than its place can be scrolled to, but nobody sees that it is there.
      const cut = await page.$$eval('.table-wrap, select', (nodes) => nodes.filter((node) => node.scrollWidth > node.clientWidth + 1).map((node) => `${node.tagName} ${node.ariaLabel ?? node.textContent.slice(0, 40)}`));
      wrong.push(...cut.map((what) => `${name} ${theme} ${width}: ${what} is cut off`));
    }
    await page.setViewport({ width: 1280, height: 900 });
    await page.emulateMediaFeatures([]);
    return wrong;
  }

  return { tab, look, trouble, context: () => browser.createBrowserContext(), stop: () => browser.close() };
}
