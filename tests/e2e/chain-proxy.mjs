// chain-proxy - stands between the watcher and a real chain, in a process of its own, and gets in the way as told.
// node chain-proxy.mjs UPSTREAM-URL. Prints "listening URL". POST /fault with {kind, ...} sets the fault in force, {} ends it;
// GET /batches says how many came.
import http from 'node:http';

const upstream = process.argv[2];
let fault = {};
let batches = 0;
const read = async (stream) => {
  const pieces = [];
  for await (const piece of stream) pieces.push(piece);
  return Buffer.concat(pieces).toString();
};

// One answer of the batch, changed as the fault says.
function spoil(call, answer) {
  const { kind } = fault;
  const range = call.method === 'eth_getLogs' ? Number(call.params[0].toBlock) - Number(call.params[0].fromBlock) + 1 : 0;
  const as = (result) => ({ jsonrpc: '2.0', id: call.id, result });
  if (kind === 'hide-logs' && call.method === 'eth_getLogs') return as([]);
  if (kind === 'no-receipts' && call.method === 'eth_getTransactionReceipt') return as(null);
  if (kind === 'failed-receipts' && call.method === 'eth_getTransactionReceipt' && answer.result) return as({ ...answer.result, status: '0x0' });
  if (kind === 'wrong-chain' && call.method === 'eth_chainId') return as('0x1');
  if (kind === 'range' && range > fault.most) return { jsonrpc: '2.0', id: call.id, error: { code: -32005, message: `at most ${fault.most} blocks` } };
  if (kind === 'behind') {
    if (call.method === 'eth_blockNumber') return as(`0x${fault.head.toString(16)}`);
    if (call.method === 'eth_getBlockByNumber' && Number(call.params[0]) > fault.head) return as(null);
  }
  if (kind === 'other-log' && call.method === 'eth_getLogs') return as(answer.result.map((log) => ({ ...log, topics: [log.topics[0], log.topics[1]] })));
  if (kind === 'bad-quantity' && call.method === 'eth_getLogs') return as(answer.result.map((log) => ({ ...log, logIndex: '0x00' })));
  if (kind === 'no-code' && call.method === 'eth_getCode') return as('0x');
  if (kind === 'decimals' && call.method === 'eth_call') return as(`0x${'12'.padStart(64, '0')}`);
  return answer;
}

const server = http.createServer(async (request, response) => {
  const body = await read(request);
  if (request.url === '/fault') {
    fault = JSON.parse(body);
    response.end('ok');
    return;
  }
  if (request.url === '/batches') return void response.end(String(batches));
  batches++;
  const { kind } = fault;
  if (kind === 'drop') return void request.socket.destroy();
  if (kind === 'silent') return;
  if (kind === 'busy') return void response.writeHead(429).end('{}');
  if (kind === 'redirect') return void response.writeHead(302, { location: upstream }).end();
  if (kind === 'empty') return void response.writeHead(200).end();
  if (kind === 'not-json') return void response.writeHead(200).end('[{"jsonrpc":"2.0","id":0,"resu');
  if (kind === 'no-batch') return void response.writeHead(200).end('{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"no batches"}}');
  if (kind === 'short-batch') return void response.writeHead(200).end('[]');
  if (kind === 'cut') {
    response.writeHead(200, { 'content-length': '100' });
    response.write('[{"');
    return void setImmediate(() => response.destroy());
  }
  const answer = await fetch(upstream, { method: 'POST', headers: { 'content-type': 'application/json' }, body }).catch(() => null);
  if (!answer) return void request.socket.destroy();
  const answers = await answer.json();
  const calls = JSON.parse(body);
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(JSON.stringify(calls.map((call) => spoil(call, answers.find((a) => a.id === call.id)))));
});
server.listen(0, '127.0.0.1', () => console.log(`listening http://127.0.0.1:${server.address().port}`));
