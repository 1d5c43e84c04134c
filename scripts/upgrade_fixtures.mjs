// Makes the files of scripts/upgrade_fixtures.sh: upgrade_fixtures.mjs DIRECTORY VERSION

import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { configFor, run, start, startExchange, temporaryDirectory } from '../tests/e2e/program.mjs';
import { figuresOf, pack, setBootId } from '../tests/e2e/upgrade.mjs';

const [directory, version] = process.argv.slice(2);
const children = [];
process.on('exit', () => { for (const { child } of children) child.kill('SIGKILL'); });
const scratch = temporaryDirectory();
const exchange = await startExchange(join(scratch, 'exchange'));
children.push(exchange);
const env = { BINANCE_API_KEY: exchange.key, BINANCE_API_SECRET: exchange.secret, XDG_RUNTIME_DIR: scratch };

async function must(running, code = 0) {
  const was = await running.exit;
  if (was !== code) throw new Error(`ended with ${was}:\n${running.stdout}${running.stderr}`);
}

// A session of the maker, until it was filled: its state, its input log, its incidents, its kill latch.
const maker = join(scratch, 'maker.yaml');
writeFileSync(maker, configFor(exchange, scratch));
const session = start(['run', '-c', maker], { env });
children.push(session);
await session.said(/fill symbol=ETHUSDC/);
await sleep(2000);
session.child.kill('SIGINT');
await must(session);
await must(start(['emergency', 'cancel-all', '-c', maker, '--yes'], { env }));

// A recording, whole and with its journal; and one whose recorder was killed, with what its rings held.
const recorder = (name) => {
  const file = join(scratch, `${name}.yaml`);
  writeFileSync(file, `global:
  venue: local
  rest_url: ${exchange.tls.rest}
  stream_url: ${exchange.tls.streams}
  order_api_url: ${exchange.tls.orders}
  ca_file: ${exchange.ca}
  data_dir: ${scratch}/${name}
  metrics_port: 0
recording:
  dir: ${scratch}/${name}
  rotate_s: 10
  keep_journal: true
  symbols: [ETHUSDC]
`);
  const running = start(['record', '-c', file]);
  children.push(running);
  return running;
};
const whole = recorder('recording');
await whole.said(/1\/1 symbols live|symbols_live=1 symbols=1 /);
await sleep(4000);
whole.child.kill('SIGTERM');
await must(whole);
const killed = recorder('interrupted');
await killed.said(/1\/1 symbols live|symbols_live=1 symbols=1 /);
await sleep(1500);
killed.child.kill('SIGKILL');
await killed.exit;
await exchange.stop();

mkdirSync(join(directory, 'maker'), { recursive: true });
const data = join(scratch, 'maker');
for (const name of readdirSync(data)) {
  if (name === 'state.db' || name === 'kill-latch' || name.endsWith('.jsonl') || name === 'epoch')
    copyFileSync(join(data, name), join(directory, 'maker', name));
  if (name.endsWith('.phxlog')) {
    copyFileSync(join(data, name), join(directory, 'session.phxlog'));
    execFileSync('gzip', ['-9', join(directory, 'session.phxlog')]);
  }
}
copyFileSync(maker, join(directory, 'maker.yaml'));
copyFileSync(join(scratch, 'recording.yaml'), join(directory, 'record.yaml'));
pack(scratch, 'recording', join(directory, 'recording.tar.gz'));
pack(scratch, 'interrupted', join(directory, 'interrupted.tar.gz'));

// What this program itself reads there.
setBootId(join(scratch, 'interrupted'));
const expected = {
  version,
  recording: await figuresOf(join(scratch, 'recording')),
  interrupted: await figuresOf(join(scratch, 'interrupted')),
  input_log: JSON.parse((await run(['replay', '--json', join(data, readdirSync(data).find((n) => n.endsWith('.phxlog')))])).stdout),
};
writeFileSync(join(directory, 'expected.json'), `${JSON.stringify(expected, null, 1)}\n`);
execFileSync('rm', ['-r', scratch]);
console.log(`upgrade_fixtures: ${directory} written`);
