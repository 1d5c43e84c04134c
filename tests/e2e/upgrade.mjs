// What an upgrade is tested with: recordings packed and unpacked, and their figures as this program reads them.

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, existsSync, openSync, readFileSync, readdirSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';

import { run } from './program.mjs';

/// Holes stay holes: a ring is mostly one.
export function pack(parent, name, file) {
  execFileSync('tar', ['-C', parent, '-S', '-I', 'gzip -9', '--exclude=reserve', '--exclude=lock', '-cf', file, name]);
}
export function unpack(file, directory) {
  execFileSync('tar', ['-C', directory, '-xzf', file]);
}

/// Rings count only on the machine's present run: this one is told to be it.
export function setBootId(recording) {
  const id = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').slice(0, 36);
  for (const name of ['raw.ring', 'engine.ring']) {
    const path = join(recording, 'journal', name);
    if (!existsSync(path)) continue;
    const fd = openSync(path, 'r+');
    writeSync(fd, id, 24, 'latin1');
    closeSync(fd);
  }
}

async function json(args) {
  const result = await run(args);
  if (result.code > 1) throw new Error(`phoenix ${args.join(' ')}: ${result.stderr}`);
  return JSON.parse(result.stdout);
}

/// What each check of `verify --json` came to; null where it was not judged.
export function verdictsOf(report) {
  return Object.fromEntries(Object.entries(report.dod_report.dod_results).map(([name, { passed }]) => [name, passed]));
}

/// Finishes a recording where its recorder was killed, and says what is in it: every kind's rows and a sum over their ids,
/// the ledger, the verdicts, and whether its journal gives the same rows again.
export async function figuresOf(recording) {
  const report = await json(['verify', recording, '--json']);
  const query = (sql) => json(['query', recording, sql, '--format', 'json']);
  const replay = await json(['replay', '--json', recording]);
  return {
    passed: verdictsOf(report),
    kinds: await query('SELECT kind, sum(rows)::BIGINT AS rows FROM files GROUP BY kind ORDER BY kind'),
    trades: await query('SELECT symbol, count(*) AS n, min(agg_trade_id) AS first, max(agg_trade_id) AS last, '
      + 'sum(price)::VARCHAR AS prices, sum(qty)::VARCHAR AS qty FROM trades GROUP BY symbol ORDER BY symbol'),
    depth: await query('SELECT symbol, count(*) AS n, min(last_id) AS first, max(last_id) AS last, '
      + 'sum(len(bids) + len(asks))::BIGINT AS levels FROM depth GROUP BY symbol ORDER BY symbol'),
    ledger: await query('SELECT stream, status, sum(count)::BIGINT AS ids FROM ledger GROUP BY ALL ORDER BY ALL'),
    replay: { equal: replay.equal, rows: replay.rows_replayed },
  };
}

/// Every file below a directory with a hash of its bytes.
export function tree(directory) {
  const files = {};
  const walk = (place, prefix) => {
    for (const name of readdirSync(place).sort()) {
      const path = join(place, name);
      if (statSync(path).isDirectory()) walk(path, `${prefix}${name}/`);
      else files[`${prefix}${name}`] = createHash('sha256').update(readFileSync(path)).digest('hex');
    }
  };
  walk(directory, '');
  return files;
}
