// What watches Phoenix from outside: guard, kill latch, locks, doctor; on a real exchange, with real signals.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { configFor, run, start, startExchange, temporaryDirectory, until } from './program.mjs';

const directory = temporaryDirectory();
const deadline_ms = 40_000;
const ends = [];
let exchange;
let env;

before(async () => {
  exchange = await startExchange(join(directory, 'exchange'));
  const runtime = join(directory, 'runtime');
  mkdirSync(runtime, { mode: 0o700 });
  env = { BINANCE_API_KEY: exchange.key, BINANCE_API_SECRET: exchange.secret, XDG_RUNTIME_DIR: runtime };
});
after(async () => {
  for (const end of ends.reverse()) await end();
  await exchange.stop();
});

/// Like `start`, and sure to be gone when the tests are over, however they end.
function begin(args) {
  const running = start(args, { env });
  running.exit.catch(() => {});
  ends.push(async () => {
    running.child.kill('SIGKILL');
    await running.exit.catch(() => {});
  });
  return running;
}

/// Waits for a condition by asking again, at most until the deadline.
function within(what, promise) {
  let timer;
  const late = new Promise((_, reject) => { timer = setTimeout(() => reject(new Error(`did not happen: ${what}`)), deadline_ms); });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

async function signed(method, path, query = '') {
  const text = `${query}${query ? '&' : ''}timestamp=${Date.now()}&recvWindow=5000`;
  const signature = createHmac('sha256', exchange.secret).update(text).digest('hex');
  const response = await fetch(`${exchange.plain.rest}${path}?${text}&signature=${signature}`, { method, headers: { 'X-MBX-APIKEY': exchange.key } });
  return response.json();
}
const openOrders = () => signed('GET', '/fapi/v1/openOrders', 'symbol=ETHUSDC');

let number = 0;
function setup() {
  const base = join(directory, `case-${++number}`);
  mkdirSync(base);
  const config = join(base, 'config.yaml');
  writeFileSync(config, configFor(exchange, base));
  return { config, data: join(base, 'maker') };
}
/// A phoenix with its ladder on the exchange.
async function quoting(config) {
  const maker = begin(['run', '-c', config]);
  await within('the maker quotes', maker.said(/live symbol=ETHUSDC/));
  await until('orders rest', async () => (await openOrders()).length >= 10);
  return maker;
}
/// The maker's progress record (src/io/progress_file.hpp).
function progress(data) {
  const record = readFileSync(join(data, 'progress'));
  return { pid: record.readUInt32LE(8), epoch: record.readUInt32LE(12), steps: record.readBigUInt64LE(16), phase: record[36] };
}
async function leave(running) {
  running.child.kill('SIGTERM');
  return within('it leaves', running.exit);
}

test('v08 a stopped maker says it has finished, and the guard restarts it not', async () => {
  const { config, data } = setup();
  const maker = await quoting(config);
  const guard = begin(['guard', '-c', config, '--restart']);
  await within('the guard watches', guard.said(/guarding/));
  const before = progress(data).steps;
  await until('progress', () => progress(data).steps > before);
  assert.equal(await leave(maker), 0, maker.stderr);
  assert.equal(progress(data).phase, 3);
  await within('the guard looks for leftovers', guard.said(/has left by itself/));
  await within('and finds none', guard.said(/lists no order of ours/));
  assert.equal(await leave(guard), 0, guard.stderr);
  assert.deepEqual(await openOrders(), []);
});

test('the guard cancels the orders of a maker that was killed', async () => {
  const { config } = setup();
  const maker = await quoting(config);
  const guard = begin(['guard', '-c', config]);
  await within('the guard watches', guard.said(/guarding/));
  maker.child.kill('SIGKILL');
  await within('the guard notices', guard.said(/gone without having left/));
  await until('no order rests', async () => (await openOrders()).length === 0);
  await within('the guard is sure', guard.said(/it is down, and the venue lists no order of ours/));
  assert.equal(await leave(guard), 1, 'it is down against its will');
});

test('v07 the guard cancels the orders of a maker that stands still, and leaves it alone when it wakes', async () => {
  const { config } = setup();
  const maker = await quoting(config);
  const guard = begin(['guard', '-c', config]);
  await within('the guard watches', guard.said(/guarding/));
  maker.child.kill('SIGSTOP');
  await within('the guard notices', guard.said(/no progress/));
  await until('no order rests', async () => (await openOrders()).length === 0);
  maker.child.kill('SIGCONT');
  await within('the guard sees it move', guard.said(/makes progress again/));
  await until('it quotes again', async () => (await openOrders()).length >= 10);
  assert.equal(await leave(maker), 0, maker.stderr);
  await within('the guard looks for leftovers', guard.said(/has left by itself/));
  await within('and finds none', guard.said(/has left by itself[^]*lists no order of ours/));
  assert.equal(await leave(guard), 0, guard.stderr);
});

test('v07 with --restart a maker that stands still is killed behind the fence and started anew', async () => {
  const { config, data } = setup();
  const maker = await quoting(config);
  const old = progress(data);
  assert.equal(old.pid, maker.child.pid);
  const guard = begin(['guard', '-c', config, '--restart']);
  await within('the guard watches', guard.said(/guarding/));
  maker.child.kill('SIGSTOP');
  assert.equal(await within('the old one is killed', maker.exit), 'SIGKILL');
  await within('a new one is started', guard.said(/restarting it/));
  const fresh = await until('a new one makes progress', () => progress(data).epoch > old.epoch && progress(data));
  assert.notEqual(fresh.pid, old.pid);
  ends.push(() => { try { process.kill(fresh.pid, 'SIGKILL'); } catch { /* it is gone already */ } });
  await until('it quotes', async () => (await openOrders()).length >= 10);
  process.kill(fresh.pid, 'SIGTERM');
  await until('it has left', () => progress(data).phase === 3);
  await within('the guard is content', guard.said(/has left by itself[^]*lists no order of ours/));
  assert.equal(await leave(guard), 0, guard.stderr);
  assert.deepEqual(await openOrders(), []);
});

test('emergency cancel-all empties the exchange, a running maker quotes no more, and only re-arm lets it start', async () => {
  const { config, data } = setup();
  const maker = await quoting(config);
  const emergency = await run(['emergency', 'cancel-all', '-c', config, '--yes'], { env });
  assert.equal(emergency.code, 0, emergency.stdout + emergency.stderr);
  assert.match(emergency.stdout, /the venue lists no own order/);
  assert.ok(existsSync(join(data, 'kill-latch')));
  assert.deepEqual(await openOrders(), []);
  const before = progress(data).steps;
  await until('the maker goes on', () => progress(data).steps > before + 100n);
  assert.deepEqual(await openOrders(), [], 'a latched maker quotes nothing');
  assert.equal(maker.child.exitCode, null);
  await leave(maker);

  const refused = await run(['run', '-c', config], { env });
  assert.equal(refused.code, 2);
  assert.match(refused.stderr, /the kill latch is set since .*: emergency cancel-all; .*phoenix emergency re-arm -c/);
  const armed = await run(['emergency', 're-arm', '-c', config], { env });
  assert.equal(armed.code, 0, armed.stderr);
  assert.match(armed.stdout, /emergency cancel-all/);
  assert.match((await run(['emergency', 're-arm', '-c', config], { env })).stdout, /no latch of .* is set/);
  const again = await quoting(config);
  assert.equal(await leave(again), 0, again.stderr);

  const doctor = await run(['doctor', '-c', config, '--json'], { env });
  assert.equal(doctor.code, 0, doctor.stdout + doctor.stderr);
  const said = JSON.parse(doctor.stdout);
  assert.ok(said.incidents.some((i) => i.kind === 'latched'), doctor.stdout);
  assert.match((await run(['doctor', data, '--last', '10m'], { env })).stdout, /THE KILL LATCH WAS SET/);
});

test('emergency cancel-all leaves orders of others alone unless told --all', async () => {
  const { config } = setup();
  const book = await (await fetch(`${exchange.plain.rest}/fapi/v1/ticker/bookTicker?symbol=ETHUSDC`)).json();
  const price = (Math.floor(Number(book.bidPrice) * 0.97 * 100) / 100).toFixed(2);
  const placed = await signed('POST', '/fapi/v1/order', `symbol=ETHUSDC&side=BUY&type=LIMIT&timeInForce=GTX&quantity=0.05&price=${price}&newClientOrderId=web_someone`);
  assert.equal(placed.clientOrderId, 'web_someone', JSON.stringify(placed));
  const ours = await run(['emergency', 'cancel-all', '-c', config, '--yes'], { env });
  assert.equal(ours.code, 0, ours.stdout + ours.stderr);
  assert.match(ours.stdout, /1 orders of others were left alone/);
  assert.equal((await openOrders()).length, 1);
  const all = await run(['emergency', 'cancel-all', '-c', config, '--yes', '--all'], { env });
  assert.equal(all.code, 0, all.stdout + all.stderr);
  assert.deepEqual(await openOrders(), []);
});

test('emergency cancel-all without a person to ask wants --yes, and without the venue it does not claim success', async () => {
  const { config } = setup();
  const asked = await run(['emergency', 'cancel-all', '-c', config], { env });
  assert.equal(asked.code, 2);
  assert.match(asked.stderr, /--yes/);
  writeFileSync(config, readFileSync(config, 'utf8').replace(exchange.tls.rest, 'https://localhost:1'));
  const nobody = await run(['emergency', 'cancel-all', '-c', config, '--yes'], { env });
  assert.equal(nobody.code, 1);
  assert.match(nobody.stderr, /NOT confirmed/);
});

test('d20 h36 a second instance on the account is refused, whatever its data directory', async () => {
  const first = setup();
  const second = setup();
  const maker = await quoting(first.config);
  const refused = await run(['run', '-c', second.config], { env });
  assert.equal(refused.code, 2);
  assert.match(refused.stderr, new RegExp(`phoenix: this account is in use by process ${maker.child.pid} `));
  assert.equal(await leave(maker), 0, maker.stderr);
  const next = await quoting(second.config);
  assert.equal(await leave(next), 0, next.stderr);
});

test('doctor refuses what is no incident log', async () => {
  assert.equal((await run(['doctor', join(directory, 'nowhere')])).code, 2);
  assert.equal((await run(['doctor'])).code, 2);
});
