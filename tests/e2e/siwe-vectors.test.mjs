// The committed login vectors are what the pinned libraries make, byte for byte: nobody has edited them
// by hand, and siwe-vectors.mjs still writes them.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import test from 'node:test';
import { write } from './siwe-vectors.mjs';

test('the committed login vectors are what the libraries make', async () => {
	const committed = await readFile(new URL('../unit/fixtures/siwe_vectors.json', import.meta.url), 'utf8');
	const written = await write();
	const a = committed.split('\n'), b = written.split('\n');
	for (let i = 0; i < Math.max(a.length, b.length); i++) assert.equal(b[i], a[i], `line ${i + 1}`);
});
