// `phoenix start` and `phoenix stop`: what a person does where no service manager is. What they hear of the program is what
// a service manager would hear.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { configFor, run, startExchange, temporaryDirectory } from './program.mjs';

const directory = temporaryDirectory();
const started = new Set();
let exchange;
let env;

before(async () => {
  exchange = await startExchange(join(directory, 'exchange'));
  const runtime = join(directory, 'runtime');
  mkdirSync(runtime, { mode: 0o700 });
  env = { BINANCE_API_KEY: exchange.key, BINANCE_API_SECRET: exchange.secret, XDG_RUNTIME_DIR: runtime };
});
after(async () => {
  for (const pid of started) {
    try { process.kill(pid, 'SIGKILL'); } catch { /* it is gone already */ }
  }
  await exchange.stop();
});

let number = 0;
function setup(change = (text) => text) {
  const base = join(directory, `case-${++number}`);
  mkdirSync(base);
  const config = join(base, 'config.yaml');
  writeFileSync(config, change(configFor(exchange, base)));
  return { config, data: join(base, 'maker'), recording: join(base, 'maker', 'recording') };
}
async function phoenix(...words) {
  const result = await run(words, { env });
  const pid = /runs as process (\d+)/.exec(result.stdout + result.stderr)?.[1];
  if (pid) started.add(Number(pid));
  return { ...result, pid: Number(pid) };
}
const isAlive = (pid) => {
  try {
    // A process that has ended and that nobody has asked for is still there by its number.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
};
async function openOrders() {
  const text = `symbol=ETHUSDC&timestamp=${Date.now()}&recvWindow=5000`;
  const signature = createHmac('sha256', exchange.secret).update(text).digest('hex');
  return (await fetch(`${exchange.plain.rest}/fapi/v1/openOrders?${text}&signature=${signature}`, { headers: { 'X-MBX-APIKEY': exchange.key } })).json();
}

test('a maker that was started quotes without us, a second start says who runs, and stop leaves nothing', async () => {
  const { config, data } = setup();
  const first = await phoenix('start', '-c', config);
  assert.equal(first.code, 0, first.stdout + first.stderr);
  assert.match(first.stdout, /^the maker of \S+ runs as process \d+: 1 of 1 symbols quoting\nits log is \S+maker\.log; phoenix stop -c \S+ ends it\n$/);
  assert.ok(isAlive(first.pid));
  const [, session, terminal] = /\) \S \d+ \d+ (\d+) (\d+)/.exec(readFileSync(`/proc/${first.pid}/stat`, 'utf8'));
  assert.deepEqual([Number(session), Number(terminal)], [first.pid, 0], 'it has a session of its own and no terminal');
  assert.match(readFileSync(join(data, 'maker.log'), 'utf8'), /live symbol=ETHUSDC/);
  assert.equal(readFileSync(join(data, 'maker.out'), 'utf8'), '', 'what it says is in its log, which is rotated');

  const second = await phoenix('start', '-c', config);
  assert.equal(second.code, 2);
  assert.match(second.stderr, new RegExp(`the maker of \\S+ runs already: process ${first.pid}$`, 'm'));
  assert.ok(isAlive(first.pid));

  const stopped = await phoenix('stop', '-c', config);
  assert.equal(stopped.code, 0, stopped.stdout + stopped.stderr);
  assert.match(stopped.stdout, new RegExp(`^the maker of \\S+ has stopped, process ${first.pid}: no order of ours is left\n$`));
  assert.ok(!isAlive(first.pid));
  assert.deepEqual(await openOrders(), []);

  const again = await phoenix('stop', '-c', config);
  assert.equal(again.code, 1);
  assert.match(again.stderr, /^the maker of \S+ does not run$/m);
});

test('of two starts at once one runs, and the other says which', async () => {
  const { config, data } = setup();
  const both = await Promise.all([phoenix('start', '-c', config), phoenix('start', '-c', config)]);
  const [winner, loser] = both.sort((a, b) => a.code - b.code);
  assert.equal(winner.code, 0, winner.stdout + winner.stderr);
  assert.notEqual(loser.code, 0);
  assert.match(loser.stderr, new RegExp(`in use by process|runs already: process`));
  assert.ok(isAlive(winner.pid));
  assert.equal(readFileSync(join(data, 'maker.out'), 'utf8'), '', 'what the winner says is kept');
  assert.deepEqual(readdirSync(data).filter((name) => name.startsWith('start-')), [], 'and what the loser said is not');
  assert.equal((await phoenix('stop', '-c', config)).code, 0);
});

