// Writes tests/unit/fixtures/siwe_vectors.json: login messages and signatures as three libraries make
// them, and bent ones, each with what the gateway must say to it. Nothing is drawn by chance: keys,
// nonces and times come from hashes of a number, signatures are deterministic (RFC 6979), so the same
// versions of the libraries write the same file; siwe-vectors.test.mjs holds it against the committed
// one. To write it anew: node siwe-vectors.mjs >../unit/fixtures/siwe_vectors.json
import { createHash } from 'node:crypto';
import { pathToFileURL } from 'node:url';
import { Wallet, hashMessage, verifyMessage as ethersVerify } from 'ethers';
import { SiweMessage } from 'siwe';
import { recoverMessageAddress, verifyMessage as viemVerify } from 'viem';
import { privateKeyToAccount } from 'viem/accounts';
import { createSiweMessage } from 'viem/siwe';

const ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
const PER_LIBRARY = 88;
const CHAINS = [1, 8453, 84532, 11155111, 31337];
const DOMAINS = ['derouter.example', 'app.derouter.example:8443', '127.0.0.1:8080', 'localhost', 'a-b.example:1'];
const STATEMENTS = ['Log in to DeRouter.', 'Link this wallet to your account', undefined,
	"It's free: no gas, no fee (and nothing is sent); see https://derouter.example/?a=b&c=[d]#e!"];

const sha = (text) => createHash('sha256').update(`derouter siwe vector ${text}`).digest('hex');
const iso = (ms) => new Date(ms).toISOString();
const hex = (n, bytes) => n.toString(16).padStart(2 * bytes, '0');

// What the gateway asks for in case number i, and who signs.
const terms = (i) => {
	const key = '0x' + sha(`key ${i % 64}`);
	const domain = DOMAINS[i % DOMAINS.length];
	const issued = Date.UTC(2026, 0, 1) + parseInt(sha(`time ${i}`).slice(0, 8), 16) * 100;
	return {
		key, domain,
		address: new Wallet(key).address,
		uri: `${i % 3 ? 'https' : 'http'}://${domain}${['', '/', '/app', '/app?from=wallet'][i % 4]}`,
		statement: STATEMENTS[Math.floor(i / 2) % STATEMENTS.length],
		chainId: CHAINS[Math.floor(i / 3) % CHAINS.length],
		nonce: sha(`nonce ${i}`).slice(0, 8 + (i * 7) % 57),
		issued, expires: issued + 300_000,
	};
};
const fields = (t) => ({ domain: t.domain, address: t.address, statement: t.statement, uri: t.uri, version: '1', chainId: t.chainId, nonce: t.nonce });

// The message as its grammar in EIP-4361 has it, by hand.
const byHand = (t) => `${t.domain} wants you to sign in with your Ethereum account:\n${t.address}\n\n` +
	`${t.statement === undefined ? '' : `${t.statement}\n`}\nURI: ${t.uri}\nVersion: 1\nChain ID: ${t.chainId}\n` +
	`Nonce: ${t.nonce}\nIssued At: ${iso(t.issued)}\nExpiration Time: ${iso(t.expires)}`;

const libraries = {
	viem: {
		message: (t) => createSiweMessage({ ...fields(t), issuedAt: new Date(t.issued), expirationTime: new Date(t.expires) }),
		sign: (t, message) => privateKeyToAccount(t.key).signMessage({ message }),
	},
	'siwe+ethers': {
		message: (t) => new SiweMessage({ ...fields(t), issuedAt: iso(t.issued), expirationTime: iso(t.expires) }).prepareMessage(),
		sign: (t, message) => new Wallet(t.key).signMessage(message),
	},
	ethers: {
		message: byHand,
		sign: async (t, message) => new Wallet(t.key).signingKey.sign(hashMessage(message)).serialized,
	},
};

// v as 0 or 1 instead of 27 or 28
const lowV = (signature) => signature.slice(0, -2) + hex(parseInt(signature.slice(-2), 16) - 27, 1);

const asked = (t) => ({ domain: t.domain, uri: t.uri, chains: CHAINS, nonce: t.nonce, address: t.address, now_ms: t.issued + 10_000 });

