// The manual is true: every command its pages show is run, every output they show is compared with a real one, each playbook's
// incident is made on a local exchange. Blocks marked `console` are a command after `$` and lines of its output; numbers and the width
// of columns are not compared, the words are.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';

import { accountOf } from './account.mjs';
import { configFor, freePort, phoenix, run, start, startExchange, temporaryDirectory, until } from './program.mjs';

const pages = Object.fromEntries(['operating', 'playbooks', 'local-exchange', 'going-live'].map((name) => [name, readFileSync(`docs/${name}.md`, 'utf8')]));

/// The part of a page under one heading.
function section(page, heading) {
  const part = pages[page].split(/^(?=## )/m).find((text) => text.startsWith(`## ${heading}\n`));
  assert.ok(part, `docs/${page}.md has no section '${heading}'`);
  return part;
}
const consoles = (text) => [...text.matchAll(/^```console\n\$ (.+)\n([^]*?)^```/gm)].map(([, command, output]) => ({ command, output }));
/// Lines that are commands: indented by four, in console blocks, or between backticks with arguments.
function commandsOf(text) {
  const found = [...text.matchAll(/^ {4}((?:phoenix|curl|node) .+)$/gm), ...text.matchAll(/^\$ (.+)$/gm),
    ...text.replaceAll(/```[^]*?```/g, '').replaceAll('\n', ' ').matchAll(/`((?:phoenix) [a-z][^`]* [^`]*)`/g)];
  return [...new Set(found.map(([, command]) => command.replaceAll(/\s+/g, ' ')))];
}

const place = temporaryDirectory();
const config = join(place, 'config.yaml');
const recording = join(place, 'maker', 'recording');
const ran = new Set();
let exchange;
let account;
let control;
let maker;
let env;

/// Runs a command of the manual in a shell, with what stands for the reader's own names filled in.
async function show(command, { change = (text) => text, more = {} } = {}) {
  ran.add(command);
  const filled = change(command.replaceAll(/\bFILE\b/g, config).replaceAll(/\bDIR\b/g, recording).replaceAll(/\bPORT\b/g, new URL(control).port));
  const child = spawn('/bin/bash', ['-c', filled], { cwd: place, env: { ...process.env, ...env, PATH: `${place}:${process.env.PATH}`, ...more }, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  child.stdout.on('data', (d) => { output += d; });
  child.stderr.on('data', (d) => { output += d; });
  const code = await new Promise((done) => { child.on('close', done); });
  return { code, output };
}

/// What a shown line has to match: its words in their order.
function pattern(line) {
  const words = line.trim().split(/\s+/).map((word) => word.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&').replaceAll(/-?\d[\d,]*(?:\\\.\d+)?/g, '-?\\d[\\d,.]*'));
  return new RegExp(`^\\s*${words.join('\\s+')}\\s*$`);
}
/// The same with what differs from run to run: who saw it first, what was fetched from where, how long it took.
function loose(line) {
  const [head, evidence] = line.trim().split(/ {2}\[/);
  const shown = pattern(head).source.replace(/\\s\*\$$/, '')
    .replaceAll(/\\s\+after\\s\+-\?\\d\[\\d,\.\]\*\\s\+m?s/g, '\\s+after\\s+[\\d.]+\\s+m?s').replaceAll('user_a', 'user_[ab]').replaceAll('stalled', '(?:stalled|unknown|not connected)');
  return new RegExp(evidence === undefined ? `${shown}\\s*$` : `${shown}\\s+\\[.*\\]\\s*$`);
}

const expected = (output) => output.split('\n').filter((line) => line.trim() !== '' && line.trim() !== '...');
/// The command again and again until its output has every shown line.
async function showUntil({ command, output }, seconds = 40) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const got = (await show(command)).output;
    const lines = got.split('\n');
    const missing = expected(output).filter((line) => !lines.some((have) => pattern(line).test(have) || loose(line).test(have)));
    if (missing.length === 0) return got;
    assert.ok(Date.now() < end, `${command}\nsaid\n${got.slice(-4000)}\nand not\n${missing.join('\n')}`);
    await new Promise((done) => setTimeout(done, 250));
  }
}
const orders = async () => (await (await fetch(`${control}/state`)).json()).open_orders.reduce((sum, row) => sum + row.count, 0);
const quoting = () => until('both ladders rest', async () => (await orders()) >= 20, 60);
/// Every test begins with a whole system and leaves one.
async function healed() {
  await fetch(`${control}/faults`, { method: 'DELETE' });
  await quoting();
}
/// The commands under "Try it" of a playbook.
async function tryIt(text) {
  for (const [, command] of text.slice(text.indexOf('**Try it**')).matchAll(/^ {4}(curl -X POST .+)$/gm)) {
    const { code, output } = await show(command);
    assert.equal(code, 0, output);
    assert.match(output, /"ids"/);
  }
}

before(async () => {
  symlinkSync(resolve(phoenix), join(place, 'phoenix'));
  exchange = await startExchange(join(place, 'exchange'), ['--control-port', '0']);
  [, control] = await exchange.said(/control +(http:\S+)/);
  account = accountOf(exchange);
  mkdirSync(join(place, 'runtime'), { mode: 0o700 });
  env = { BINANCE_API_KEY: exchange.key, BINANCE_API_SECRET: exchange.secret, XDG_RUNTIME_DIR: join(place, 'runtime') };
  const text = configFor(exchange, place).replace('metrics_port: 0', `metrics_port: ${await freePort()}`)
    .replace('total_notional_max: 4000', 'total_notional_max: 40000');
  const symbols = text.slice(text.indexOf('  - symbol:')).replace('0.26', '0.4');
  const second = symbols.replace('ETHUSDC', 'SOLUSDC').replace('0.4', '8').replace('0.008', '0.2');
  writeFileSync(config, `${text.slice(0, text.indexOf('symbols:'))}recording:\n  enabled: true\n  rotate_s: 10\nsymbols:\n${symbols}${second}`);
  maker = start(['run', '-c', config], { env });
  maker.exit.catch(() => {});
  await maker.said(/live symbol=ETHUSDC/);
  await maker.said(/live symbol=SOLUSDC/);
  await quoting();
});
after(async () => {
  maker?.child.kill('SIGCONT');
  maker?.child.kill('SIGKILL');
  await maker?.exit.catch(() => {});
  await exchange?.stop();
  rmSync(place, { recursive: true, force: true });
});

test('the daily checks show what they show on a good day', async () => {
  for (const block of consoles(section('operating', 'Each day, five minutes'))) await showUntil(block, 60);
  // Files of the first segments come a little later; a recording this young misses gates of a whole day.
  await until('the recording has files', async () => /durable in [1-9]/.test((await show('phoenix status -c FILE --once')).output), 60);
  const verify = await show('phoenix verify DIR --read-only --lookback-mins 1440');
  assert.ok(verify.code <= 1, verify.output);
  assert.match(verify.output, /^pass +files/m);
  ran.add('phoenix verify DIR --read-only --lookback-mins 10');
});

test('the weekly checks run and change nothing', async () => {
  const there = await orders();
  const verify = await show('phoenix verify DIR --read-only');
  assert.ok(verify.code <= 1, verify.output);
  // Without a channel there is nobody to send to; docs/alerts.md has its own test.
  assert.match((await show('phoenix alerts test -c FILE')).output, /channel/);
  assert.equal((await show('phoenix config show FILE --effective')).code, 0);
  const preflight = await show('phoenix preflight -c FILE');
  assert.equal(preflight.code, 2);
  assert.deepEqual([...preflight.output.matchAll(/^failed +(.+?) {2,}/gm)].map((m) => m[1]), ['account lock']);
  const rehearsal = await show('phoenix emergency close-all -c FILE --dry-run');
  assert.equal(rehearsal.code, 0, rehearsal.output);
  assert.match(rehearsal.output, /would cancel \d+ orders of ETHUSDC/);
  assert.ok(Math.abs((await orders()) - there) < 14);
});

test('what is to be kept is where the manual says', async () => {
  assert.doesNotThrow(() => JSON.parse(readFileSync(join(place, 'maker', 'incidents.jsonl'), 'utf8').split('\n')[0]));
  assert.equal((await show('phoenix doctor -c FILE --last 24h')).code, 0);
  assert.doesNotThrow(async () => JSON.parse((await show('phoenix status -c FILE --once --json')).output));
  ran.add('phoenix replay INPUT.phxlog');  // at the end, when the run is over
});

test('every alert rule has its line under its level, once', async () => {
  const rules = JSON.parse((await run(['alerts', 'list', '--json'])).stdout);
  const text = section('operating', 'Alerts');
  const table = text.split(/^(?=### )/m).slice(1).flatMap((part) => {
    const level = Number(/^### Level (\d)/.exec(part)[1]);
    return [...part.matchAll(/^\| `(\w+)` \| (.+?) \| (.+) \|$/gm)].map(([, rule, first]) => ({ rule, level, first }));
  });
  const by = (a, b) => (a.rule < b.rule ? -1 : 1);
  assert.deepEqual(table.map(({ rule, level }) => ({ rule, level })).sort(by), rules.map(({ rule, level }) => ({ rule, level })).sort(by));
  for (const { rule, first } of table) assert.doesNotMatch(first, /emergency|claim|re-arm|restart/, `${rule}: the first command only looks`);
  const firsts = new Set(table.flatMap(({ first }) => [...first.matchAll(/`(phoenix [^`]+)`/g)].map(([, command]) => command)));
  for (const command of firsts) assert.notEqual((await show(command)).output, '', command);
});

test('a stream that dies silently', async () => {
  const text = section('playbooks', 'A stream dies silently');
  const [withdrawn, judged, back] = consoles(text);
  await tryIt(text);
  await showUntil(withdrawn);
  await showUntil(judged);
  assert.equal(await orders(), 0);
  assert.match((await show('curl -X DELETE http://127.0.0.1:PORT/faults')).output, /"lifted":\d/);
  await showUntil(back);
  await healed();
});

test('a position that is larger than allowed', async () => {
  const text = section('playbooks', 'The position is larger than allowed');
  await account.take('ETHUSDC', 'BUY', '0.5', 'web_hand');
  await showUntil(consoles(text)[0]);
  const closed = await show('phoenix emergency close-all -c FILE --symbol ETHUSDC --yes');
  assert.equal(closed.code, 0, closed.output);
  assert.match(closed.output, /the venue lists no position/);
  ran.add('phoenix emergency close-all -c FILE --symbol ETHUSDC');  // the same, with a question before it
  assert.equal((await show('phoenix orders claim -c FILE --yes')).code, 0);
  assert.equal((await show('phoenix emergency re-arm -c FILE --yes')).code, 0);
  await healed();
});

test('a ban', async () => {
  const text = section('playbooks', 'A ban: 418 or 429');
  const [held, back] = consoles(text);
  await tryIt(text);
  await showUntil(held);
  assert.match(maker.stdout + maker.stderr, /refused question=\w+ status=418 code=-1003 message="Way too many requests; IP banned\."/);
  await fetch(`${control}/faults`, { method: 'DELETE' });
  await showUntil(back, 60);
  await healed();
});

test('a listen key that expires unsaid, and an API key that is not accepted', async () => {
  const text = section('playbooks', 'The listen key or the API key expires');
  const [reopened, refused] = consoles(text);
  await tryIt(text);
  await showUntil(reopened, 90);
  const { code, output } = await show(refused.command, { more: { BINANCE_API_KEY: 'revoked' } });
  assert.equal(code, 2);
  for (const line of expected(refused.output)) assert.ok(output.split('\n').some((have) => pattern(line).test(have)), `${line}\nnot in\n${output}`);
  await healed();
});

test('a process that stands still', async () => {
  const text = section('playbooks', 'The process stands still or is gone');
  const [still, awake] = consoles(text);
  const guard = start(['guard', '-c', config], { env });
  try {
    await guard.said(/guarding/);
    maker.child.kill('SIGSTOP');
    const { output } = await until('health sees it', async () => {
      const said = await show(still.command);
      return /makes no progress/.test(said.output) ? said : undefined;
    });
    for (const line of expected(still.output)) assert.ok(output.split('\n').some((have) => pattern(line.replace(/-c FILE/, `-c ${config}`)).test(have)), `${line}\nnot in\n${output}`);
    const [, said] = /```text\n([^]*?)```/.exec(text);
    for (const line of expected(said)) await guard.said(new RegExp(pattern(line).source.replace('^\\s*', '').replace('\\s*$', '')));
    assert.equal(await orders(), 0);
    ran.add('phoenix guard -c FILE --restart');  // tests/e2e/supervision_test.mjs
  } finally {
    maker.child.kill('SIGCONT');
    guard.child.kill('SIGTERM');
    await guard.exit;
  }
  await showUntil(awake);
  await healed();
});

test('a clock that is off', async () => {
  const text = section('playbooks', 'The clock is off');
  const [off, fine] = consoles(text);
  await tryIt(text);
  await showUntil(off);
  await fetch(`${control}/faults`, { method: 'DELETE' });
  await showUntil(fine);
  await healed();
});

test('orders that are not ours', async () => {
  const text = section('playbooks', 'Orders that are not ours');
  const [held, back] = consoles(text);
  assert.equal((await account.rest('ETHUSDC', '0.05', 'web_someone')).clientOrderId, 'web_someone');
  const { output } = await until('the symbol is held', async () => {
    const said = await show(held.command);
    return /foreign_activity/.test(said.output) ? said : undefined;
  });
  assert.match(output, /^severe +account +ETHUSDC: guard halt \(foreign_activity\)\n +phoenix orders claim -c /m);
  await account.signed('DELETE', '/fapi/v1/order', 'symbol=ETHUSDC&origClientOrderId=web_someone');
  const claimed = await show('phoenix orders claim -c FILE --yes');
  assert.equal(claimed.code, 0, claimed.output);
  await showUntil(back);
  await healed();
});

test('the kill latch', async () => {
  const text = section('playbooks', 'The kill latch is set');
  const [latched, back] = consoles(text);
  const done = await show('phoenix emergency cancel-all -c FILE --yes');
  assert.equal(done.code, 0, done.output);
  for (const command of ['phoenix emergency cancel-all -c FILE', 'phoenix emergency close-all -c FILE']) ran.add(command);  // with a question before it
  await showUntil(latched);
  assert.equal(await orders(), 0);
  assert.equal((await show('phoenix emergency re-arm -c FILE --yes')).code, 0);
  await showUntil(back);
  await healed();
});

test('a gap in the recording is in the ledger', async () => {
  const [block] = consoles(section('playbooks', 'A gap in the recording'));
  const rows = await until('the ledger names what was lost', async () => {
    const { output } = await show(block.command);
    return /^ETHUSDC +depth +\w.* +snapshot +\d+$/m.test(output) ? output : undefined;
  }, 60);
  assert.match(rows.split('\n')[0], pattern(block.output.split('\n')[0]));
});

test('the local exchange is asked as shown', async () => {
  const text = pages['local-exchange'];
  const [{ command, output }] = consoles(text);
  ran.add(command);
  const lines = exchange.stdout.split('\n');
  for (const line of expected(output)) {
    const wanted = line.replace(/phoenix-exchange\/ca\.pem/, exchange.ca);
    assert.ok(lines.some((have) => pattern(wanted).test(have)), `${line}\nnot in\n${exchange.stdout}`);
  }
  const at = (shown) => shown.replaceAll('http://127.0.0.1:8080', exchange.plain.rest);
  for (const command of commandsOf(text).filter((c) => c.startsWith('curl -s '))) {
    const { code, output } = await show(command, { change: at });
    assert.equal(code, 0, command);
    assert.doesNotThrow(() => JSON.parse(output), `${command}: ${output}`);
  }
  const plans = [...section('local-exchange', 'A bot under faults').matchAll(/^\|.*\| (.+) \|$/gm)].flatMap(([, cell]) => [...cell.matchAll(/`(at [^`]+)`/g)].map((m) => m[1]));
  assert.ok(plans.length >= 7);
  for (const plan of plans) {
    const answer = await fetch(`${control}/faults`, { method: 'POST', body: plan.replace('at 0s', 'at 1h') });
    assert.equal(answer.status, 200, `${plan}: ${await answer.text()}`);
  }
  const fault = commandsOf(text).find((c) => c.startsWith('curl -X POST'));
  assert.match((await show(fault, { change: (c) => c.replace('at 0s', 'at 1h') })).output, /"ids"/);
  await show('curl -X DELETE http://127.0.0.1:PORT/faults');
});

test('the bot of the page about the local exchange trades on it', async (t) => {
  const client = commandsOf(pages['local-exchange']).find((c) => c.startsWith('node '));
  if (!existsSync('tests/e2e/node_modules/ccxt')) {
    ran.add(client);
    return t.skip('run scripts/setup.sh test');
  }
  const [, code] = /^```js\n([^]*?)^```/m.exec(section('local-exchange', 'ccxt'));
  const there = code.replace('https://localhost:8443', exchange.tls.rest).replace('wss://localhost:8443', exchange.tls.streams);
  const bot = await run(['--input-type=module', '-e', there], { command: process.execPath, cwd: resolve('tests/e2e'), env: { NODE_EXTRA_CA_CERTS: exchange.ca } });
  assert.equal(bot.code, 0, bot.stderr);
  assert.match(bot.stdout, /^open \d+\.\d+$/m);
  const { code: left, output } = await show(client, { change: (c) => c.replace('tests/e2e', resolve('tests/e2e')).replace('https://localhost:8443', exchange.tls.rest)
    .replace('wss://localhost:8443/ws-fapi/v1', exchange.tls.orders).replace('wss://localhost:8443', exchange.tls.streams).replace('phoenix-exchange/ca.pem', exchange.ca) });
  assert.equal(left, 0, output);
});

test('the run can be repeated from its input log', async () => {
  // The hand-made orders of the bots above hold their symbols; what counts is that it leaves and can be stepped again.
  await show('phoenix orders claim -c FILE --yes');
  maker.child.kill('SIGINT');
  assert.equal(await maker.exit, 0, maker.stderr.slice(-3000));
  const log = join(place, 'maker', 'input-00000001.phxlog');
  const replay = await run(['replay', log]);
  assert.equal(replay.code, 0, replay.stdout);
  assert.match(replay.stdout, /^equal$/m);
});

test('the first run on the test network, with the local exchange in its place', async () => {
  const text = section('going-live', 'The first run, on the test network, step by step');
  const desk = join(place, 'desk');
  mkdirSync(join(desk, 'configs'), { recursive: true });
  const file = 'configs/testnet.yaml';
  const [, own] = /^(global:[^]*?)  - symbol: ETHUSDT/m.exec(readFileSync(file, 'utf8'));
  writeFileSync(join(desk, file), own.replace('venue: testnet', `venue: local
  rest_url: ${exchange.tls.rest}
  stream_url: ${exchange.tls.streams}
  order_api_url: ${exchange.tls.orders}
  ca_file: ${exchange.ca}
  metrics_port: ${await freePort()}
  credentials_file: phoenix-keys`));
  const noKeys = { BINANCE_API_KEY: '', BINANCE_API_SECRET: '' };
  const here = (command, change = (c) => c) => show(command, { change: (c) => `cd ${desk}; ${change(c)}`, more: noKeys });
  const [mask, print] = [...text.matchAll(/^ {4}(umask .+|printf .+)$/gm)].map(([, command]) => command);
  await here(`${mask}; ${print}`, (c) => c.replace('YOUR_KEY', exchange.key).replace('YOUR_SECRET', exchange.secret));
  assert.equal(statSync(join(desk, 'phoenix-keys')).mode & 0o777, 0o600);
  assert.equal((await here(`phoenix config check ${file}`)).code, 0);
  assert.equal((await here(`phoenix config show ${file} --effective`)).code, 0);
  const [preflight] = consoles(text);
  const checked = await here(preflight.command);
  assert.equal(checked.code, 0, checked.output);
  for (const line of expected(preflight.output)) assert.ok(checked.output.split('\n').some((have) => pattern(line).test(have)), `${line}\nnot in\n${checked.output}`);
  const paper = await here(`phoenix run --paper -c ${file} --for 10m`, (c) => c.replace('10m', '3s'));
  assert.equal(paper.code, 0, paper.output);

  const begin = (command) => {
    ran.add(command);
    return start(command.split(' ').slice(1), { cwd: desk, env: { ...env, ...noKeys }, command: resolve(phoenix) });
  };
  const [told, left] = [...text.matchAll(/^```text\n([^]*?)^```/gm)].map(([, lines]) => expected(lines));
  const says = (line) => new RegExp(pattern(line).source.replace('^\\s*', '').replace('\\s*$', ''));
  const first = begin(`phoenix run -c ${file}`);
  for (const line of told) await first.said(says(line));
  const guard = begin(`phoenix guard -c ${file} --restart`);
  await guard.said(/guarding/);
  assert.match((await here(`phoenix status -c ${file}`)).output, /BTCUSDT +live/);
  assert.equal((await here(`phoenix doctor -c ${file}`)).code, 0);
  first.child.kill('SIGINT');
  assert.equal(await first.exit, 0, first.stderr);
  for (const line of left) await first.said(says(line)).catch(() => assert.match(first.stdout + first.stderr, says(line)));
  guard.child.kill('SIGTERM');
  await guard.exit;
  const cancelled = await here(`phoenix emergency cancel-all -c ${file}`, (c) => `${c} --yes`);
  assert.equal(cancelled.code, 0, cancelled.output);
});

test('every command that these pages show was run here', () => {
  // What the other sections of going-live.md show is run by preflight_test, paper_test, emergency_test and supervision_test.
  const texts = { ...pages, 'going-live': section('going-live', 'The first run, on the test network, step by step') };
  for (const [name, text] of Object.entries(texts)) {
    for (const command of commandsOf(text)) {
      const same = command.replace(/ --out report\.json$/, '');
      assert.ok([...ran].some((r) => r === same), `docs/${name}.md shows a command that nothing runs: ${command}`);
    }
  }
});