test('a maker that cannot begin is told with its own words and exit code', async () => {
  const { config, data } = setup();
  writeFileSync(config, readFileSync(config, 'utf8').replace(/ca_file: .*/, 'ca_file: /nowhere/ca.pem'));
  const refused = await phoenix('start', '-c', config);
  assert.equal(refused.code, 2, refused.stdout + refused.stderr);
  assert.match(refused.stderr, /^the maker of \S+ did not start, exit code 2:\n[^]*phoenix: .*\/nowhere\/ca\.pem/);
  assert.deepEqual(readdirSync(data).filter((name) => name.startsWith('start-')), []);
  const wrong = await phoenix('start', '-c', join(directory, 'missing.yaml'));
  assert.equal(wrong.code, 2);
});

test('a start that nobody answers says why it is not ready, and can be stopped', async () => {
  const { config } = setup((text) => text.replace(/(rest|stream|order_api)_url: (https|wss):\/\/[^/\s]+/g, '$1_url: $2://localhost:1'));
  const waiting = await phoenix('start', '-c', config, '--wait', '3s');
  assert.equal(waiting.code, 1, waiting.stdout + waiting.stderr);
  assert.match(waiting.stderr, /runs as process \d+ and is not ready: 0 of 1 symbols quoting; ETHUSDC: \S+/);
  assert.ok(isAlive(waiting.pid));
  await phoenix('stop', '-c', config);
  assert.ok(!isAlive(waiting.pid));
});

test('a key comes as a credential, and stop of a maker that died says that it did not leave by itself', async () => {
  const { config } = setup((text) => text.replace('  data_dir:', '  credentials_file: phoenix-keys\n  data_dir:'));
  const credentials = join(directory, 'credentials');
  mkdirSync(credentials, { mode: 0o700 });
  writeFileSync(join(credentials, 'phoenix-keys'), `api_key=${exchange.key}\napi_secret=${exchange.secret}\n`, { mode: 0o400 });
  const fromEnvironment = env;
  env = { XDG_RUNTIME_DIR: env.XDG_RUNTIME_DIR, CREDENTIALS_DIRECTORY: credentials };
  const maker = await phoenix('start', '-c', config);
  env = fromEnvironment;
  assert.equal(maker.code, 0, maker.stderr);
  process.kill(maker.pid, 'SIGSTOP');
  const told = await phoenix('stop', '-c', config, '--wait', '500ms');
  assert.equal(told.code, 1);
  assert.match(told.stderr, /is told to stop and still there, process \d+; its orders may rest: phoenix emergency cancel-all -c /);
  const waiting = phoenix('stop', '-c', config);
  process.kill(maker.pid, 'SIGKILL');
  const gone = await waiting;
  assert.equal(gone.code, 1);
  assert.match(gone.stderr, /it ended before it had withdrawn its orders, \d+ may rest|does not run/);
});

test('a recorder is started and stopped the same way, and its recording is whole', async () => {
  const { config, recording } = setup();
  const recorder = await phoenix('start', '-c', config, '--record');
  assert.equal(recorder.code, 0, recorder.stdout + recorder.stderr);
  assert.match(recorder.stdout, /^the recorder of \S+ runs as process \d+: 1 of 1 symbols recorded\n/);
  assert.ok(existsSync(join(recording, 'recorder.log')));
  assert.equal((await phoenix('stop', '-c', config)).code, 1, 'it is no maker');
  assert.ok(isAlive(recorder.pid));
  const stopped = await phoenix('stop', '-c', config, '--record');
  assert.equal(stopped.code, 0, stopped.stdout + stopped.stderr);
  assert.match(stopped.stdout, new RegExp(`^the recorder of \\S+ has stopped, process ${recorder.pid}\n$`));
  assert.ok(!isAlive(recorder.pid));
});