const goodCases = async () => {
	const cases = [];
	for (const [library, { message: write, sign }] of Object.entries(libraries))
		for (let i = 0; i < PER_LIBRARY; i++) {
			const t = terms(cases.length);
			const message = write(t);
			const signature = await sign(t, message);
			// the libraries agree with each other before anybody is asked to agree with them
			if (message !== byHand(t) || ethersVerify(message, signature) !== t.address ||
				!await viemVerify({ address: t.address, message, signature }))
				throw new Error(`${library} case ${i}: the libraries disagree`);
			const low = i % 4 === 1 || i % 4 === 2;
			cases.push({ kind: library, says: 'OK', message, signature: low ? lowV(signature) : signature, ...asked(t) });
		}
	return cases;
};

/* ---- bent ones ---- */

const twin = (signature) => {
	const s = BigInt('0x' + signature.slice(66, 130));
	return signature.slice(0, 66) + hex(ORDER - s, 32) + (signature.endsWith('1b') ? '1c' : '1b');
};

// KIND: [what is said, signature -> signature]; the message is good.
const badSignatures = {
	'high s': ['signature HIGH_S', twin],
	'high s, v 0 or 1': ['signature HIGH_S', (s) => lowV(twin(s))],
	'64 bytes': ['signature LENGTH', (s) => s.slice(0, -2)],
	'66 bytes': ['signature LENGTH', (s) => s + '00'],
	'64 bytes, EIP-2098': ['signature LENGTH', (s) => s.slice(0, 66) +
		hex(BigInt('0x' + s.slice(66, 130)) + (s.endsWith('1c') ? 1n << 255n : 0n), 32)],
	'half a byte too long': ['signature LENGTH', (s) => s + '0'],
	'a line end behind the signature': ['signature LENGTH', (s) => s + '\n'],
	'no signature': ['signature PREFIX', () => ''],
	'no 0x': ['signature PREFIX', (s) => s.slice(2)],
	'0X': ['signature PREFIX', (s) => '0X' + s.slice(2)],
	'no hexadecimal': ['signature DIGITS', (s) => s.slice(0, 20) + 'g' + s.slice(21)],
	'v 29': ['signature V', (s) => s.slice(0, -2) + '1d'],
	'v 2': ['signature V', (s) => s.slice(0, -2) + '02'],
	'v of EIP-155': ['signature V', (s) => s.slice(0, -2) + '25'],
	'the other v': ['signature OTHER_SIGNER', (s) => s.slice(0, -2) + (s.endsWith('1b') ? '1c' : '1b')],
	'r of zero': ['signature NO_SIGNER', (s) => '0x' + hex(0n, 32) + s.slice(66)],
	's of zero': ['signature NO_SIGNER', (s) => s.slice(0, 66) + hex(0n, 32) + s.slice(130)],
	'r above the order': ['signature RANGE', (s) => '0x' + hex(ORDER, 32) + s.slice(66)],
	's above the order': ['signature RANGE', (s) => s.slice(0, 66) + hex(ORDER, 32) + s.slice(130)],
};

const FIELDS = ['URI', 'Version', 'Chain ID', 'Nonce', 'Issued At', 'Expiration Time'];
const lineOf = (message, name) => message.split('\n').find((line) => line.startsWith(`${name}: `));
const without = (message, name) => message.split('\n').filter((line) => !line.startsWith(`${name}: `)).join('\n');
const twice = (message, name) => message.replace(lineOf(message, name), (line) => `${line}\n${line}`);
const swapped = (message, a, b) => message.split('\n').map((line) => line === lineOf(message, a) ? lineOf(message, b)
	: line === lineOf(message, b) ? lineOf(message, a) : line).join('\n');
const otherCase = (address) => '0x' + address.slice(2).replace(/[a-zA-Z]/, (c) => c === c.toLowerCase() ? c.toUpperCase() : c.toLowerCase());
const to = (edit) => (t, message) => byHand({ ...t, ...edit(t) }, message);
const evil = 'evil.example';

