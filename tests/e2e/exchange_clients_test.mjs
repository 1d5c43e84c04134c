// Third-party clients trade against the local exchange: what it speaks is the venue's protocol, not our idea of it.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { run, startExchange, temporaryDirectory } from './program.mjs';

const clients = join(import.meta.dirname ?? new URL('.', import.meta.url).pathname, 'clients.mjs');
const installed = existsSync(join(clients, '..', 'node_modules'));

for (const client of ['ccxt', 'official']) {
  test(`${client} places, amends, cancels, fills and hears of it`, { skip: !installed && 'run scripts/setup.sh test' }, async () => {
    const exchange = await startExchange(temporaryDirectory());
    const result = await run([clients, '--rest', exchange.tls.rest, '--ws', exchange.tls.streams, '--wsapi', exchange.tls.orders,
      '--ca', exchange.ca, '--key', exchange.key, '--secret', exchange.secret, '--client', client],
      { command: process.execPath, env: { NODE_EXTRA_CA_CERTS: exchange.ca } });
    const stopped = await exchange.stop();
    assert.equal(result.code, 0, result.stdout + result.stderr);
    const steps = result.stdout.trim().split('\n').map((line) => JSON.parse(line));
    assert.ok(steps.length >= 8, result.stdout);
    assert.equal(stopped, 0);
  });
}

test('a recording drives its symbol', async () => {
  const exchange = await startExchange(temporaryDirectory(), ['--market', 'tests/data/usdm_btcusdt_20240808_head.txt.zst']);
  const bid = async () => {
    const depth = await (await fetch(`${exchange.plain.rest}/fapi/v1/depth?symbol=BTCUSDT&limit=5`)).json();
    return depth.bids.length > 0 ? Number(depth.bids[0][0]) : 0;
  };
  let best = 0;
  for (let tries = 0; tries < 200 && best === 0; ++tries) best = await bid();
  assert.ok(best > 60000 && best < 63000, `the recording stands near 61,700, the exchange at ${best}`);
  assert.equal(await exchange.stop(), 0);
});
