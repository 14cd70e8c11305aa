// compile - TestUsdc.sol to TestUsdc.json, which is committed: the tests themselves need no compiler.
// In a scratch folder: npm i solc@0.8.37 @openzeppelin/contracts@5.7, then
// node compile.mjs SCRATCH-FOLDER
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

const modules = path.join(path.resolve(process.argv[2]), 'node_modules');
const solc = createRequire(path.join(modules, 'x.js'))('solc');
const here = import.meta.dirname;
const output = JSON.parse(solc.compile(JSON.stringify({
  language: 'Solidity',
  sources: { 'TestUsdc.sol': { content: readFileSync(path.join(here, 'TestUsdc.sol'), 'utf8') } },
  settings: { optimizer: { enabled: true, runs: 200 }, evmVersion: 'paris', outputSelection: { '*': { TestUsdc: ['evm.bytecode.object', 'evm.methodIdentifiers'] } } },
}), { import: (name) => ({ contents: readFileSync(path.join(modules, name), 'utf8') }) }));
for (const error of output.errors ?? []) if (error.severity === 'error') throw new Error(error.formattedMessage);
const { evm } = output.contracts['TestUsdc.sol'].TestUsdc;
writeFileSync(path.join(here, 'TestUsdc.json'), `${JSON.stringify({ bytecode: `0x${evm.bytecode.object}`, methods: evm.methodIdentifiers }, null, 1)}\n`);