// KIND: [what is said, (terms, good message) -> message]; it is signed as it is by the right key.
const badMessages = {
	'trailing LF': ['siwe TRAILING', (t, m) => m + '\n'],
	CRLF: ['siwe CR', (t, m) => m.replaceAll('\n', '\r\n')],
	'CR at the end': ['siwe CR', (t, m) => m + '\r'],
	'NUL at the end': ['siwe NUL', (t, m) => m + '\0'],
	'NUL in the nonce': ['siwe NUL', to((t) => ({ nonce: t.nonce + '\0' + t.nonce }))],
	'no ASCII': ['siwe BYTE', to(() => ({ statement: 'Anmelden für DeRouter' }))],
	'a letter that looks like another': ['siwe BYTE', (t, m) => m.replace('e', '\u0435')],
	'a tab': ['siwe BYTE', (t, m) => m.replace('URI: ', 'URI:\t')],
	'too long': ['siwe TOO_LONG', to(() => ({ statement: 'x'.repeat(2048) }))],
	empty: ['siwe FIRST_LINE', () => ''],
	'another first line': ['siwe FIRST_LINE', (t, m) => m.replace('sign in', 'pay')],
	'wrong domain': ['siwe OTHER_DOMAIN', to(() => ({ domain: evil }))],
	'domain with another in front': ['siwe OTHER_DOMAIN', to((t) => ({ domain: `${evil}.${t.domain}`}))],
	'domain@evil': ['siwe DOMAIN_USER', to((t) => ({ domain: `${t.domain}@${evil}` }))],
	'evil@domain': ['siwe DOMAIN_USER', to((t) => ({ domain: `${evil}@${t.domain}` }))],
	'scheme before the domain': ['siwe DOMAIN_FORM', to((t) => ({ domain: `https://${t.domain}` }))],
	'no domain': ['siwe DOMAIN_FORM', to(() => ({ domain: '' }))],
	'address in lower case': ['siwe ADDRESS_CASE', to((t) => ({ address: t.address.toLowerCase() }))],
	'bad EIP-55': ['siwe ADDRESS_CASE', to((t) => ({ address: otherCase(t.address) }))],
	'address too short': ['siwe ADDRESS_FORM', to((t) => ({ address: t.address.slice(0, -1) }))],
	'a name for the address': ['siwe ADDRESS_FORM', to(() => ({ address: 'alice.eth' }))],
	"another wallet's address": ['siwe OTHER_ADDRESS', to(() => ({ address: terms(999).address }))],
	'statement of two lines': ['siwe BLANK_LINE', to(() => ({ statement: 'Log in.\nAnd more.' }))],
	'one blank line': ['siwe BLANK_LINE', (t, m) => m.replace(/\n\n+/g, '\n')],
	'quotes in the statement': ['siwe STATEMENT_FORM', to(() => ({ statement: 'Log in to "DeRouter"' }))],
	'fields in the statement': ['siwe TRAILING', (t, m) => byHand({ ...t, statement: `Log in.\n\n${m.slice(m.indexOf('URI: '))}` })],
	'uri of another host': ['siwe OTHER_URI', to(() => ({ uri: `https://${evil}/` }))],
	'uri that goes on': ['siwe OTHER_URI', to((t) => ({ uri: `${t.uri}/x` }))],
	'uri prefix': ['siwe OTHER_URI', to((t) => ({ uri: `https://${t.domain.replace(/:\d+$/, '')}.${evil}/` }))],
	'uri userinfo': ['siwe URI_USER', to((t) => ({ uri: `https://${t.domain}@${evil}/` }))],
	'uri userinfo before ours': ['siwe URI_USER', to((t) => ({ uri: `https://user:secret@${t.domain}/` }))],
	'uri userinfo behind a backslash': ['siwe URI_USER', to((t) => ({ uri: `https://${t.domain}\\@${evil}/` }))],
	'uri scheme': ['siwe URI_FORM', to((t) => ({ uri: `javascript://${t.domain}/` }))],
	'uri with a space': ['siwe URI_FORM', to((t) => ({ uri: `https://${t.domain}/ ${evil}` }))],
	'version 2': ['siwe VERSION', (t, m) => m.replace('Version: 1', 'Version: 2')],
	'chain not listed': ['siwe OTHER_CHAIN', to(() => ({ chainId: 10 }))],
	'chain of zero': ['siwe CHAIN_FORM', to(() => ({ chainId: 0 }))],
	'chain with a zero in front': ['siwe CHAIN_FORM', to((t) => ({ chainId: `0${t.chainId}` }))],
	'chain in hexadecimal': ['siwe CHAIN_FORM', to((t) => ({ chainId: `0x${t.chainId.toString(16)}` }))],
	'chain that wraps at 64 bits': ['siwe CHAIN_FORM', to((t) => ({ chainId: (1n << 64n) + BigInt(t.chainId) }))],
	'another nonce': ['siwe OTHER_NONCE', to((t) => ({ nonce: sha(`other ${t.nonce}`) }))],
	'nonce that goes on': ['siwe OTHER_NONCE', to((t) => ({ nonce: t.nonce + '0' }))],
	'short nonce': ['siwe NONCE_FORM', to((t) => ({ nonce: t.nonce.slice(0, 7) }))],
	'nonce with a dash': ['siwe NONCE_FORM', to((t) => ({ nonce: `${t.nonce.slice(0, 7)}-` }))],
	expired: ['siwe EXPIRED', to((t) => ({ expires: t.issued + 10_000 }))],
	'expires before it is issued': ['siwe EXPIRES_FIRST', to((t) => ({ expires: t.issued - 1000 }))],
	'no expiry': ['siwe NO_EXPIRY', (t, m) => without(m, 'Expiration Time').replace(/\n$/, '')],
	'future issued-at': ['siwe ISSUED_LATER', to((t) => ({ issued: t.issued + 60_000 }))],
	'old issued-at': ['siwe ISSUED_LONG_AGO', to((t) => ({ issued: t.issued - 3_600_000 }))],
	'issued on 30 February': ['siwe ISSUED_FORM', (t, m) => m.replace(/(Issued At: \d{4})-..-../, '$1-02-30')],
	'expires on 30 February': ['siwe EXPIRES_FORM', (t, m) => m.replace(/(Expiration Time: \d{4})-..-../, '$1-02-30')],
	'issued without a zone': ['siwe ISSUED_FORM', (t, m) => m.replace(/(Issued At: .*)Z/, '$1')],
	'issued as a number': ['siwe ISSUED_FORM', (t, m) => m.replace(/(Issued At: ).*/, `$1${t.issued}`)],
	'not before': ['siwe FIELD_UNKNOWN', (t, m) => `${m}\nNot Before: ${iso(t.issued)}`],
	'request id': ['siwe FIELD_UNKNOWN', (t, m) => `${m}\nRequest ID: 1`],
	resources: ['siwe FIELD_UNKNOWN', (t, m) => `${m}\nResources:\n- https://${evil}/`],
	'field name in lower case': ['siwe FIELD_UNKNOWN', (t, m) => m.replace('Nonce: ', 'nonce: ')],
	...Object.fromEntries(FIELDS.map((name) => [`duplicate ${name}`, ['siwe FIELD_TWICE', (t, m) => twice(m, name)]])),
	...Object.fromEntries(FIELDS.slice(0, -1).map((name) => [`no ${name}`, ['siwe FIELD_MISSING', (t, m) => without(m, name)]])),
	...Object.fromEntries(FIELDS.flatMap((a, i) => FIELDS.slice(i + 1).map((b) =>
		[`swapped ${a} and ${b}`, ['siwe FIELD_ORDER', (t, m) => swapped(m, a, b)]]))),
};

