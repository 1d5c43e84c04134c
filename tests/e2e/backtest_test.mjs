// Every command docs/backtest.md shows works as it stands there.

import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';

import { phoenix, run, start, temporaryDirectory } from './program.mjs';

const page = readFileSync('docs/backtest.md', 'utf8');
const shown = [...page.matchAll(/^ {4}(.+)$/gm)].map((match) => match[1]);

/// A place that looks like a clone that was built.
function clone() {
  const place = temporaryDirectory();
  mkdirSync(join(place, 'build/release'), { recursive: true });
  cpSync(resolve(phoenix), join(place, 'build/release/phoenix'));
  cpSync('configs', join(place, 'configs'), { recursive: true });
  cpSync('tests/data', join(place, 'tests/data'), { recursive: true });
  return place;
}

test('every command of the page runs as shown', async () => {
  const place = clone();
  assert.ok(shown.length >= 3);
  for (const command of shown) {
    const process = start(['-c', `exec ${command}`], { command: '/bin/bash', cwd: place });
    assert.equal(await process.exit, 0, `${command}\n${process.stderr}`);
    if (command.includes('--json')) {
      const report = JSON.parse(process.stdout);
      assert.ok(report.symbols[0].fills > 0, 'the slice gives fills');
      assert.equal(report.parameters.queue, 'proportional');
    }
    const prefix = /--report (\S+)/.exec(command)?.[1];
    if (!prefix) continue;
    assert.ok(existsSync(join(place, `${prefix}.json`)) && existsSync(join(place, `${prefix}.html`)), command);
    assert.match(readFileSync(join(place, `${prefix}.html`), 'utf8'), /<svg/);
  }
  rmSync(place, { recursive: true });
});

test('bad input is one line and exit code 2', async () => {
  const place = temporaryDirectory();
  const slice = 'tests/data/usdm_btcusdt_20240808_head.txt.zst';
  for (const args of [
    ['replay', place, '-c', 'configs/backtest.yaml'],
    ['replay', join(place, 'missing'), '-c', 'configs/backtest.yaml'],
    ['replay', slice, '-c', 'configs/local.yaml'],
    ['replay', slice, '--report', join(place, 'x')],
    ['sweep', slice, '-c', 'configs/backtest.yaml', '--set', 'no_such_key=1'],
  ]) {
    const result = await run(args);
    assert.equal(result.code, 2, args.join(' '));
    assert.equal(result.stderr.trim().split('\n').length, 1, result.stderr);
  }
  rmSync(place, { recursive: true });
});
