// `phoenix emergency close-all` and what it shares with cancel-all, on a real exchange with real positions.

import assert from 'node:assert/strict';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';

import { accountOf } from './account.mjs';
import { configFor, run, start, startExchange, temporaryDirectory } from './program.mjs';

const directory = temporaryDirectory();
let exchange;
let account;
let env;
let config;
let data;
let number = 0;

before(async () => {
  exchange = await startExchange(join(directory, 'exchange'));
  account = accountOf(exchange);
  const runtime = join(directory, 'runtime');
  mkdirSync(runtime, { mode: 0o700 });
  env = { BINANCE_API_KEY: exchange.key, BINANCE_API_SECRET: exchange.secret, XDG_RUNTIME_DIR: runtime };
});
after(async () => {
  await exchange.stop();
  rmSync(directory, { recursive: true });
});
beforeEach(() => {
  const place = join(directory, `run-${++number}`);
  mkdirSync(place);
  data = join(place, 'maker');
  config = join(place, 'config.yaml');
  writeFileSync(config, configFor(exchange, place));
});

const emergency = (...args) => run(['emergency', ...args, '-c', config], { env });

test('close-all ends orders and position of a running maker, which quotes no more, and is done when asked again', async () => {
  const maker = start(['run', '-c', config], { env });
  maker.exit.catch(() => {});
  try {
    await maker.said(/live symbol=ETHUSDC/);
    await account.take('ETHUSDC', 'BUY', '0.051', 'phx-00000000-000000000001');
    assert.ok((await account.positions()).ETHUSDC > 0);

    const rehearsal = await emergency('close-all', '--dry-run');
    assert.equal(rehearsal.code, 0, rehearsal.stderr);
    assert.match(rehearsal.stdout, /would cancel \d+ orders of ETHUSDC/);
    assert.match(rehearsal.stdout, /would close ETHUSDC 0\.\d+/);
    assert.ok(!existsSync(join(data, 'kill-latch')), 'a rehearsal changes nothing');
    assert.ok((await account.positions()).ETHUSDC > 0);

    const done = await emergency('close-all', '--yes');
    assert.equal(done.code, 0, done.stdout + done.stderr);
    assert.match(done.stdout, /the venue lists no own order/);
    assert.match(done.stdout, /ETHUSDC: position was -?0\.\d+, is 0; [1-9]\d* orders/);
    assert.match(done.stdout, /the venue lists no position/);
    assert.ok(existsSync(join(data, 'kill-latch')));
    assert.deepEqual(await account.positions(), {});
    assert.deepEqual(await account.orders(), []);
    assert.equal(maker.child.exitCode, null, 'the maker lives on and quotes nothing');

    const again = await emergency('close-all', '--yes');
    assert.equal(again.code, 0, again.stdout + again.stderr);
  } finally {
    maker.child.kill('SIGINT');
  }
  assert.equal(await maker.exit, 0, maker.stderr);
  assert.deepEqual(await account.positions(), {});
});

test('close-all closes a short position in slices and never turns it round', async () => {
  await account.take('ETHUSDC', 'SELL', '0.4');
  const done = await emergency('close-all', '--yes');
  assert.equal(done.code, 0, done.stdout + done.stderr);
  const [, before, orders] = /ETHUSDC: position was (\S+), is 0; (\d+) orders/.exec(done.stdout);
  assert.equal(before, '-0.4');
  assert.ok(Number(orders) >= 4, done.stdout);
  assert.deepEqual(await account.positions(), {});
});

test('close-all --market takes whatever price there is, still in slices and only reducing', async () => {
  await account.take('ETHUSDC', 'BUY', '0.08');
  const done = await emergency('close-all', '--yes', '--market');
  assert.equal(done.code, 0, done.stdout + done.stderr);
  assert.match(done.stdout, /ETHUSDC: position was 0\.08, is 0; (\d+) orders, \1 of them at market/);
  assert.deepEqual(await account.positions(), {});
});

test('a position that is not configured is left alone and named, unless --symbol or --all', async () => {
  await account.take('SOLUSDC', 'BUY', '3');
  const ours = await emergency('close-all', '--yes');
  assert.equal(ours.code, 0, ours.stdout + ours.stderr);
  assert.match(ours.stdout, /left alone: SOLUSDC 3(\.0+)?, which is not configured/);
  assert.deepEqual(await account.positions(), { SOLUSDC: 3 });
  const named = await emergency('close-all', '--yes', '--symbol', 'SOLUSDC');
  assert.equal(named.code, 0, named.stdout + named.stderr);
  assert.deepEqual(await account.positions(), {});

  await account.take('XRPUSDC', 'SELL', '50');
  assert.equal((await account.rest('SOLUSDC', '1', 'web_somebody')).clientOrderId, 'web_somebody');
  const all = await emergency('close-all', '--yes', '--all');
  assert.equal(all.code, 0, all.stdout + all.stderr);
  assert.deepEqual(await account.positions(), {});
  assert.deepEqual(await account.orders(), []);
});

