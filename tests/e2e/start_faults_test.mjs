// What keeps the program from starting is said in one clear line, with exit code 2.

import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { configFor, run, start, startExchange, temporaryDirectory } from './program.mjs';

const directory = temporaryDirectory();
let exchange;
let keys;

before(async () => {
  exchange = await startExchange(join(directory, 'exchange'));
  keys = { BINANCE_API_KEY: exchange.key, BINANCE_API_SECRET: exchange.secret };
});
after(async () => {
  assert.equal(await exchange.stop(), 0);
});

let configs = 0;
async function runWith(options, env = keys) {
  const file = join(directory, `config-${configs++}.yaml`);
  writeFileSync(file, typeof options === 'string' ? options : configFor(exchange, join(directory, `d${configs}`), options));
  return { file, ...(await run(['run', '-c', file], { env })) };
}

/// Exit code 2 and, apart from log lines, one line on stderr that matches.
function expectOneLine(result, pattern) {
  assert.equal(result.code, 2, result.stdout + result.stderr);
  const lines = result.stderr.split('\n').filter((line) => line.startsWith('phoenix: '));
  assert.equal(lines.length, 1, result.stderr);
  assert.match(lines[0], pattern);
}

test('a bad configuration names file, line, key and what would be right, all at once', async () => {
  const good = configFor(exchange, directory);
  const file = join(directory, 'bad.yaml');
  writeFileSync(file, good.replace('total_layers: 7', 'total_layers: 70').replace('min_spread', 'min_spred'));
  const result = await run(['config', 'check', file]);
  assert.equal(result.code, 2);
  assert.match(result.stderr, new RegExp(`${file}:15: symbols\\[0\\]\\.total_layers: must be a whole number from 1 to 50, was '70'`));
  assert.match(result.stderr, /min_spred: is not a known key; did you mean 'min_spread'\?/);
  assert.match(result.stderr, /min_spread: is missing/);
});

test('an API key in the file is refused', async () => {
  const result = await runWith({ extra: '  api_key: sesame' });
  assert.equal(result.code, 2);
  assert.match(result.stderr, /keys do not belong in a configuration file/);
  assert.doesNotMatch(result.stderr, /sesame/);
});

test('live hosts are refused while a check of the preflight fails', async () => {
  // A host that is not known to be a test host may take real money.
  const live = configFor(exchange, join(directory, 'live'), { extra: '  dead_man_switch: false' })
    .replace('venue: local', 'venue: live').replace(/order_api_url: .*/, 'order_api_url: wss://orders.invalid/ws-fapi/v1');
  const result = await runWith(live);
  expectOneLine(result, /the preflight fails:$/);
  assert.match(result.stderr, /^ {2}rate budget: .*dead_man_switch is off -> /m);
  assert.match(result.stderr, /^all checks: phoenix preflight -c /m);
});

test('a missing key is named', async () => {
  expectOneLine(await runWith({}, { BINANCE_API_KEY: '', BINANCE_API_SECRET: '' }), /no API key in the environment/);
});

test('a missing CA file is named', async () => {
  expectOneLine(await runWith(configFor(exchange, join(directory, 'ca')).replace(exchange.ca, '/nowhere/ca.pem')), /\/nowhere\/ca\.pem/);
});

test('a refused login is told', async () => {
  expectOneLine(await runWith({}, { ...keys, BINANCE_API_SECRET: 'wrong' }), /the venue refused the login: code -1022/);
});

test('an unknown symbol is told', async () => {
  expectOneLine(await runWith({ symbol: 'NOSUCHUSDC' }), /NOSUCHUSDC: the venue does not list it/);
});

test('a metrics port in use is told', async () => {
  const blocker = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => blocker.once('listening', resolve));
  const { port } = blocker.address();
  const result = await runWith(configFor(exchange, join(directory, 'port')).replace('metrics_port: 0', `metrics_port: ${port}`));
  blocker.close();
  expectOneLine(result, new RegExp(`127\\.0\\.0\\.1:${port}`));
});

test('an exchange port in use is told', async () => {
  const port = new URL(exchange.plain.rest).port;
  expectOneLine(await run(['exchange', '--port', port, '--tls-port', '0', '--data', join(directory, 'x2')]), new RegExp(port));
});

test('a second maker on the same data directory is refused', async () => {
  const file = join(directory, 'twice.yaml');
  writeFileSync(file, configFor(exchange, join(directory, 'twice')));
  const first = start(['run', '-c', file], { env: keys });
  await first.said(/live symbol=ETHUSDC/);
  expectOneLine(await run(['run', '-c', file], { env: keys }), /twice\/maker/);
  first.child.kill('SIGTERM');
  assert.equal(await first.exit, 0, first.stderr);
  assert.match(first.stderr, /the venue lists no order of ours/);
});

test('a truncated recording is told with its file', async () => {
  const whole = readFileSync('tests/data/usdm_btcusdt_20240808_head.txt.zst');
  const file = join(directory, 'cut.txt.zst');
  writeFileSync(file, whole.subarray(0, whole.length / 2));
  expectOneLine(await run(['replay', file]), /cut\.txt\.zst: truncated/);
  expectOneLine(await run(['replay', join(directory, 'none')]), /none/);
});

test('an unknown command or option explains itself', async () => {
  for (const args of [['nonsense'], ['demo', '--for', 'soon'], ['replay'], []]) {
    const result = await run(args);
    assert.equal(result.code, 2, args.join(' '));
    assert.match(result.stdout + result.stderr, /Usage/);
  }
  assert.equal((await run(['demo', '--help'])).code, 0);
});
