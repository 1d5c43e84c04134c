// An upgrade from outside: what earlier versions wrote is read with equal figures, what a later one wrote is refused and not
// touched, a recorder hands over to another without a hole, and a maker comes back where it was.

import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { configFor, run, start, startExchange, temporaryDirectory } from './program.mjs';
import { figuresOf, setBootId, tree, unpack, verdictsOf } from './upgrade.mjs';

const directory = temporaryDirectory();
const fixtures = 'tests/data/upgrade';
const versions = readdirSync(fixtures).filter((name) => existsSync(join(fixtures, name, 'expected.json')));
const symbols = ['ETHUSDC', 'SOLUSDC'];
let exchange;

function recorderConfig(name, extra = '') {
  const file = join(directory, `${name}.yaml`);
  writeFileSync(file, `global:
  venue: local
  rest_url: ${exchange.tls.rest}
  stream_url: ${exchange.tls.streams}
  order_api_url: ${exchange.tls.orders}
  ca_file: ${exchange.ca}
  data_dir: ${directory}/${name}
  metrics_port: 0
recording:
  dir: ${directory}/${name}
  rotate_s: 10
  symbols: [${symbols.join(', ')}]
${extra}`);
  return { file, dir: join(directory, name) };
}
async function query(dir, sql) {
  const result = await run(['query', dir, sql, '--format', 'json']);
  assert.equal(result.code, 0, result.stderr);
  return JSON.parse(result.stdout);
}
/// A fixture's recording in a place of its own.
function unpacked(version, name) {
  const place = join(directory, `${version}-${name}-${Math.random().toString(36).slice(2)}`);
  mkdirSync(place);
  unpack(join(fixtures, version, `${name}.tar.gz`), place);
  const dir = join(place, name);
  setBootId(dir);
  return dir;
}
/// Exit code 2, one line that matches, and the bytes as they were.
async function refused(dir, args, pattern, options) {
  const was = tree(dir);
  const result = await run(args, options);
  assert.equal(result.code, 2, `${args.join(' ')}\n${result.stdout}${result.stderr}`);
  const lines = result.stderr.split('\n').filter((line) => line.startsWith('phoenix: '));
  assert.equal(lines.length, 1, result.stderr);
  assert.match(lines[0], pattern);
  const now = tree(dir);
  delete now['journal/lock'];
  delete was['journal/lock'];
  assert.deepEqual(now, was, `${args.join(' ')} changed something`);
}
/// Replaces bytes of a file at an offset.
function overwrite(file, offset, bytes) {
  const content = readFileSync(file);
  Buffer.from(bytes, 'latin1').copy(content, offset);
  writeFileSync(file, content);
}

before(async () => { exchange = await startExchange(join(directory, 'exchange')); });
after(async () => { if (exchange) await exchange.stop(); });

const page = readFileSync('docs/upgrading.md', 'utf8');
const shown = [...page.matchAll(/^ {4,}((?:phoenix|scripts\/)\S* ?.*)$/gm)].map((match) => match[1]);
const ran = new Set();
/// A command of the page as it stands there, with the reader's own names filled in.
function show(command, names) {
  assert.ok(shown.includes(command), `docs/upgrading.md does not show: ${command}`);
  ran.add(command);
  const words = command.match(/"[^"]*"|\S+/g).slice(1).map((word) => names[word] ?? word.replaceAll('"', ''));
  return start(words, { env: names.env ?? {} });
}
async function ends(running) {
  return { code: await running.exit, stdout: running.stdout, stderr: running.stderr };
}

test('there is something an earlier version wrote', () => assert.ok(versions.length > 0));