const badCases = async () => {
	const cases = [];
	const add = async (kind, says, t, message, signature) =>
		cases.push({ kind, says, message, signature: signature ?? await libraries.viem.sign(t, message), ...asked(t) });
	for (const [at, base] of [1000, 1005].entries()) { // with a statement and without
		const t = terms(base), message = byHand(t);
		const signature = await libraries.viem.sign(t, message);
		for (const [kind, [says, bend]] of Object.entries(badSignatures))
			await add(kind, says, t, message, bend(signature));
		await add('other signer', 'signature OTHER_SIGNER', t, message, await libraries.viem.sign(terms(base + 7), message));
		await add('signature of another message', 'signature OTHER_SIGNER', t, message, await libraries.viem.sign(t, message + '.'));
		if (await recoverMessageAddress({ message, signature: twin(signature) }) !== t.address)
			throw new Error('the higher s is no twin: a verifier that takes it would not be told from one that does not');
		for (const [kind, [says, bend]] of Object.entries(badMessages)) {
			const bent = bend(t, message);
			if (bent === message) throw new Error(`${kind} (${at}): it is not bent`);
			await add(kind, says, t, bent);
		}
	}
	return cases;
};

export const write = async () => {
	const cases = [...await goodCases(), ...await badCases()];
	return `[\n${cases.map((c) => JSON.stringify(c)).join(',\n')}\n]\n`;
};

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) process.stdout.write(await write());
