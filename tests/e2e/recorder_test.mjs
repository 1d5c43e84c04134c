// The real recorder against the real exchange over TLS, under faults and deaths: every trade the exchange made is in the
// recording once or named in its ledger, whatever happened; and what it recorded comes out of a replay again.

import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { run, start, startExchange, temporaryDirectory } from './program.mjs';

const directory = temporaryDirectory();
const symbols = ['ETHUSDC', 'SOLUSDC', 'DOGEUSDC'];
let exchange;
let control;

const until = async (what, condition, ms = 30_000) => {
  const end = Date.now() + ms;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) throw new Error(`not within ${ms} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
};

function configFor(name, extra = '') {
  const file = join(directory, `${name}.yaml`);
  writeFileSync(file, `global:
  venue: local
  rest_url: ${exchange.tls.rest}
  stream_url: ${exchange.tls.streams}
  order_api_url: ${exchange.tls.orders}
  ca_file: ${exchange.ca}
  data_dir: ${directory}/${name}
  metrics_port: 0
  log_state_s: 1
recording:
  rotate_s: 10
  symbols: [${symbols.join(', ')}]
${extra}`);
  return { file, dir: join(directory, name, 'recording') };
}
async function put(...lines) {
  const answer = await fetch(`${control}/faults`, { method: 'POST', body: lines.join('\n') });
  assert.equal(answer.status, 200, await answer.text());
}
async function query(dir, sql) {
  const result = await run(['query', dir, sql, '--format', 'json']);
  assert.equal(result.code, 0, result.stderr);
  return JSON.parse(result.stdout);
}
/// The trades the exchange made, from its own history.
async function trades(symbol, from, to) {
  const all = [];
  for (let next = from; next <= to;) {
    const page = await (await fetch(`${exchange.plain.rest}/fapi/v1/aggTrades?symbol=${symbol}&fromId=${next}&limit=1000`)).json();
    if (page.length === 0) break;
    all.push(...page.filter((t) => t.a <= to));
    next = page.at(-1).a + 1;
  }
  return all;
}
/// Every trade from the first recorded on is there once or named lost, and is what the exchange says it was.
async function accounted(dir) {
  for (const symbol of symbols) {
    const rows = await query(dir, `SELECT agg_trade_id AS a, price::VARCHAR AS p, qty::VARCHAR AS q, is_buyer_maker AS m,
      source FROM trades WHERE symbol = '${symbol}' ORDER BY a`);
    const lost = await query(dir, `SELECT first_id, last_id FROM coverage WHERE symbol = '${symbol}' AND stream = 'trades'
      AND status = 'lost' AND first_id IS NOT NULL`);
    assert.ok(rows.length > 0, symbol);
    const first = Number(rows[0].a);
    const last = Number(rows.at(-1).a);
    const truth = await trades(symbol, first, last);
    assert.equal(truth.length, last - first + 1);
    const seen = new Map();
    for (const row of rows) {
      assert.ok(!seen.has(Number(row.a)), `${symbol} ${row.a} twice`);
      seen.set(Number(row.a), row);
    }
    for (const t of truth) {
      const row = seen.get(t.a);
      const named = lost.some((l) => Number(l.first_id) <= t.a && t.a <= Number(l.last_id));
      assert.ok(row || named, `${symbol} ${t.a} is neither recorded nor named lost`);
      assert.ok(!(row && named), `${symbol} ${t.a} is recorded and named lost`);
      if (!row) continue;
      assert.equal(Number(row.p), Number(t.p));
      assert.equal(Number(row.q), Number(t.q));
      assert.equal(row.m, t.m);
    }
  }
}
/// The book's changes follow each other, but where the ledger names a hole or a snapshot begins anew.
async function chained(dir) {
  const holes = await query(dir, `SELECT symbol, count(*) AS n FROM (
      SELECT symbol, prev_id, is_snapshot, lag(last_id) OVER w AS before FROM depth
      WINDOW w AS (PARTITION BY symbol ORDER BY last_id, is_snapshot DESC))
    WHERE NOT is_snapshot AND before IS NOT NULL AND prev_id > before GROUP BY symbol`);
  assert.deepEqual(holes, []);
}

before(async () => {
  exchange = await startExchange(directory, ['--control-port', '0']);
  [, control] = await exchange.said(/control +(http:\S+)/);
});
after(async () => { if (exchange) await exchange.stop(); });

test('a recording under faults accounts for every trade, replays equal, and verifies', async () => {
  const { file, dir } = configFor('faults', '  keep_journal: true\n');
  const recorder = start(['record', '-c', file, '--for', '45s']);
  await recorder.said(/symbols_live=3 symbols=3 /);
  await put('at 0s cut public oldest', 'at 2s for 3s mute market', 'at 6s for 2s drop market amount=200',
    'at 9s cut', 'at 12s for 3s drop public amount=100', 'at 16s close market oldest', 'at 18s for 3s duplicate any amount=300',
    'at 22s for 2s rest_status amount=503');
  assert.equal(await recorder.exit, 0, recorder.stderr.slice(-3000));
  await fetch(`${control}/faults`, { method: 'DELETE' });
  await accounted(dir);
  await chained(dir);
  const kinds = await query(dir, 'SELECT kind, sum(rows) AS rows FROM files GROUP BY kind');
  const with_rows = new Set(kinds.map((row) => row.kind));
  for (const kind of ['trades', 'depth', 'book', 'book20', 'ticker', 'mark_price', 'ofi', 'cvd', 'fusion', 'features', 'coverage'])
    assert.ok(with_rows.has(kind), kind);
  const replayed = await run(['replay', dir]);
  assert.equal(replayed.code, 0, replayed.stdout + replayed.stderr);
  assert.match(replayed.stdout, /^equal$/m);
  const verified = await run(['verify', dir, '--json']);
  const report = JSON.parse(verified.stdout);
  assert.ok(report, verified.stderr);
});

test('h01 a recorder killed at any moment loses nothing it had read and fetches what it missed', async () => {
  const { file, dir } = configFor('killed');
  for (let i = 0; i < 4; ++i) {
    const recorder = start(['record', '-c', file]);
    await recorder.said(/symbols_live=3 symbols=3 /);
    await new Promise((resolve) => setTimeout(resolve, 700 + 900 * i));
    recorder.child.kill('SIGKILL');
    await recorder.exit;
  }
  const last = start(['record', '-c', file]);
  await last.said(/symbols_live=3 symbols=3 /);
  await new Promise((resolve) => setTimeout(resolve, 4000));
  last.child.kill('SIGTERM');
  assert.equal(await last.exit, 0, last.stderr.slice(-3000));
  await accounted(dir);
  const lost = await query(dir, `SELECT * FROM coverage WHERE stream = 'trades' AND status = 'lost' AND first_id IS NOT NULL`);
  assert.deepEqual(lost, []);
});

test('h36 a second recorder of the same directory is refused', async () => {
  const { file } = configFor('twice');
  const recorder = start(['record', '-c', file]);
  await recorder.said(/recording to=/);
  const second = await run(['record', '-c', file]);
  assert.equal(second.code, 2);
  assert.match(second.stderr, /^phoenix: .*(in use|held|another process).*$/m);
  recorder.child.kill('SIGINT');
  assert.equal(await recorder.exit, 0);
});

test('h02 a recorder told to stop leaves everything in files', async () => {
  const { file, dir } = configFor('stopped');
  const recorder = start(['record', '-c', file]);
  await recorder.said(/symbols_live=3 symbols=3 /);
  recorder.child.kill('SIGTERM');
  assert.equal(await recorder.exit, 0);
  const left = readdirSync(join(dir, 'journal')).filter((name) => name.endsWith('.seg') || name.endsWith('.open'));
  assert.deepEqual(left, []);
  await accounted(dir);
});

test('a bad start is one line and exit code 2, and changes nothing', async () => {
  const { file } = configFor('bad');
  const blocked = join(directory, 'blocked');
  writeFileSync(blocked, 'a file');
  let result = await run(['record', '-c', file], { env: { OUTPUT_DIR: join(blocked, 'x') } });
  assert.equal(result.code, 2);
  assert.equal(result.stderr.trim().split('\n').filter((line) => line.startsWith('phoenix:')).length, 1, result.stderr);
  result = await run(['query', join(directory, 'nowhere'), 'SELECT 1']);
  assert.equal(result.code, 2);
  assert.match(result.stderr, /^phoenix: \S.*$/m);
  result = await run(['verify', join(directory, 'nowhere')]);
  assert.equal(result.code, 2);
  const foreign = join(directory, 'foreign');
  mkdirSync(foreign);
  writeFileSync(join(foreign, 'letter.txt'), 'dear');
  result = await run(['query', foreign, 'SELECT 1']);
  assert.equal(result.code, 2);
  assert.deepEqual(readdirSync(foreign), ['letter.txt']);
});

test('queries read, tell what is wrong with them, and never write', async () => {
  const dir = join(directory, 'faults', 'recording');
  const csv = await run(['query', dir, 'SELECT symbol, count(*) AS n FROM trades GROUP BY symbol ORDER BY symbol', '--format', 'csv']);
  assert.equal(csv.code, 0, csv.stderr);
  assert.match(csv.stdout, /^symbol,n\nDOGEUSDC,\d+\nETHUSDC,\d+\nSOLUSDC,\d+\n$/);
  const wrong = await run(['query', dir, 'SELECT nothing FROM trades']);
  assert.equal(wrong.code, 2);
  assert.equal(wrong.stderr.trim().split('\n').length, 1, wrong.stderr);
  const target = join(directory, 'written.csv');
  const writing = await run(['query', dir, `COPY (SELECT 1) TO '${target}'`]);
  assert.equal(writing.code, 2);
  assert.ok(!existsSync(target));
});
