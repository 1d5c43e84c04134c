// `phoenix preflight` against the local exchange, and the configurations that come with Phoenix.

import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { accountOf } from './account.mjs';
import { configFor, run, start, startExchange, temporaryDirectory } from './program.mjs';

const directory = temporaryDirectory();
let exchange;
let account;
let env;
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

/// A configuration of its own directory; `more` are lines of the symbol, `extra` of `global`.
function written({ more = '', extra = '' } = {}) {
  const place = join(directory, `run-${++number}`);
  mkdirSync(place);
  const config = join(place, 'config.yaml');
  writeFileSync(config, configFor(exchange, place, { extra }) + more);
  return { config, place };
}

async function preflight(config, environment = env) {
  const said = await run(['preflight', '-c', config, '--json'], { env: environment });
  const { passed, checks } = JSON.parse(said.stdout);
  const verdicts = Object.fromEntries(checks.map((c) => [c.name, c.verdict]));
  const failed = checks.filter((c) => c.verdict === 'failed').map((c) => c.name);
  assert.equal(passed, failed.length === 0);
  assert.equal(said.code, passed ? 0 : 2);
  for (const c of checks) assert.equal(c.advice === '', c.verdict === 'ok', JSON.stringify(c));
  return { verdicts, failed, checks };
}

test('an account that may trade passes, and nothing at the venue or here is changed', async () => {
  const { config } = written();
  const orders = await account.orders();
  const { verdicts, failed } = await preflight(config);
  assert.deepEqual(failed, []);
  for (const name of ['venue', 'clock', 'key', 'right to withdraw', 'position mode', 'ETHUSDC rules', 'ETHUSDC ladder',
    'rate budget', 'balance USDC', 'open orders', 'positions', 'kill latch', 'data directory', 'account lock'])
    assert.equal(verdicts[name], 'ok', name);
  assert.deepEqual(await account.orders(), orders);
  const table = await run(['preflight', '-c', config], { env });
  assert.equal(table.code, 0);
  assert.match(table.stdout, /^ok +key +accepted, may trade futures$/m);
  assert.match(table.stdout, /^may trade: 0 of \d+ checks failed/m);
});

test('a key that is not accepted fails, and what needs it is not asked', async () => {
  const { config } = written();
  const { failed, checks } = await preflight(config, { ...env, BINANCE_API_SECRET: 'another' });
  assert.ok(failed.includes('key') && failed.includes('balance'), failed.join());
  assert.match(checks.find((c) => c.name === 'positions').found, /not asked/);
});

test('hedge mode is refused', async () => {
  const { config } = written();
  assert.equal((await account.signed('POST', '/fapi/v1/positionSide/dual', 'dualSidePosition=true')).code, 200);
  try {
    assert.deepEqual((await preflight(config)).failed, ['position mode']);
  } finally {
    await account.signed('POST', '/fapi/v1/positionSide/dual', 'dualSidePosition=false');
  }
});

test('d23 margin type and leverage must be as configured, and are never changed here', async () => {
  await account.signed('POST', '/fapi/v1/leverage', 'symbol=ETHUSDC&leverage=7');
  const wish = '    margin_type: isolated\n    leverage: 20\n';
  const { failed, checks } = await preflight(written({ more: wish }).config);
  assert.deepEqual(failed, ['ETHUSDC account']);
  assert.match(checks.find((c) => c.name === 'ETHUSDC account').found, /leverage 7; configured margin_type isolated, leverage 20/);
  const allowed = await preflight(written({ more: wish, extra: '  apply_account_settings: true\n' }).config);
  assert.equal(allowed.verdicts['ETHUSDC account'], 'warning');
  const [row] = (await account.signed('GET', '/fapi/v1/symbolConfig', 'symbol=ETHUSDC'));
  assert.equal(row.leverage, 7);
});

