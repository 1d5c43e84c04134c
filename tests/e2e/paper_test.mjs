// `phoenix run --paper` and `phoenix run --limited` against the local exchange.

import assert from 'node:assert/strict';
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { accountOf } from './account.mjs';
import { configFor, run, start, startExchange, temporaryDirectory } from './program.mjs';

const directory = temporaryDirectory();
let exchange;
let account;
let withKeys;
let keyless;
let number = 0;

before(async () => {
  exchange = await startExchange(join(directory, 'exchange'), ['--control-port', '0']);
  account = accountOf(exchange);
  const runtime = join(directory, 'runtime');
  mkdirSync(runtime, { mode: 0o700 });
  withKeys = { BINANCE_API_KEY: exchange.key, BINANCE_API_SECRET: exchange.secret, XDG_RUNTIME_DIR: runtime };
  keyless = { BINANCE_API_KEY: '', BINANCE_API_SECRET: '', XDG_RUNTIME_DIR: runtime };
});
after(async () => {
  await exchange.stop();
  rmSync(directory, { recursive: true });
});

function written() {
  const place = join(directory, `run-${++number}`);
  mkdirSync(place);
  const config = join(place, 'config.yaml');
  writeFileSync(config, configFor(exchange, place, { extra: '  log_state_s: 1' }) + `  - symbol: SOLUSDC
    net_max: 5.5
    unified_layer_size: 0.2
    total_layers: 7
    min_spread: 0.0001
    grid_start_offset_bps: 1
    grid_first_spacing_bps: 1
`);
  return { config, place, data: join(place, 'maker') };
}

test('a paper run without a key quotes and is filled, and the exchange knows of no order, no stream and no account', async () => {
  const { config, data } = written();
  const maker = start(['run', '--paper', '-c', config, '--order-latency', '2ms'], { env: keyless });
  maker.exit.catch(() => {});
  await maker.said(/PAPER: the market is that of wss:\/\/localhost/);
  await maker.said(/live symbol=ETHUSDC/);
  await maker.said(/live symbol=SOLUSDC/);
  await maker.said(/symbol state symbol=ETHUSDC state=live .*orders_bid=[1-9].* fills=[1-9]/);

  const { connections } = await (await fetch(`${await control()}/state`)).json();
  assert.deepEqual(Object.keys(connections).sort(), ['market', 'public'], 'nothing else was ever opened');
  assert.deepEqual(await account.signed('GET', '/fapi/v1/allOrders', 'symbol=ETHUSDC'), []);
  assert.deepEqual(await account.signed('GET', '/fapi/v1/userTrades', 'symbol=ETHUSDC'), []);
  assert.deepEqual(await account.positions(), {});

  maker.child.kill('SIGINT');
  assert.equal(await maker.exit, 0, maker.stderr);
  assert.match(maker.stdout + maker.stderr, /left safely: the model lists no order of ours/);

  // What it keeps is its own, and replays like any other run's.
  assert.deepEqual(readdirSync(data), ['paper']);
  const [log] = readdirSync(join(data, 'paper')).filter((name) => name.endsWith('.phxlog'));
  const replay = await run(['replay', join(data, 'paper', log)]);
  assert.equal(replay.code, 0, replay.stdout);
  assert.match(replay.stdout, /^equal$/m);
});

test('a real run and its paper twin share the machine, and nothing else', async () => {
  const { config, data } = written();
  const real = start(['run', '-c', config], { env: withKeys });
  real.exit.catch(() => {});
  await real.said(/live symbol=ETHUSDC/);
  const paper = start(['run', '--paper', '-c', config], { env: keyless });
  paper.exit.catch(() => {});
  await paper.said(/live symbol=ETHUSDC/);
  paper.child.kill('SIGINT');
  assert.equal(await paper.exit, 0, paper.stderr);
  assert.ok((await account.orders()).length > 0, 'the real orders are still there');
  real.child.kill('SIGINT');
  assert.equal(await real.exit, 0, real.stderr);
  assert.deepEqual(await account.orders(), []);

  // The kill latch of one is not the other's.
  assert.equal((await run(['emergency', 'close-all', '-c', config, '--yes'], { env: withKeys })).code, 0);
  assert.ok(existsSync(join(data, 'kill-latch')));
  const unlatched = await run(['run', '--paper', '-c', config, '--for', '3s'], { env: keyless });
  assert.equal(unlatched.code, 0, unlatched.stderr);
  copyFileSync(join(data, 'kill-latch'), join(data, 'paper', 'kill-latch'));
  const latched = await run(['run', '--paper', '-c', config, '--for', '3s'], { env: keyless });
  assert.equal(latched.code, 2);
  const [, way] = /phoenix (emergency re-arm \S+ \S+ --paper)/.exec(latched.stderr);
  assert.equal((await run(way.split(' '), { env: keyless })).code, 0);
  assert.ok(!existsSync(join(data, 'paper', 'kill-latch')));
  assert.ok(existsSync(join(data, 'kill-latch')));
});

