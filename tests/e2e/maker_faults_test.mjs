// The real maker against the real exchange over TLS, two lines, under faults put on through the control endpoint: what one line loses
// stops nothing, what both lose withdraws, and everything comes back by itself.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { configFor, run, start, startExchange, temporaryDirectory, until as soon } from './program.mjs';

const directory = temporaryDirectory();
let exchange;
let maker;
let control;
let metricsUrl;
let config;
const runtime = temporaryDirectory();

/// What the maker said stands beside what did not happen.
const until = (...what) => soon(...what).catch((fault) => { throw new Error(`${fault.message}\n${maker.stderr.slice(-3000)}`); });
async function state() { return (await fetch(`${control}/state`)).json(); }
async function orders() {
  const s = await state();
  return s.open_orders.reduce((sum, row) => sum + row.count, 0);
}
async function put(...lines) {
  const answer = await fetch(`${control}/faults`, { method: 'POST', body: lines.join('\n') });
  assert.equal(answer.status, 200, await answer.text());
}
async function lift() { await fetch(`${control}/faults`, { method: 'DELETE' }); }
async function metric(name) {
  const text = await (await fetch(metricsUrl)).text();
  const match = new RegExp(`^${name.replace(/[{}"]/g, '\\$&')} (\\S+)$`, 'm').exec(text);
  return match ? Number(match[1]) : 0;
}
const withdrawals = () => metric('phoenix_withdrawal_total{symbol="ETHUSDC"}');
const reconnects = async () => {
  const text = await (await fetch(metricsUrl)).text();
  return [...text.matchAll(/^phoenix_reconnect_total\{.*\} (\d+)$/gm)].reduce((sum, m) => sum + Number(m[1]), 0);
};
/// A position takes a layer or two off the side that adds to it.
const full = () => until('the ladder rests', async () => (await orders()) >= 11, 40);
/// Both lines of every stream are there, so that the next fault meets a whole system.
const whole = () => until('both lines of every stream are up', async () => {
  const text = await (await fetch(metricsUrl)).text();
  const up = (name) => new RegExp(`phoenix_ws_connected\\{stream="${name}_[abc]"\\} 1`, 'g');
  return ['public', 'market', 'user'].every((name) => (text.match(up(name)) ?? []).length >= 2);
}, 60);

before(async () => {
  exchange = await startExchange(directory, ['--control-port', '0']);
  [, control] = await exchange.said(/control +(http:\S+)/);
  config = join(directory, 'maker.yaml');
  const port = 20_000 + (process.pid % 20_000);
  metricsUrl = `http://127.0.0.1:${port}/metrics`;
  writeFileSync(config, configFor(exchange, directory).replace('metrics_port: 0', `metrics_port: ${port}`));
  const env = { BINANCE_API_KEY: exchange.key, BINANCE_API_SECRET: exchange.secret, XDG_RUNTIME_DIR: runtime };
  maker = start(['run', '-c', config], { env });
  await maker.said(/live symbol=ETHUSDC/);
  await full();
  await whole();
});

after(async () => {
  await lift().catch(() => {});
  if (maker) maker.child.kill('SIGINT');
  const code = maker ? await maker.exit : 0;
  if (exchange) await exchange.stop();
  assert.equal(code, 0, maker?.stderr.slice(-2000));
});

for (const kind of ['cut', 'cut_mid_frame', 'close', 'age_cut', 'server_shutdown', 'half_open', 'mute']) {
  for (const route of ['public', 'market', 'private']) {
    test(`${kind} of one ${route} line stops no quote`, async () => {
      const before_withdrawals = await withdrawals();
      const before_reconnects = await reconnects();
      const length = kind === 'half_open' || kind === 'mute' ? ' for 60s' : '';
      await put(`at 0s${length} ${kind} ${route} oldest`);
      // A user stream is found out by the next order or trade that one line tells and the other does not.
      await until('the line is replaced', async () => (await reconnects()) > before_reconnects || kind === 'server_shutdown', 60);
      await lift();
      await whole();
      assert.equal(await withdrawals(), before_withdrawals);
      assert.ok((await orders()) > 0);
    });
  }
}

test('disconnects in a row leave descriptors and threads as they were', async () => {
  const used = () => ({
    descriptors: readdirSync(`/proc/${maker.child.pid}/fd`).length,
    threads: Number(/^Threads:\s+(\d+)/m.exec(readFileSync(`/proc/${maker.child.pid}/status`, 'utf8'))[1]),
  });
  await whole();
  const first = used();
  for (let i = 0; i < 9; ++i) {
    const before_reconnects = await reconnects();
    await put(`at 0s cut ${['public', 'market', 'private'][i % 3]} oldest`);
    await until('the line is lost', async () => (await reconnects()) > before_reconnects);
    const open = (await state()).peers;
    for (const route of ['public', 'market', 'private']) assert.ok((open[route] ?? []).length <= 3, route);
    await whole();  // openings share a budget: after a burst one every 2.5 s
  }
  await until('descriptors are given back', () => used().descriptors <= first.descriptors + 4);
  assert.equal(used().threads, first.threads);
});

test('a stream muted on both lines withdraws that symbol and comes back when it flows', async () => {
  await full();
  const begin = Date.now();
  await put('at 0s for 60s mute_stream public stream=ethusdc@depth@100ms');
  await until('no order rests', async () => (await orders()) === 0, 5);
  assert.ok(Date.now() - begin < 5_000);
  await lift();
  await full();
});

test('a cut of both public lines withdraws at once and comes back', async () => {
  const before_withdrawals = await withdrawals();
  await put('at 0s cut public oldest', 'at 0s cut public newest');
  await until('withdrawn', async () => (await withdrawals()) > before_withdrawals, 5);
  await full();
  await whole();
});

test('a cut of both user lines withdraws, reconciles and comes back', async () => {
  const before_withdrawals = await withdrawals();
  await put('at 0s cut private oldest', 'at 0s cut private newest');
  await until('withdrawn', async () => (await withdrawals()) > before_withdrawals, 5);
  await full();
  await whole();
});

test('an order connection that swallows requests is given up, and quoting goes on', async () => {
  await put('at 0s for 5s order_silent order_api amount=1000');
  await until('it is given up', async () => /connection=order_api why="an order request was not answered"/.test(maker.stdout + maker.stderr), 15);
  await lift();
  await full();
});

test('with data muted while the process is well, the venue\'s own countdown is not fed', async () => {
  await full();
  await put('at 0s for 120s mute public', 'at 0s for 120s order_silent order_api amount=1000', 'at 0s for 120s rest_silent amount=1000');
  await until('the venue cancels everything by itself', async () => (await orders()) === 0, 40);
  await lift();
  await full();
});

test('doctor explains what happened', async () => {
  const doctor = await run(['doctor', '-c', config]);
  assert.ok([0, 1].includes(doctor.code), doctor.stdout + doctor.stderr);
  assert.match(doctor.stdout, /ETHUSDC/);
  assert.match(doctor.stdout, /stalled/);
});