for (const version of versions) {
  const expected = JSON.parse(readFileSync(join(fixtures, version, 'expected.json'), 'utf8'));

  test(`a recording of ${version} has the figures it had, and its journal gives the same rows`, async () => {
    assert.deepEqual(await figuresOf(unpacked(version, 'recording')), expected.recording);
  });

  test(`what a killed recorder of ${version} left in segments and rings is finished`, async () => {
    const dir = unpacked(version, 'interrupted');
    assert.ok(readdirSync(join(dir, 'journal')).some((name) => name.endsWith('.open')));
    assert.deepEqual(await figuresOf(dir), expected.interrupted);
  });

  test(`a recording of ${version} is gone on with`, async () => {
    const { file, dir } = recorderConfig(`continued-${version}`);
    cpSync(unpacked(version, 'interrupted'), dir, { recursive: true });
    // Another symbol: this exchange counts its own trades from the beginning.
    writeFileSync(file, readFileSync(file, 'utf8').replace(/symbols: .*/, 'symbols: [SOLUSDC]'));
    const recorder = start(['record', '-c', file, '--for', '3s']);
    assert.equal(await recorder.exit, 0, recorder.stderr);
    assert.deepEqual((await query(dir, "SELECT symbol, count(*) AS n, min(agg_trade_id) AS first, max(agg_trade_id) AS last, "
      + "sum(price)::VARCHAR AS prices, sum(qty)::VARCHAR AS qty FROM trades WHERE symbol = 'ETHUSDC' GROUP BY symbol")), expected.interrupted.trades);
    const [row] = await query(dir, "SELECT count(*) AS n FROM depth WHERE symbol = 'SOLUSDC'");
    assert.ok(Number(row.n) > 0);
  });

  test(`the input log of ${version} is read to its end and gives the same quotes`, async () => {
    const log = join(directory, `${version}.phxlog`);
    writeFileSync(log, gunzipSync(readFileSync(join(fixtures, version, 'session.phxlog.gz'))));
    const replay = await run(['replay', '--json', log]);
    const report = JSON.parse(replay.stdout);
    assert.equal(report.inputs, expected.input_log.inputs);
    // A version that means to quote otherwise says so here: `equal` becomes false in that expected.json.
    assert.equal(report.equal, expected.input_log.equal, replay.stdout);
  });

  test(`configurations of ${version} are read`, async () => {
    for (const [name, flags] of [['maker.yaml', []], ['record.yaml', ['--record']]]) {
      // The file of certificates was that day's.
      const file = join(directory, `${version}-${name}`);
      writeFileSync(file, readFileSync(join(fixtures, version, name), 'utf8').replace(/ca_file: .*/, `ca_file: ${exchange.ca}`));
      const result = await ends(show(['phoenix config check FILE', ...flags].join(' '), { FILE: file }));
      assert.equal(result.code, 0, result.stderr);
    }
  });

  test(`incidents and the kill latch of ${version} are heeded`, async () => {
    const data = join(directory, `maker-of-${version}`);
    cpSync(join(fixtures, version, 'maker'), data, { recursive: true });
    const config = join(directory, `maker-of-${version}.yaml`);
    writeFileSync(config, configFor(exchange, directory).replace(/data_dir: .*/, `data_dir: ${data}`));
    const env = { BINANCE_API_KEY: exchange.key, BINANCE_API_SECRET: exchange.secret, XDG_RUNTIME_DIR: directory };
    const latched = await run(['run', '-c', config], { env });
    assert.equal(latched.code, 2, latched.stderr);
    assert.match(latched.stderr, /kill latch/);
    const doctor = await run(['doctor', '-c', config, '--last', '24h']);
    assert.ok(doctor.code <= 1, doctor.stderr);
    assert.doesNotMatch(doctor.stdout, /cannot be read|unreadable/);
  });
}

