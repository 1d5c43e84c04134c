// What a running Phoenix says of itself is the exchange's truth, and is the same wherever it is asked; and every command that
// docs/metrics.md shows works as it stands there.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { after, before, test } from 'node:test';

import { accountOf } from './account.mjs';
import { configFor, freePort, phoenix, run, start, startExchange, temporaryDirectory, until } from './program.mjs';

const directory = temporaryDirectory();
const config = join(directory, 'configs/local.yaml');
let exchange, account, maker, port, env;

const get = (path) => fetch(`http://127.0.0.1:${port}${path}`);
const ask = (...args) => run(args, { cwd: directory, env });
const health = async () => {
  const { code, stdout } = await ask('health', '-c', config, '--json');
  return { code, ...JSON.parse(stdout) };
};
const check = (report, name) => report.checks.find((c) => c.check === name);

before(async () => {
  exchange = await startExchange(join(directory, 'exchange'));
  account = accountOf(exchange);
  port = await freePort();
  const runtime = join(directory, 'runtime');
  mkdirSync(runtime, { mode: 0o700 });
  mkdirSync(dirname(config));
  // The documents say `phoenix`; an installed one is found by its name.
  mkdirSync(join(directory, 'bin'));
  symlinkSync(resolve(phoenix), join(directory, 'bin/phoenix'));
  env = {
    BINANCE_API_KEY: exchange.key, BINANCE_API_SECRET: exchange.secret, XDG_RUNTIME_DIR: runtime,
    PATH: `${join(directory, 'bin')}:${process.env.PATH}`,
  };
  writeFileSync(config, configFor(exchange, directory).replace('metrics_port: 0', `metrics_port: ${port}`));
  maker = start(['run', '-c', config], { env });
  maker.exit.catch(() => {});
  await maker.said(/live symbol=ETHUSDC/);
});
after(async () => {
  maker.child.kill('SIGKILL');
  await maker.exit.catch(() => {});
  await exchange.stop();
});

test('orders and position are those of the exchange', async () => {
  await until('the same at both', async () => {
    const before = await account.orders('ETHUSDC');
    const { code, stdout, stderr } = await ask('status', '-c', config, '--once', '--json');
    assert.equal(code, 0, stderr);
    const [symbol] = JSON.parse(stdout).symbols;
    const position = (await account.positions()).ETHUSDC ?? 0;
    const orders = await account.orders('ETHUSDC');
    const ids = (list) => list.map((o) => o.orderId).sort().join();
    if (ids(before) !== ids(orders)) return false; // they moved in between
    const best = (side, pick) => {
      const prices = orders.filter((o) => o.side === side).map((o) => Number(o.price));
      return prices.length === 0 ? null : pick(...prices);
    };
    return orders.length > 4 && symbol.orders_live === orders.length && symbol.position === position
      && symbol.orders_bid === orders.filter((o) => o.side === 'BUY').length
      && symbol.own_bid === best('BUY', Math.max) && symbol.own_ask === best('SELL', Math.min);
  });
});

test('the same verdict everywhere, and each stream with its evidence', async () => {
  await until('ready', async () => (await get('/readyz')).status === 200);
  assert.equal((await get('/healthz')).status, 200);
  const status = await (await get('/status')).json();
  assert.equal(status.schema, 1);
  assert.equal(status.symbols[0].state, 'live');
  assert.equal(status.symbols[0].quote_asset, 'USDC');
  assert.ok(status.symbols[0].guard.may_add);
  const depth = status.streams.filter((s) => s.symbol === 'ETHUSDC' && s.role === 'depth');
  assert.deepEqual(depth.map((s) => s.connection).sort(), ['public_a', 'public_b']);
  for (const stream of depth) assert.match(stream.evidence, /^witness=\w+ ours=\d+ theirs=\d+ silent_ms=\d+/);
  assert.ok(status.latencies.receive_to_step.count > 0);
  assert.ok(status.latencies.tick_to_order.p50_us > 0);
  assert.ok(status.process.resident_bytes > 1e6 && status.process.threads >= 2);
  assert.ok(status.state_store.active);
  const report = await until('healthy', async () => {
    const one = await health();
    return one.level === 'ok' && one;
  });
  assert.equal(report.code, 0);
  assert.deepEqual(report.checks.map((c) => c.check),
    ['process', 'progress', 'prices', 'quoting', 'orders', 'errors', 'account', 'clock', 'recording']);
});

