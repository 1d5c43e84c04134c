// `phoenix demo` makes its market, serves its metrics, leaves nothing behind, and can be replayed.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { run, start, temporaryDirectory } from './program.mjs';

test('the demo quotes five symbols and its ledger equals the exchange\'s', async () => {
  const data = temporaryDirectory();
  const demo = start(['demo', '--for', '15s', '--seed', '7', '--data', data]);
  const [, port] = await demo.said(/metrics +http:\/\/127\.0\.0\.1:(\d+)\/metrics/);
  await demo.said(/running/);

  const health = await fetch(`http://127.0.0.1:${port}/healthz`);
  assert.equal(health.status, 200);
  const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  for (const symbol of ['ETHUSDC', 'DOGEUSDC', 'SOLUSDC', 'BNBUSDC', 'XRPUSDC']) {
    assert.match(metrics, new RegExp(`phoenix_symbol_live\\{symbol="${symbol}"\\} 1\n`));
    assert.match(metrics, new RegExp(`phoenix_orders_live\\{symbol="${symbol}",side="bid"\\} [1-9]`));
  }
  assert.match(metrics, /phoenix_ws_connected\{stream="public_a"\} 1\n/);
  assert.match(metrics, /phoenix_frames_bad_total 0\n/);
  assert.match(metrics, /phoenix_ring_dropped_total\{ring="frames"\} 0\n/);
  assert.match(demo.stdout.split('\n')[0], /^dashboard http:/);
  assert.equal((await fetch(`http://127.0.0.1:${port}/`)).status, 200);
  assert.equal((await fetch(`http://127.0.0.1:${port}/readyz`)).status, 200);
  assert.equal((await fetch(`http://127.0.0.1:${port}/nothing`)).status, 404);

  assert.equal(await demo.exit, 0, demo.stdout + demo.stderr);
  assert.match(demo.stdout, /the exchange's ledger equals ours/);

  const log = readFileSync(join(data, 'phoenix.log'), 'utf8');
  assert.doesNotMatch(log, /demo-secret/);
  assert.doesNotMatch(log, /broken invariant/);

  const inputLog = readdirSync(join(data, 'maker')).find((name) => name.endsWith('.phxlog'));
  const replay = await run(['replay', '--json', join(data, 'maker', inputLog)]);
  assert.equal(replay.code, 0, replay.stdout + replay.stderr);
  const report = JSON.parse(replay.stdout);
  assert.equal(report.equal, true);
  assert.equal(Object.keys(report.replayed).length, 5);
  assert.ok(report.inputs > 1000);
});

test('Ctrl-C ends the demo safely', async () => {
  const demo = start(['demo', '--for', '60s']);
  await demo.said(/running \| ETHUSDC live/);
  demo.child.kill('SIGINT');
  assert.equal(await demo.exit, 0, demo.stdout + demo.stderr);
  assert.match(demo.stdout, /the exchange's ledger equals ours/);
});