test('cancel-all takes one symbol alone, also one that is not configured', async () => {
  assert.ok((await account.rest('ETHUSDC', '0.05', 'web_eth')).orderId);
  assert.ok((await account.rest('SOLUSDC', '1', 'web_sol')).orderId);
  const done = await emergency('cancel-all', '--yes', '--all', '--symbol', 'SOLUSDC');
  assert.equal(done.code, 0, done.stdout + done.stderr);
  assert.deepEqual((await account.orders()).map((o) => o.symbol), ['ETHUSDC']);
  assert.equal((await emergency('cancel-all', '--yes', '--all')).code, 0);
  assert.deepEqual(await account.orders(), []);
});

test('hosts and keys suffice: a file that trading refuses closes all the same', async () => {
  const [head] = configFor(exchange, join(directory, 'bare')).split('symbols:');
  writeFileSync(config, head.replace('  total_notional_max: 4000\n', ''));
  await account.take('ETHUSDC', 'BUY', '0.03');
  const done = await emergency('close-all', '--yes', '--all');
  assert.equal(done.code, 0, done.stdout + done.stderr);
  assert.match(done.stderr, /`run` would refuse this file/);
  assert.deepEqual(await account.positions(), {});
});

test('without anybody to ask it wants --yes, a symbol nobody knows is refused, and without the venue nothing is claimed', async () => {
  const asked = await emergency('close-all');
  assert.equal(asked.code, 2);
  assert.match(asked.stderr, /--yes/);
  const slip = await emergency('close-all', '--yes', '--symbol', 'ETHUSCD');
  assert.equal(slip.code, 2);
  assert.match(slip.stderr, /the venue has no symbol 'ETHUSCD'/);
  assert.ok(!existsSync(join(data, 'kill-latch')), 'what cannot begin leaves no trace');

  writeFileSync(config, configFor(exchange, join(directory, 'away')).replace(exchange.tls.rest, 'https://localhost:1'));
  const rehearsal = await emergency('close-all', '--dry-run');
  assert.equal(rehearsal.code, 1);
  const nobody = await emergency('close-all', '--yes');
  assert.equal(nobody.code, 1);
  assert.match(nobody.stderr, /NOT confirmed: positions may be open/);
});

test('x16 an order of somebody else holds its symbol until it is claimed, and is never touched', async () => {
  const maker = start(['run', '-c', config], { env });
  maker.exit.catch(() => {});
  const ours = async () => (await account.orders('ETHUSDC')).filter((o) => o.clientOrderId.startsWith('phx-'));
  const theirs = async () => (await account.orders('ETHUSDC')).filter((o) => o.clientOrderId === 'web_claimed');
  try {
    await maker.said(/live symbol=ETHUSDC/);
    const said = maker.stderr.length;
    assert.ok((await account.rest('ETHUSDC', '0.05', 'web_claimed')).orderId);
    await maker.said(/hold symbol=ETHUSDC why="foreign_activity"/);
    assert.equal((await theirs()).length, 1);

    const rearmed = await emergency('re-arm', '--yes');
    assert.equal(rearmed.code, 0, rearmed.stderr);
    assert.match(rearmed.stdout, /not ours: ETHUSDC; when that is dealt with: phoenix orders claim -c/);
    const other = await run(['orders', 'claim', '-c', config, '--yes', '--symbol', 'SOLUSDC'], { env });
    assert.match(other.stdout, /nothing to claim/);
    assert.deepEqual(await ours(), [], 'neither of the two lets it quote again');

    const claimed = await run(['orders', 'claim', '-c', config, '--yes'], { env });
    assert.equal(claimed.code, 0, claimed.stderr);
    assert.match(claimed.stdout, /held because of orders or trades that are not ours: ETHUSDC/);
    await maker.said(/guard left symbol=ETHUSDC reason=foreign_activity/);
    for (let i = 0; i < 100 && (await ours()).length === 0; ++i) await new Promise((r) => setTimeout(r, 100));
    assert.ok((await ours()).length > 0, maker.stderr.slice(said));
    assert.equal((await theirs()).length, 1, 'left alone');
  } finally {
    maker.child.kill('SIGINT');
  }
  assert.equal(await maker.exit, 0, maker.stderr);
  assert.equal((await theirs()).length, 1, 'also by the stop');
  assert.equal((await run(['orders', 'claim', '-c', config], { env })).stdout.includes('nothing to claim'), true);
  await account.signed('DELETE', '/fapi/v1/order', 'symbol=ETHUSDC&origClientOrderId=web_claimed');
});