test('i19 i22 distances made for another price, or in another unit, are refused', async () => {
  const { config } = written();
  const text = readFileSync(config, 'utf8');
  writeFileSync(config, text.replace('min_spread: 0.0001', 'min_spread: 0.001'));
  const near = await preflight(config);
  assert.deepEqual(near.failed, ['ETHUSDC ladder']);
  assert.match(near.checks.find((c) => c.name === 'ETHUSDC ladder').advice, /raise grid_start_offset to 5\.00 bps/);
  writeFileSync(config, text.replace('grid_start_offset_bps: 1', 'grid_start_offset: 0.0005'));
  const ratio = await preflight(config);
  assert.deepEqual(ratio.failed, ['ETHUSDC ladder']);
  writeFileSync(config, `${text.replace('grid_start_offset_bps: 1', 'grid_start_offset: 0.0005')}    tick_size: 0.01\n`);
  const loader = await run(['config', 'check', config]);
  assert.equal(loader.code, 2);
  assert.match(loader.stderr, /symbols\[0\]\.grid_start_offset: is 0\.0005 in quote currency, less than one tick of 0\.01: .*grid_start_offset_bps/);
});

test('a latch, a maker on the account, and orders and positions there are told', async () => {
  const { config, place } = written();
  const maker = start(['run', '-c', config], { env });
  maker.exit.catch(() => {});
  try {
    await maker.said(/live symbol=ETHUSDC/);
    assert.deepEqual((await preflight(config)).failed, ['account lock']);
  } finally {
    maker.child.kill('SIGINT');
  }
  assert.equal(await maker.exit, 0, maker.stderr);

  await account.take('SOLUSDC', 'BUY', '1');
  await account.rest('ETHUSDC', '0.05', 'web_mine');
  const found = await preflight(config);
  assert.equal(found.verdicts.positions, 'warning');
  assert.equal(found.verdicts['open orders'], 'warning');
  assert.equal((await run(['emergency', 'close-all', '-c', config, '--yes', '--all'], { env })).code, 0);
  assert.deepEqual((await preflight(config)).failed, ['kill latch']);
  assert.ok(place);
});

test('a venue that is not there is a failure, not a hang', async () => {
  const { config } = written();
  writeFileSync(config, readFileSync(config, 'utf8').replace(exchange.tls.rest, 'https://localhost:1'));
  const { failed } = await preflight(config);
  assert.ok(failed.includes('clock') && failed.includes('key') && failed.includes('rate budget'), failed.join());
});

const configs = readdirSync('configs').filter((name) => name.endsWith('.yaml'));

test('every configuration that comes along passes its own check, and every setting says where it comes from', async () => {
  assert.ok(configs.length >= 7, configs.join());
  for (const name of configs) {
    const file = join('configs', name);
    const check = await run(['config', 'check', file]);
    assert.equal(check.code, 0, `${name}: ${check.stderr}`);
    const show = await run(['config', 'show', file, '--effective', '--json']);
    assert.equal(show.code, 0, show.stderr);
    const settings = JSON.parse(show.stdout);
    const lines = readFileSync(file, 'utf8').split('\n');
    for (const s of settings) assert.match(s.source, /^(default|\S+:\d+|environment \S+)$/, JSON.stringify(s));
    const cap = settings.find((s) => s.name === 'global.total_notional_max');
    assert.match(lines[Number(cap.source.split(':').at(-1)) - 1], /total_notional_max/);
    assert.equal(settings.find((s) => s.name === 'global.recv_window_ms').source, 'default');
    const symbol = settings.find((s) => s.name.endsWith('.net_max'));
    assert.match(lines[Number(symbol.source.split(':').at(-1)) - 1], /net_max/);
  }
});

test('d18 no configuration that comes along holds a key, and one that does is refused without repeating it', async () => {
  for (const name of configs) assert.doesNotMatch(readFileSync(join('configs', name), 'utf8'), /^\s*(api_key|api_secret|secret)\s*:/m, name);
  const { config } = written({ extra: '  api_key: do-not-repeat-me\n' });
  const check = await run(['config', 'check', config]);
  assert.equal(check.code, 2);
  assert.match(check.stderr, /global\.api_key: keys do not belong in a configuration file/);
  assert.doesNotMatch(check.stderr, /do-not-repeat-me/);
});

test('live configurations are refused by preflight without their key file, before anything is asked', async () => {
  const said = await run(['preflight', '-c', 'configs/live-3.yaml'], { env: { ...env, BINANCE_API_KEY: '' } });
  assert.equal(said.code, 2);
  assert.match(said.stderr, /phoenix-keys: cannot read the credentials file/);
});