test('a limited start trades one symbol at its smallest size, also after the file changed', async () => {
  const { config, data } = written();
  const maker = start(['run', '--limited', '-c', config], { env: withKeys });
  maker.exit.catch(() => {});
  const said = await maker.said(/limited start: ETHUSDC alone, orders of (\S+), 2 layers a side, all positions worth at most \S+, left out: SOLUSDC; --full/);
  await maker.said(/live symbol=ETHUSDC/);
  const smallest = Number(said[1]);
  const look = async () => {
    const orders = await account.orders();
    assert.ok(orders.length > 0 && orders.length <= 6, `${orders.length} orders`);
    for (const o of orders) assert.equal(o.symbol, 'ETHUSDC');
    assert.ok(Math.max(...orders.map((o) => Number(o.origQty))) <= 3 * smallest);
  };
  await look();
  writeFileSync(config, readFileSync(config, 'utf8').replace('unified_layer_size: 0.008', 'unified_layer_size: 0.016'));
  await maker.said(/configuration ETHUSDC.unified_layer_size 0.008 -> 0.016/);
  await new Promise((resolve) => setTimeout(resolve, 2000));
  await look();
  maker.child.kill('SIGINT');
  assert.equal(await maker.exit, 0, maker.stderr);
  const [log] = readdirSync(data).filter((name) => name.endsWith('.phxlog'));
  const replay = await run(['replay', join(data, log)]);
  assert.match(replay.stdout, /^equal$/m);
});

test('hosts that may take real money are checked first and begin limited', async () => {
  const { config } = written();
  // The orders' host is not known to be a test host; it does not answer, so that they go another way.
  writeFileSync(config, readFileSync(config, 'utf8').replace('venue: local', 'venue: live')
    .replace(/order_api_url: .*/, 'order_api_url: wss://orders.invalid/ws-fapi/v1'));
  const maker = start(['run', '-c', config], { env: withKeys });
  maker.exit.catch(() => {});
  await maker.said(/limited start: ETHUSDC alone/);
  await maker.said(/live symbol=ETHUSDC/);
  maker.child.kill('SIGINT');
  assert.equal(await maker.exit, 0, maker.stderr);
  const full = start(['run', '-c', config, '--full'], { env: withKeys });
  full.exit.catch(() => {});
  await full.said(/live symbol=SOLUSDC/);
  assert.doesNotMatch(full.stdout + full.stderr, /limited start/);
  full.child.kill('SIGINT');
  assert.equal(await full.exit, 0, full.stderr);
});

test('what does not go together is refused', async () => {
  const { config } = written();
  for (const options of [['--limited', '--full'], ['--wallet', '5'], ['--queue', 'proportional'], ['--order-latency', '5ms']]) {
    const said = await run(['run', '-c', config, ...options], { env: withKeys });
    assert.equal(said.code, 2, options.join(' '));
  }
});

test('a paper run whose market cannot be asked is refused in words', async () => {
  const { config } = written();
  writeFileSync(config, readFileSync(config, 'utf8').replace(exchange.tls.rest, 'https://localhost:1'));
  const said = await run(['run', '--paper', '-c', config], { env: keyless });
  assert.equal(said.code, 2);
  assert.match(said.stderr, /the preflight fails:\n {2}clock: /);
});

async function control() {
  const [, url] = await exchange.said(/control +(http:\S+)/);
  return url;
}
