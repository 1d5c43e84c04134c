// The log: documented line by line and key by key, readable by programs, changed while it runs, and without a secret in it.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { closeSync, existsSync, fstatSync, mkdirSync, openSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { accountOf } from './account.mjs';
import { eventOf, keysOf, linesOfSources, quoted, table } from './log_schema.mjs';
import { configFor, freePort, phoenix, run, start, startExchange, temporaryDirectory, until } from './program.mjs';

const directory = temporaryDirectory();
const runtime = join(directory, 'runtime');
let exchange, account, env;

function place(name) {
  const made = join(directory, name);
  mkdirSync(made);
  return made;
}

/// Started programs end with the tests, whatever becomes of those.
const begun = [];
function begin(args, options) {
  const running = start(args, options);
  running.exit.catch(() => {});
  begun.push(running);
  return running;
}

const objectsOf = (text) => text.split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line));

before(async () => {
  mkdirSync(runtime, { mode: 0o700 });
  exchange = await startExchange(join(directory, 'exchange'));
  account = accountOf(exchange);
  env = { BINANCE_API_KEY: exchange.key, BINANCE_API_SECRET: exchange.secret, XDG_RUNTIME_DIR: runtime, JOURNAL_STREAM: '' };
});
after(async () => {
  for (const { child } of begun) child.kill('SIGKILL');
  await exchange.stop();
});

test('each warning and each error that the sources can write is documented', () => {
  const documented = table('Warnings and errors').flatMap((row) => quoted(row[0]));
  const pattern = (event) => new RegExp(`^${event.split('…').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('.+')}$`);
  const lines = linesOfSources().filter(({ levels }) => levels.includes('warning') || levels.includes('error'));
  assert.ok(lines.length > 55, `only ${lines.length} were found`);
  for (const { file, format } of lines) {
    const event = eventOf(format);
    // Whose order or trade it is, is said by the caller.
    const events = event === '…' ? ['an order that is not ours', 'a trade that is not ours', 'a trade of an order the venue does not know'] : [event];
    for (const each of events)
      assert.ok(documented.some((known) => pattern(each).test(known)), `${file}: "${each}" is missing in docs/logs.md`);
  }
  for (const row of table('Warnings and errors').filter((cells) => cells[0] !== 'event')) {
    assert.equal(row.length, 4, row.join(' | '));
    assert.match(row[1], /^(warning|error|error, warning)$/);
    assert.ok(row.every((cell) => cell.length > 3), row.join(' | '));
  }
});

test('i13 a duration, a size and a rate have their unit in the key', () => {
  const units = new Map(table('Keys').flatMap((row) => quoted(row[0]).map((key) => [key, row[1]])));
  const ends = { ms: /(^|_)ms$/, s: /(?<!_per)_s$/, h: /^hours_/, bytes: /(^|_)bytes$/, '1/s': /_per_s$/ };
  for (const [key, unit] of units) {
    if (unit in ends) assert.match(key, ends[unit], `${key} is in ${unit}`);
    for (const [physical, pattern] of Object.entries(ends)) {
      if (pattern.test(key)) assert.equal(unit, physical, key);
    }
  }
  for (const { file, format } of linesOfSources()) {
    for (const key of keysOf(format)) {
      assert.ok(units.has(key), `${file}: the key ${key} is missing in docs/logs.md`);
      if (/(^|_)(age|lag|silent|pause|countdown|refresh|interval|window|uptime|latency|timeout|duration|for)(_|$)/.test(key)) assert.match(key, /_(ms|s)$/, `${file}: ${key}`);
      if (/^(free|total|cut|journal)_/.test(key)) assert.match(key, /_(bytes|ms)$/, `${file}: ${key}`);
    }
  }
});