test('whatever a later version wrote is refused in one line, and nothing is touched', async () => {
  const version = versions.at(-1);
  const { file, dir } = recorderConfig('newer');
  const cases = [
    ['a segment', (d) => overwrite(join(d, 'journal', readdirSync(join(d, 'journal')).find((n) => n.endsWith('.open'))), 0, 'PHXJRN09'),
      /another format|newer|another version/],
    ['a ring', (d) => overwrite(join(d, 'journal/raw.ring'), 0, 'PHXRING9'), /another version/],
    ['a sidecar', (d) => {
      const [name] = Object.keys(tree(d)).filter((n) => n.endsWith('.parquet.json'));
      const path = join(d, name);
      writeFileSync(path, readFileSync(path, 'utf8').replace(/"format": \d+/, '"format": 99'));
    }, /has format 99, this program reads up to/],
    ['a schema', (d) => {
      const [name] = Object.keys(tree(d)).filter((n) => n.endsWith('.parquet.json'));
      const path = join(d, name);
      writeFileSync(path, readFileSync(path, 'utf8').replace(/"schema_version": \d+/, '"schema_version": 99'));
    }, /99, this program reads up to/],
  ];
  for (const [what, spoil, pattern] of cases) {
    const from = unpacked(version, /schema|sidecar/.test(what) ? 'recording' : 'interrupted');
    spoil(from);
    const at = join(directory, `newer-${what.replace(/\W/g, '')}`);
    cpSync(from, at, { recursive: true });
    writeFileSync(file, readFileSync(file, 'utf8').replace(/ dir: .*/, ` dir: ${at}`));
    await refused(at, ['record', '-c', file], pattern);
    await refused(at, ['verify', at], pattern);
    if (/schema|sidecar/.test(what)) await refused(at, ['query', at, 'SELECT 1'], pattern);
  }
  assert.ok(!existsSync(dir));

  const place = join(directory, 'newer-log');
  mkdirSync(place);
  const log = join(place, 'session.phxlog');
  writeFileSync(log, gunzipSync(readFileSync(join(fixtures, version, 'session.phxlog.gz'))));
  overwrite(log, 0, 'PHXLOG09');
  await refused(place, ['replay', log], /session\.phxlog: is an input log of another version/);

  const unknown = join(directory, 'newer-config.yaml');
  writeFileSync(unknown, `${configFor(exchange, directory)}\nnext_years_section:\n  key: 1\n`);
  const checked = await run(['config', 'check', unknown]);
  assert.equal(checked.code, 2);
  assert.match(checked.stderr, /next_years_section: is not a known key/);
});

test('a recorder takes over from another three times, and nothing is missing or twice', async () => {
  const { file, dir } = recorderConfig('handed');
  let recorder = start(['record', '-c', file]);
  await recorder.said(/2\/2 symbols live|symbols_live=2 symbols=2 /);
  for (let i = 0; i < 3; ++i) {
    const successor = show('phoenix record -c FILE --take-over', { FILE: file });
    assert.equal(await recorder.exit, 0, recorder.stderr.slice(-3000));
    assert.match(recorder.stderr + recorder.stdout, /a successor listens and waits: leaving/);
    await successor.said(/joined to the last run/);
    recorder = successor;
  }
  recorder.child.kill('SIGTERM');
  assert.equal(await recorder.exit, 0, recorder.stderr.slice(-3000));

  for (const symbol of symbols) {
    // The exchange numbers trades without holes.
    const [trades] = await query(dir, `SELECT count(*) AS n, count(DISTINCT agg_trade_id) AS ids, max(agg_trade_id) - min(agg_trade_id) + 1 AS span
      FROM trades WHERE symbol = '${symbol}'`);
    assert.ok(Number(trades.n) > 0);
    assert.equal(trades.n, trades.ids, `${symbol}: a trade is there twice`);
    assert.equal(trades.n, trades.span, `${symbol}: a trade is missing`);
    // Without the snapshots that later runs began with: each change begins where others end, however they are cut.
    const [depth] = await query(dir, `SELECT count(*) AS n, count(*) FILTER (prev_id > before) AS breaks, count(*) - count(DISTINCT last_id) AS twice,
      count(*) FILTER (line = 'overlap') AS heard FROM (
        SELECT *, max(last_id) OVER (ORDER BY prev_id, last_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
        FROM depth WHERE symbol = '${symbol}' AND NOT is_snapshot)`);
    assert.ok(Number(depth.n) > 0);
    assert.equal(Number(depth.breaks), 0, `${symbol}: the chain of the depth breaks`);
    assert.equal(Number(depth.twice), 0, `${symbol}: a change is there twice`);
    assert.ok(Number(depth.heard) > 0, `${symbol}: nothing was heard between two runs`);
  }
  // The ledger names no id of trades or depth as lost, and what was heard beside as repaired.
  assert.deepEqual(await query(dir, "SELECT * FROM ledger WHERE status = 'lost' AND first_id IS NOT NULL"), []);
  const repaired = await query(dir, "SELECT DISTINCT stream FROM ledger WHERE status = 'repaired' AND source = 'overlap'");
  assert.deepEqual(repaired.map((row) => row.stream), ['depth']);
  const looked = await ends(show('phoenix verify DIR --read-only', { DIR: dir }));
  assert.ok(looked.code <= 1, looked.stderr);
  const older = unpacked(versions.at(-1), 'interrupted');
  assert.ok((await run(['verify', older])).code <= 1);
  const both = await ends(show('phoenix query DIR "SELECT count(*) FROM trades" --also DIR2', { DIR: dir, DIR2: older }));
  assert.equal(both.code, 0, both.stderr);
  const verified = await run(['verify', dir, '--json']);
  const report = JSON.parse(verified.stdout);
  const passed = verdictsOf(report);
  for (const name of ['files', 'schema', 'journal', 'ledger', 'trade_ids', 'depth_chain', 'deduplication'])
    assert.equal(passed[name], true, `${name}: ${report.dod_report.dod_criteria[name]}`);
});

