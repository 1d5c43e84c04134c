// Live and replay run the same engine: what a session recorded gives the same wanted quotes at the same events.

import assert from 'node:assert/strict';
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'node:test';

import { configFor, run, start, startExchange, temporaryDirectory } from './program.mjs';

/// FNV-1a of nothing: a symbol that never wanted a quote.
const noQuotes = 'cbf29ce484222325';

/// Each symbol's hash runs over the time, side, price and quantity of every quote the engine wanted.
function assertSameQuotes(report, symbols) {
  assert.equal(report.equal, true);
  assert.deepEqual(Object.keys(report.recorded).sort(), [...symbols].sort());
  for (const symbol of symbols) {
    assert.notEqual(report.recorded[symbol].quotes_hash, noQuotes, `${symbol} was quoted`);
    assert.equal(report.replayed[symbol].quotes_hash, report.recorded[symbol].quotes_hash, symbol);
  }
}

test('the input log of a demo session replays to the same quotes of five symbols', async () => {
  const data = temporaryDirectory();
  const demo = start(['demo', '--for', '10s', '--seed', '11', '--data', data]);
  assert.equal(await demo.exit, 0, demo.stdout + demo.stderr);
  const log = readdirSync(join(data, 'maker')).find((name) => name.endsWith('.phxlog'));
  const replay = await run(['replay', '--json', join(data, 'maker', log)]);
  assert.equal(replay.code, 0, replay.stdout + replay.stderr);
  assertSameQuotes(JSON.parse(replay.stdout), ['ETHUSDC', 'DOGEUSDC', 'SOLUSDC', 'BNBUSDC', 'XRPUSDC']);
  rmSync(data, { recursive: true });
});

test('the journal of a session that quotes and records replays to the same quotes and rows', async () => {
  const directory = temporaryDirectory();
  const exchange = await startExchange(directory);
  const config = join(directory, 'run.yaml');
  writeFileSync(config, configFor(exchange, directory, {
    symbol: 'SOLUSDC',
    extra: `recording:\n  enabled: true\n  keep_journal: true\n  dir: ${directory}/recording\n`,
  }).replace('net_max: 0.26', 'net_max: 5.5').replace('unified_layer_size: 0.008', 'unified_layer_size: 0.2'));
  const maker = start(['run', '-c', config], {
    env: { BINANCE_API_KEY: exchange.key, BINANCE_API_SECRET: exchange.secret, XDG_RUNTIME_DIR: directory },
  });
  await maker.said(/live symbol=SOLUSDC/);
  await sleep(5000);
  maker.child.kill('SIGINT');
  assert.equal(await maker.exit, 0, maker.stdout + maker.stderr);
  await exchange.stop();

  const replay = await run(['replay', '--json', join(directory, 'recording')]);
  assert.equal(replay.code, 0, replay.stdout + replay.stderr);
  const report = JSON.parse(replay.stdout);
  assertSameQuotes(report, ['SOLUSDC']);
  assert.ok(report.rows_replayed > 100 && report.rows_replayed === report.rows_recorded, replay.stdout);
  rmSync(directory, { recursive: true });
});
