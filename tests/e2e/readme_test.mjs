// Every command that the README and the first steps show works as it stands there.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync, rmSync, mkdirSync, cpSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';

import { phoenix, run, start, temporaryDirectory } from './program.mjs';

const readme = ['README.md', 'docs/first-steps.md'].map((page) => readFileSync(page, 'utf8')).join('\n');
const shown = [...readme.matchAll(/^ {4}(.+)$/gm)].map((match) => match[1]);

/// A place that looks like a clone that was built.
function clone() {
  const place = temporaryDirectory();
  mkdirSync(join(place, 'build/release'), { recursive: true });
  cpSync(resolve(phoenix), join(place, 'build/release/phoenix'));
  cpSync('configs', join(place, 'configs'), { recursive: true });
  cpSync('tests/data', join(place, 'tests/data'), { recursive: true });
  return place;
}

/// Runs a shown command; it must be on the pages word for word.
function show(command, place, env) {
  assert.ok(shown.includes(command), `no page shows: ${command}`);
  return start(['-c', `exec ${command}`], { command: '/bin/bash', cwd: place, env });
}

test('make has every target the README names', () => {
  const makefile = readFileSync('Makefile', 'utf8');
  for (const command of shown.filter((c) => c.startsWith('make '))) {
    assert.match(makefile, new RegExp(`^${command.slice(5)}:`, 'm'), command);
  }
  assert.ok(shown.includes('make demo') && shown.includes('make test'));
});

test('a maker runs on the local exchange as shown', async () => {
  const place = clone();
  const exchange = show('build/release/phoenix exchange', place);
  await exchange.said(/Ctrl-C ends it/);
  const [, exports] = /^ {4}export (.+)$/m.exec(readme);
  const env = Object.fromEntries(exports.split(' ').map((pair) => pair.split('=')));
  assert.equal(await show('build/release/phoenix config check configs/local.yaml', place).exit, 0);
  const maker = show('build/release/phoenix run -c configs/local.yaml', place, env);
  await maker.said(/live symbol=ETHUSDC/);
  await maker.said(/live symbol=SOLUSDC/);
  maker.child.kill('SIGINT');
  assert.equal(await maker.exit, 0, maker.stderr);
  const recorder = show('build/release/phoenix record -c configs/local.yaml --for 30s', place);
  assert.equal(await recorder.exit, 0, recorder.stderr);
  exchange.child.kill('SIGINT');
  assert.equal(await exchange.exit, 0);

  // Half a minute of a thin market may miss a gate; what matters here is that each of them was judged.
  const verify = show('build/release/phoenix verify phoenix-data/recording', place);
  assert.ok((await verify.exit) <= 1, verify.stderr);
  assert.match(verify.stdout, /^pass +trade_ids/m);
  assert.match(verify.stdout, /^pass +depth_chain/m);
  const query = show(shown.find((command) => command.includes('phoenix query')), place);
  assert.equal(await query.exit, 0, query.stderr);
  assert.match(query.stdout, /^ETHUSDC +\d+/m);

  const logs = readdirSync(join(place, 'phoenix-data')).filter((name) => name.endsWith('.phxlog'));
  assert.equal(logs.length, 1);
  const replay = await run(['replay', join(place, 'phoenix-data', logs[0])]);
  assert.equal(replay.code, 0, replay.stdout);
  assert.match(replay.stdout, /^equal$/m);
  rmSync(place, { recursive: true });
});

test('a book comes out of the recording as shown', async () => {
  const command = 'build/release/phoenix replay --json tests/data/usdm_btcusdt_20240808_head.txt.zst';
  const place = clone();
  const replay = show(command, place);
  assert.equal(await replay.exit, 0);
  const [symbol] = JSON.parse(replay.stdout).symbols;
  assert.equal(symbol.symbol, 'BTCUSDT');
  assert.match(symbol.book_sha256, /^[0-9a-f]{64}$/);
  rmSync(place, { recursive: true });
});

test('a simulated run is as shown', async () => {
  const place = clone();
  const simulation = show('build/release/phoenix simulate --seed 7 --hours 0.1', place);
  assert.equal(await simulation.exit, 0, simulation.stdout + simulation.stderr);
  assert.match(simulation.stdout, /seed +7/);
  rmSync(place, { recursive: true });
});