test('a take-over is a plain start where nobody records, and asks nobody to leave when the streams do not come', async () => {
  const { file, dir } = recorderConfig('alone');
  const first = start(['record', '-c', file, '--take-over']);
  await first.said(/nobody records here/);
  await first.said(/2\/2 symbols live|symbols_live=2 symbols=2 /);
  const deaf = join(directory, 'deaf.yaml');
  writeFileSync(deaf, readFileSync(file, 'utf8').replace(/stream_url: .*/, 'stream_url: wss://127.0.0.1:1'));
  const second = await run(['record', '-c', deaf, '--take-over']);
  assert.equal(second.code, 2, second.stderr);
  assert.match(second.stderr, /^phoenix: cannot take over: .*the recorder was not asked to leave$/m);
  const [before] = await query(dir, 'SELECT count(*) AS n FROM files');
  assert.ok(before);
  first.child.kill('SIGTERM');
  assert.equal(await first.exit, 0);
  assert.doesNotMatch(first.stderr + first.stdout, /leaving/);
});

test('a journal that is kept replays over a hand-over', async () => {
  const { file, dir } = recorderConfig('kept', '  keep_journal: true\n');
  const first = start(['record', '-c', file]);
  await first.said(/2\/2 symbols live|symbols_live=2 symbols=2 /);
  const second = start(['record', '-c', file, '--take-over']);
  assert.equal(await first.exit, 0);
  await second.said(/joined to the last run/);
  second.child.kill('SIGTERM');
  assert.equal(await second.exit, 0);
  const replayed = await run(['replay', dir]);
  assert.equal(replayed.code, 0, replayed.stdout + replayed.stderr);
  assert.match(replayed.stdout, /^equal$/m);
});

test('o9 a maker that is replaced while it quotes leaves nothing behind and quotes again', async (t) => {
  const config = join(directory, 'maker.yaml');
  writeFileSync(config, configFor(exchange, directory));
  const env = { BINANCE_API_KEY: exchange.key, BINANCE_API_SECRET: exchange.secret, XDG_RUNTIME_DIR: directory };
  const old = start(['run', '-c', config], { env });
  await old.said(/live symbol=ETHUSDC/);
  const asked = Date.now();
  old.child.kill('SIGTERM');
  assert.equal(await old.exit, 0, old.stderr.slice(-2000));
  const left = Date.now();
  // Exit code 0 says that the venue lists none of our orders.
  const next = show('phoenix run -c FILE', { FILE: config, env });
  await next.said(/live symbol=ETHUSDC/);
  t.diagnostic(`withdrawn and gone ${left - asked} ms after it was asked, the next one live ${Date.now() - left} ms after its start`);
  next.child.kill('SIGTERM');
  assert.equal(await next.exit, 0, next.stderr.slice(-2000));
});

test('every command of the page was run', () => {
  assert.deepEqual(shown.filter((command) => !ran.has(command) && command !== 'scripts/upgrade_fixtures.sh'), []);
});