test('a quoted text is the last value of its line', () => {
  for (const { file, format } of linesOfSources()) {
    const first = format.indexOf('="{}');
    if (first >= 0) assert.match(format.slice(first), /^="\{\}("$|")(?!.*=)/, `${file}: ${format}`);
  }
});

test('json lines have one schema, and their level changes while the maker runs', async () => {
  const base = place('json');
  const config = join(base, 'config.yaml');
  const log = join(base, 'logs/phoenix.log');
  const text = (level) => configFor(exchange, base, { extra: `  log_format: json\n  log_state_s: 1\n  log_file: ${log}\n  log_level: ${level}` });
  writeFileSync(config, text('debug'));
  const maker = begin(['run', '-c', config], { env });
  const lines = () => (existsSync(log) ? objectsOf(readFileSync(log, 'utf8')) : []);
  const states = () => lines().filter((line) => line.event === 'symbol state');
  const live = await until('it is live and says so', () => states().find((line) => line.state === 'live' && line.orders_bid > 3), 60);
  assert.equal(live.level, 'info');
  assert.equal(live.symbol, 'ETHUSDC');
  assert.ok(live.own_bid < live.own_ask && live.best_bid < live.best_ask);
  assert.equal(live.streams_bad, 'none');
  const keys = new Set(['ts', 'level', 'tag', 'event', 'text', '_level', ...table('Keys').flatMap((row) => quoted(row[0]))]);
  const all = readFileSync(log, 'utf8').trimEnd().split('\n');
  for (const line of all) {
    const object = JSON.parse(line);
    assert.match(object.ts, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
    assert.match(object.level, /^(debug|info|warning|error)$/);
    assert.ok(object.event.length > 0, line);
    for (const key of Object.keys(object)) assert.ok(keys.has(key), `${key} of ${line}`);
  }
  assert.equal(maker.stderr, '', 'what goes to a file does not go to stderr');

  writeFileSync(config, text('error'));
  await until('the change is told', () => lines().some((line) => /^configuration global\.log_level debug -> error/.test(line.event)));
  // Nothing that is less than an error follows: the next change, which would be told at info, is not.
  await until('it is quiet', async () => {
    const before = states().length;
    await new Promise((resolve) => setTimeout(resolve, 2500));
    return states().length === before;
  });
  writeFileSync(config, text('info'));
  const silent = states().length;
  await until('it speaks again', () => states().length > silent);
  maker.child.kill('SIGINT');
  assert.equal(await maker.exit, 0, maker.stderr);
  assert.equal(lines().at(-1).event, 'left safely');

  // Every command that docs/logs.md shows.
  const shown = [...readFileSync('docs/logs.md', 'utf8').matchAll(/^ {4}(jq .+)$/gm)].map((match) => match[1]);
  assert.equal(shown.length, 3);
  if (spawnSync('jq', ['--version']).error) return; // not installed here
  for (const command of shown) {
    const { status, stdout, stderr } = spawnSync('/bin/bash', ['-c', command], { cwd: join(base, 'logs'), encoding: 'utf8' });
    assert.equal(status, 0, command + stderr);
    if (!command.includes('warning')) assert.match(stdout, /\tlive\t/, command);
  }
});

test('a recorder says how it stands, and follows the level of its file', async () => {
  const base = place('recorder');
  const config = join(base, 'config.yaml');
  const text = (level) => `global:
  venue: local
  rest_url: ${exchange.tls.rest}
  stream_url: ${exchange.tls.streams}
  order_api_url: ${exchange.tls.orders}
  ca_file: ${exchange.ca}
  data_dir: ${base}/data
  metrics_port: 0
  log_format: json
  log_state_s: 1
  log_level: ${level}
recording:
  rotate_s: 10
  symbols: [ETHUSDC]
`;
  writeFileSync(config, text('info'));
  const recorder = begin(['record', '-c', config], { env });
  const lines = () => objectsOf(recorder.stderr.slice(0, recorder.stderr.lastIndexOf('\n')));
  const line = await until('it records', () => lines().find((l) => l.event === 'symbol recorded' && l.rows > 0 && l.trades_lost === 0 && l.why === 'none'));
  assert.ok(line.lag_ms >= 0 || line.lag_ms < 0);
  assert.ok(lines().some((l) => l.event === 'recording state' && l.fault === 'none' && l.journal_bytes > 0));
  writeFileSync(config, text('debug'));
  await until('what is told at debug', () => lines().some((l) => l.level === 'debug' && l.event === 'ROTATE' && l.symbol === 'ETHUSDC'));
  writeFileSync(config, text('debug').replace('rotate_s: 10', 'rotate_s: 20'));
  const refused = await until('what belongs to a start is refused', () => lines().find((l) => l.event.startsWith('configuration not applied')));
  assert.match(refused.text, /needs a restart: .*rotate_s 10 -> 20/);
  recorder.child.kill('SIGINT');
  assert.equal(await recorder.exit, 0, recorder.stderr.slice(-2000));
});

test('the journal of systemd is given priorities, and nothing that came from outside begins a line', async () => {
  const base = place('journal');
  const config = join(base, 'config.yaml');
  // A directory whose name would paint the terminal and begin a second line.
  writeFileSync(config, configFor(exchange, base).replace(/data_dir: .*/, `data_dir: "${base}/red\\e[31m\\n2026-01-01T00:00:00.000Z error forged"`));
  const file = join(base, 'stderr');
  const fd = openSync(file, 'w');
  const { dev, ino } = fstatSync(fd);
  const child = spawn(phoenix, ['guard', '-c', config, '--for', '1s'], { env: { ...process.env, ...env, JOURNAL_STREAM: `${dev}:${ino}` }, stdio: ['ignore', 'ignore', fd] });
  await new Promise((resolve) => child.on('close', resolve));
  closeSync(fd);
  const text = readFileSync(file, 'utf8');
  assert.match(text, /^<6>guarding data_dir=\S+\/red\\x1b\[31m\\n2026-01-01T00:00:00\.000Z error forged/);
  for (const line of text.trimEnd().split('\n')) assert.match(line, /^<[3467]>[^\x00-\x1f]+$/);
});

test('no secret is ever written', { timeout: 240_000 }, async () => {
  const base = place('secrets');
  const config = join(base, 'config.yaml');
  const port = await freePort();
  const closed = await freePort();
  const made = (kind) => `${kind}${randomBytes(12).toString('hex')}`;
  const secrets = {
    key: exchange.key, secret: exchange.secret, token: made('token'), wecom: made('wecom'), dingtalk: made('ding'), sign: made('SEC'),
    webhook: made('hook'), hmac: made('hmac'), telegram: made('tg'), password: made('smtp'),
  };
  const { privateKey } = generateKeyPairSync('ed25519');
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' });
  secrets.pem = pem.split('\n')[1];
  const write = (name, content) => { writeFileSync(join(base, name), content, { mode: 0o600 }); return join(base, name); };
  const token_file = write('token', `${secrets.token}\n`);
  const secrets_file = write('alerts', `duty.url = http://127.0.0.1:${closed}/cgi-bin/webhook/send?key=${secrets.wecom}
ding.url = http://127.0.0.1:${closed}/robot/send?access_token=${secrets.dingtalk}
ding.secret = ${secrets.sign}
hook.url = http://127.0.0.1:${closed}/${secrets.webhook}
hook.secret = ${secrets.hmac}
mail.password = ${secrets.password}
`);
  const credentials = write('credentials', `api_key = ${exchange.key}\napi_secret = ${exchange.secret}\n`);
  const extra = `  log_level: debug
  log_state_s: 1
  credentials_file: ${credentials}
  metrics_token_file: ${token_file}`;
  const alerts = `alerts:
  secrets_file: ${secrets_file}
  channels:
    - {name: duty, kind: wecom}
    - {name: ding, kind: dingtalk}
    - {name: hook, kind: webhook}
    - {name: mail, kind: email, url: "smtp://127.0.0.1:${closed}", from: a@example.com, to: b@example.com, user: a}
`;
  writeFileSync(config, configFor(exchange, base, { extra }).replace('metrics_port: 0', `metrics_port: ${port}`) + alerts);
  const ed25519 = join(base, 'ed25519.yaml');
  write('key.pem', pem);
  const other = write('credentials-ed25519', `api_key = ${exchange.key}\ned25519_key_file = ${join(base, 'key.pem')}\n`);
  writeFileSync(ed25519, configFor(exchange, join(base, 'other'), { extra: extra.replace(credentials, other) }));

  const said = [];
  const keep = (name, { stdout, stderr }) => said.push([`${name} stdout`, stdout], [`${name} stderr`, stderr]);
  const options = { env: { XDG_RUNTIME_DIR: runtime, JOURNAL_STREAM: '' } };
  const maker = begin(['run', '-c', config], options);
  await maker.said(/live symbol=ETHUSDC/);
  await maker.said(/alert channel \w+ failed/);
  const guard = begin(['guard', '-c', config], options);
  await guard.said(/guarding/);
  // The account's stream ends and is opened anew; the venue tells the same key to everyone who asks.
  const { listenKey } = await account.signed('POST', '/fapi/v1/listenKey');
  assert.ok(listenKey?.length > 20);
  secrets.listen_key = listenKey;
  const authorization = `Bearer ${secrets.token}`;
  for (const path of ['/metrics', '/status', '/healthz', '/readyz', '/']) {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { headers: { authorization } });
    assert.equal(response.status, 200, path);
    said.push([path, await response.text()]);
  }
  const refused = await fetch(`http://127.0.0.1:${port}/actions`, { method: 'POST', headers: { authorization: `${authorization}0` }, body: '{}' });
  assert.notEqual(refused.status, 200);
  said.push(['an action with a wrong token', await refused.text()]);
  const recording = join(base, 'recording.yaml');
  writeFileSync(recording, configFor(exchange, join(base, 'recorded'), { extra }) + alerts + 'recording:\n  rotate_s: 10\n  symbols: [ETHUSDC]\n');
  for (const [code, ...words] of [
    [0, 'status', '-c', config, '--once', '--json'], [0, 'traffic', '-c', config, '--once'], [undefined, 'health', '-c', config, '--json'],
    [undefined, 'doctor', '-c', config], [undefined, 'preflight', '-c', config], [0, 'config', 'show', '-c', config],
    [undefined, 'preflight', '-c', ed25519], [undefined, 'run', '-c', ed25519, '--for', '3s'], [0, 'record', '-c', recording, '--for', '4s'],
    [0, 'emergency', 'cancel-all', '-c', config, '--yes'],
  ]) {
    const ended = await run(words, options);
    if (code !== undefined) assert.equal(ended.code, code, `${words.join(' ')}\n${ended.stdout}${ended.stderr}`);
    assert.ok(ended.stdout.length + ended.stderr.length > 20, words.join(' '));
    keep(words.join(' '), ended);
  }
  maker.child.kill('SIGINT');
  await maker.exit;
  guard.child.kill('SIGINT');
  await guard.exit;
  keep('run', maker);
  keep('guard', guard);
  keep('demo', await run(['demo', '--for', '5s', '--data', join(base, 'demo'), '--metrics-port', '0'], options));
  assert.ok(maker.stderr.includes('symbol state'));

  // Text files of the data directories; what the engine consumed, byte for byte, is no text and is not for other eyes.
  const files = (folder) => readdirSync(folder, { recursive: true }).map((name) => join(folder, name))
    .filter((file) => statSync(file).isFile() && /\.(log|json|jsonl|txt|csv)$|latch|progress|audit|incident/.test(file));
  for (const folder of [join(base, 'maker'), join(base, 'recorded'), join(base, 'demo')]) {
    for (const file of files(folder)) said.push([file, readFileSync(file, 'latin1')]);
  }
  assert.ok(said.length > 25, `${said.length} places`);
  for (const [where, text] of said) {
    for (const [what, value] of Object.entries(secrets)) {
      // The demo prints the token of its own dashboard, which is another.
      assert.ok(!text.includes(value), `${what} stands in ${where}: ...${text.slice(Math.max(0, text.indexOf(value) - 120), text.indexOf(value))}`);
    }
    assert.doesNotMatch(text, /signature=[0-9a-zA-Z%]{16}|"signature" *: *"[0-9a-f]{16}|listenKey[=":]+ *"?[0-9a-zA-Z]{16}|sign=[0-9a-zA-Z%]{20}|BEGIN PRIVATE KEY/, where);
  }
});