test('the metrics are what Prometheus reads', async () => {
  const response = await get('/metrics');
  assert.match(response.headers.get('content-type'), /^text\/plain; version=0\.0\.4/);
  const text = await response.text();
  for (const line of text.trimEnd().split('\n'))
    assert.match(line, /^(# (HELP|TYPE) phoenix_\w+ .+|phoenix_\w+(\{(\w+="([^"\\]|\\.)*",?)+\})? [-+0-9.e]+)$/);
  assert.match(text, /^phoenix_stage_duration_seconds_count\{stage="step"\} [1-9]/m);
  const promtool = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' });
  if (promtool.error) return; // not installed here
  assert.equal(promtool.status, 0, promtool.stdout + promtool.stderr);
});

test('every command the document shows works', async () => {
  const document = readFileSync(resolve('docs/metrics.md'), 'utf8');
  const shown = [...document.matchAll(/^ {4}(.+)$/gm)].map((match) => match[1]);
  assert.ok(shown.length >= 8, 'the document shows commands');
  for (const command of shown) {
    const as_here = command.replace('127.0.0.1:9090', `127.0.0.1:${port}`);
    const running = start(['-c', `exec ${as_here}`], { command: '/bin/bash', cwd: directory, env });
    if (command.includes('--watch')) {
      const [, level] = await running.said(/^\d{4}-\S+Z (ok|warning|severe)/m);
      assert.ok(level);
      running.child.kill('SIGINT');
    }
    const code = await running.exit;
    assert.ok(code === 0 || (command.includes('health') && code === 1), `${command}: ${code}\n${running.stdout}${running.stderr}`);
    assert.ok(running.stdout.length > 20, command);
  }
  const table = await ask('status', '-c', config, '--once');
  assert.match(table.stdout, /^running since /m);
  assert.match(table.stdout, /^ETHUSDC +live /m);
  const traffic = await ask('traffic', '-c', config, '--once');
  assert.match(traffic.stdout, /^public_a +live .* \d/m);
  assert.match(traffic.stdout, /^ETHUSDC depth +public_b +live +\d+\.\d /m);
  assert.match(traffic.stdout, /on the wire, ratio \d/);
});

test('v07 a process that stands still is severe although it exists', async () => {
  maker.child.kill('SIGSTOP');
  const report = await health();
  assert.equal(report.code, 2);
  assert.match(check(report, 'process').what, /makes no progress, \d+ orders may rest/);
  assert.equal(check(report, 'process').help, `phoenix guard -c ${config} --restart`);
  assert.equal(report.ready, false);
  maker.child.kill('SIGCONT');
  await until('well again', async () => (await health()).code === 0);
});

test('a kill latch is told with the way out, and an end is told as one', async () => {
  const killed = await ask('emergency', 'cancel-all', '-c', config, '--yes');
  assert.equal(killed.code, 0, killed.stdout + killed.stderr);
  const report = await until('the latch is seen', async () => {
    const one = await health();
    return check(one, 'account').level === 'severe' && one;
  });
  assert.equal(report.code, 2);
  assert.match(check(report, 'account').what, /kill latch is set/);
  assert.equal(check(report, 'account').help, `phoenix emergency re-arm -c ${config}`);
  assert.equal((await get('/readyz')).status, 503);
  assert.match((await ask('status', '-c', config, '--once')).stdout, /^KILL LATCH SET/m);
  maker.child.kill('SIGINT');
  await maker.exit;
  const gone = await health();
  assert.equal(gone.code, 2);
  assert.match(check(gone, 'process').what, /has left by itself/);
  assert.match(check(gone, 'answer').what, /nobody answers at 127\.0\.0\.1/);
  const { code, stderr } = await ask('status', '-c', config, '--once');
  assert.equal(code, 1);
  assert.match(stderr, /^phoenix: nobody answers at /);
  assert.ok(existsSync(join(directory, 'maker')));
});
