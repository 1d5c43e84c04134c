// A recording is read by programs that know nothing of Phoenix or DuckDB: polars (its Rust engine, as docs/recording.md
// shows it) and hyparquet (a reader of its own in JavaScript). Both must see what `phoenix query` sees.

import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';

import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import pl from 'nodejs-polars';

import { run, startExchange, temporaryDirectory } from './program.mjs';

const directory = temporaryDirectory();
const symbols = ['ETHUSDC', 'SOLUSDC'];
const kinds = { raw: ['trades', 'depth', 'book', 'book20', 'ticker', 'mark_price'], preview: ['ofi', 'cvd', 'fusion', 'features'],
  ledger: ['coverage'] };
const layer_of = (kind) => Object.keys(kinds).find((layer) => kinds[layer].includes(kind));
const all_kinds = Object.values(kinds).flat();
const recording = join(directory, 'phoenix', 'recording');

async function query(sql) {
  const result = await run(['query', recording, sql, '--format', 'json']);
  assert.equal(result.code, 0, result.stderr);
  return JSON.parse(result.stdout);
}
/// The path pattern the documentation gives for polars and DuckDB.
const files_of = (kind) => join(recording, layer_of(kind), '*/*/*', `kind=${kind}`, '*.parquet');
const scan = (kind) => pl.scanParquet(files_of(kind), { hivePartitioning: true });
/// Every file of a kind, with the partitions its path names.
function paths(kind) {
  const root = join(recording, layer_of(kind));
  return readdirSync(root, { recursive: true }).map(String)
    .filter((path) => path.includes(`kind=${kind}/`) && path.endsWith('.parquet'))
    .map((path) => ({ path: join(root, path), symbol: /symbol=([^/]+)/.exec(path)[1] }));
}

before(async () => {
  const exchange = await startExchange(join(directory, 'exchange'));
  mkdirSync(join(directory, 'phoenix'));
  const file = join(directory, 'record.yaml');
  writeFileSync(file, `global:
  venue: local
  rest_url: ${exchange.tls.rest}
  stream_url: ${exchange.tls.streams}
  order_api_url: ${exchange.tls.orders}
  ca_file: ${exchange.ca}
  data_dir: ${directory}/phoenix
  metrics_port: 0
recording:
  rotate_s: 10
  symbols: [${symbols.join(', ')}]
`);
  const recorded = await run(['record', '-c', file, '--for', '15s']);
  await exchange.stop();
  assert.equal(recorded.code, 0, recorded.stderr.slice(-3000));
});

test('the documentation shows the paths these readers are given', () => {
  const text = readFileSync('docs/recording.md', 'utf8');
  assert.ok(text.includes('pl.scan_parquet("DIR/raw/*/*/*/kind=trades/*.parquet", hive_partitioning=True)'));
});

test('polars counts the rows of every kind and symbol as phoenix query does', async () => {
  for (const kind of all_kinds) {
    const ours = await query(`SELECT symbol, count(*) AS n FROM ${kind} GROUP BY symbol ORDER BY symbol`);
    assert.deepEqual(ours.map((row) => row.symbol), symbols, kind);
    for (const { symbol, n } of ours) {
      const theirs = await scan(kind).filter(pl.col('symbol').eq(pl.lit(symbol))).collect();
      assert.equal(theirs.height, Number(n), `${kind} ${symbol}`);
    }
  }
});

test('polars sees the stated types, and sums decimals, ids and times to the same digits', async () => {
  const trades = await scan('trades').collect();
  const types = Object.fromEntries(trades.columns.map((name, i) => [name, trades.dtypes[i].toString()]));
  assert.match(types.event_time, /Datetime\(ns/);
  assert.match(types.price, /Decimal\(18,8\)/);
  assert.match(types.agg_trade_id, /Int64/);
  assert.match(types.is_buyer_maker, /Bool/);
  const [ours] = await query(`SELECT sum(agg_trade_id)::VARCHAR AS ids, sum(price)::VARCHAR AS price, sum(qty)::VARCHAR AS qty,
    min(epoch_ns(event_time))::VARCHAR AS first, max(epoch_ns(recv_time))::VARCHAR AS last FROM trades`);
  const text = (column) => column.cast(pl.Utf8);
  const [theirs] = trades.select(
    text(pl.col('agg_trade_id').sum()).alias('ids'),
    text(pl.col('price').sum()).alias('price'),
    text(pl.col('qty').sum()).alias('qty'),
    text(pl.col('event_time').cast(pl.Int64).min()).alias('first'),
    text(pl.col('recv_time').cast(pl.Int64).max()).alias('last'),
  ).toRecords();
  assert.deepEqual(theirs, ours);
});

test('polars takes the levels of the book as lists of a price and a quantity', async () => {
  const [ours] = await query(`SELECT sum(len(bids))::VARCHAR AS levels,
    (SELECT sum(x.price)::VARCHAR FROM (SELECT unnest(bids) AS x FROM depth)) AS price FROM depth`);
  const depth = await scan('depth').select('bids').collect();
  const levels = depth.explode('bids').filter(pl.col('bids').isNotNull());
  assert.equal(levels.height, Number(ours.levels));
  const [theirs] = levels.select(pl.col('bids').struct.field('price').sum().cast(pl.Utf8).alias('price')).toRecords();
  assert.equal(theirs.price, ours.price);
});

test('hyparquet reads every file: as many rows as the sidecars say, and the same ids', async () => {
  for (const kind of all_kinds) {
    const files = paths(kind);
    assert.ok(files.length >= symbols.length, kind);
    let rows = 0;
    for (const { path } of files) {
      const file = await asyncBufferFromFile(path);
      const sidecar = JSON.parse(readFileSync(`${path}.json`, 'utf8'));
      const { length } = await parquetReadObjects({ file, compressors });
      assert.equal(length, sidecar.rows, path);
      assert.equal(Number((await parquetMetadataAsync(file)).num_rows), sidecar.rows, path);
      rows += length;
    }
    const [ours] = await query(`SELECT count(*) AS n FROM ${kind}`);
    assert.equal(rows, Number(ours.n), kind);
  }
  for (const symbol of symbols) {
    let ids = 0n;
    let qty = 0n;
    for (const { path } of paths('trades').filter((p) => p.symbol === symbol)) {
      for (const row of await parquetReadObjects({ file: await asyncBufferFromFile(path), compressors })) {
        ids += row.agg_trade_id;
        // It gives a DECIMAL as a double, which holds these quantities to the digit.
        qty += BigInt(Math.round(row.qty * 1e8));
      }
    }
    const [ours] = await query(`SELECT sum(agg_trade_id)::VARCHAR AS ids, (sum(qty) * 100000000)::HUGEINT::VARCHAR AS qty
      FROM trades WHERE symbol = '${symbol}'`);
    assert.deepEqual({ ids: String(ids), qty: String(qty) }, ours, symbol);
  }
});
