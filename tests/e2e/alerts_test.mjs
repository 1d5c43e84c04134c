// Alerts from end to end: a real maker on a real exchange, real HTTP and mail servers, and what Prometheus and Alertmanager make of
// the same conditions where they are installed.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';

import { configFor, freePort, run, start, startExchange, temporaryDirectory } from './program.mjs';
import { has, shell, startAlertmanager, startPrometheus } from './prometheus.mjs';
import { startMail } from './smtp.mjs';

const directory = temporaryDirectory();
const deploy = resolve('deploy/prometheus');
const secret = 'S3CRET';
const ends = [];
let exchange;
let control;
let env;
let room;
let tls;

/// The other end of every chat: keeps what is posted, and answers as its path says.
async function startRoom() {
  const posts = [];
  const answers = {
    wecom: { errcode: 0, errmsg: 'ok' }, dingtalk: { errcode: 0, errmsg: 'ok' }, feishu: { code: 0, msg: 'success' }, bot: { ok: true, result: {} },
    wechat: { errcode: 0, errmsg: 'ok', access_token: 'token' },
    refused: { errcode: 93000, errmsg: `no robot for key ${secret}` },
  };
  const broken = new Set();
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (bytes) => { body += bytes; });
    request.on('end', () => {
      const url = new URL(request.url, 'http://room');
      const [, place] = url.pathname.split('/');
      const name = place.startsWith('bot') ? 'bot' : place;
      if (broken.has(name)) { response.writeHead(503).end(); return; }
      posts.push({ name, url, headers: request.headers, body, json: body && JSON.parse(body), at: Date.now() });
      response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(answers[name] ?? {}));
    });
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const url = `http://127.0.0.1:${server.address().port}`;
  return { url, posts, broken, stop: () => { server.closeAllConnections(); server.close(); } };
}

async function until(what, condition, ms = 60_000) {
  const end = Date.now() + ms;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) throw new Error(`not within ${ms} ms: ${what}`);
    await new Promise((done) => setTimeout(done, 50));
  }
}
function begin(args, options) {
  const running = start(args, options);
  running.exit.catch(() => {});
  ends.push(async () => {
    running.child.kill('SIGKILL');
    await running.exit.catch(() => {});
  });
  return running;
}
async function put(...lines) {
  const answer = await fetch(`${control}/faults`, { method: 'POST', body: lines.join('\n') });
  assert.equal(answer.status, 200, await answer.text());
}
const lift = () => fetch(`${control}/faults`, { method: 'DELETE' });

before(async () => {
  exchange = await startExchange(join(directory, 'exchange'), ['--control-port', '0']);
  [, control] = await exchange.said(/control +(http:\S+)/);
  room = await startRoom();
  tls = { key: readFileSync(join(directory, 'exchange/server.key')), cert: readFileSync(join(directory, 'exchange/server.pem')) };
  env = { BINANCE_API_KEY: exchange.key, BINANCE_API_SECRET: exchange.secret, XDG_RUNTIME_DIR: temporaryDirectory() };
});
after(async () => {
  for (const end of ends.reverse()) await end();
  room.stop();
  await exchange.stop();
});

test('the rules for Prometheus are those of the program, and its own tools take them', async (t) => {
  const printed = await run(['alerts', 'list', '--prometheus']);
  assert.equal(printed.stdout, readFileSync(join(deploy, 'phoenix-rules.yml'), 'utf8'));
  const list = await run(['alerts', 'list']);
  assert.match(list.stdout, /^3 usage_full +reduce_only +above 1 /m);
  const rows = JSON.parse((await run(['alerts', 'list', '--json'])).stdout);
  for (const row of rows) assert.match(printed.stdout, new RegExp(`- alert: ${row.prometheus}\n`), row.rule);
  if (!has('promtool', 'amtool')) return t.skip('no promtool: scripts/setup.sh test');
  // Word for word as docs/alerts.md shows them.
  const shown = [...readFileSync('docs/alerts.md', 'utf8').matchAll(/^ {4}((?:promtool|amtool) .+)$/gm)].map(([, line]) => line);
  assert.equal(shown.length, 3);
  for (const line of [...shown, `promtool check config ${deploy}/prometheus.yml`]) {
    const done = shell(line);
    assert.equal(done.code, 0, `${line}\n${done.said}`);
  }
});

test('every kind of channel takes the test message, signed where it signs', async () => {
  const mail = await startMail({ ...tls, user: 'phoenix', password: secret });
  const later = await startMail({ ...tls, user: 'phoenix', password: secret, fromStart: false });
  const config = join(directory, 'phoenix.yaml');
  const secrets = join(directory, 'alerts.secrets');
  writeFileSync(secrets, `duty.url = ${room.url}/wecom?key=${secret}
ding.url = ${room.url}/dingtalk?access_token=${secret}
ding.secret = SEC${secret}
fei.url = ${room.url}/feishu/${secret}
fei.secret = ${secret}
slack.url = ${room.url}/slack/${secret}
bot.token = 12:${secret}
hook.secret = ${secret}
mail.password = ${secret}
later.password = ${secret}
`);
  chmodSync(secrets, 0o600);
  const mailOf = (name, url) => `    - name: ${name}
      kind: email
      url: ${url}
      user: phoenix
      from: Phoenix <phoenix@example.org>
      to: a@example.org, B <b@example.org>
      ca_file: ${exchange.ca}
`;
  writeFileSync(config, configFor(exchange, directory) + `alerts:
  instance: tokyo1
  secrets_file: ${secrets}
  channels:
    - {name: duty, kind: wecom}
    - {name: ding, kind: dingtalk}
    - {name: fei, kind: feishu}
    - {name: slack, kind: slack}
    - {name: bot, kind: telegram, chat_id: "-100", url: "${room.url}"}
    - {name: hook, kind: webhook, url: "${room.url}/hook"}
${mailOf('mail', `smtps://localhost:${mail.port}`)}${mailOf('later', `smtp://localhost:${later.port}`)}`);
  // As docs/alerts.md shows it, but for the file's name.
  const [, shown] = /^ {4}phoenix (alerts test -c) \S+$/m.exec(readFileSync('docs/alerts.md', 'utf8'));
  const done = await run([...shown.split(' '), config]);
  assert.equal(done.code, 0, done.stdout + done.stderr);
  assert.equal(done.stdout.match(/ delivered$/gm).length, 8, done.stdout);

  const post = (name) => room.posts.findLast((p) => p.name === name);
  assert.match(post('wecom').json.markdown.content, /\[phoenix tokyo1\] test: this channel works/);
  const ding = post('dingtalk').url.searchParams;
  assert.equal(ding.get('sign'), createHmac('sha256', `SEC${secret}`).update(`${ding.get('timestamp')}\nSEC${secret}`).digest('base64'));
  assert.ok(Math.abs(Number(ding.get('timestamp')) - Date.now()) < 60_000);
  const fei = post('feishu').json;
  assert.equal(fei.sign, createHmac('sha256', `${fei.timestamp}\n${secret}`).update('').digest('base64'));
  assert.match(post('slack').json.text, /this channel works/);
  assert.equal(post('bot').url.pathname, `/bot12:${secret}/sendMessage`);
  const hook = post('hook');
  assert.equal(hook.headers['x-phoenix-signature'], `sha256=${createHmac('sha256', secret).update(hook.body).digest('hex')}`);
  assert.equal(hook.json.kind, 'test');
  for (const server of [mail, later]) {
    const [letter] = server.mails;
    assert.deepEqual([letter.from, letter.to], ['phoenix@example.org', ['a@example.org', 'b@example.org']]);
    assert.match(letter.text, /^Subject: \[phoenix tokyo1\] test: this channel works\r$/m);
    assert.ok(Math.abs(Date.parse(/^Date: (.*)$/m.exec(letter.text)[1]) - Date.now()) < 60_000);
    assert.ok(server.said.filter((s) => /AUTH|MAIL|RCPT/.test(s.line)).every((s) => s.isSecure), 'nothing is said in the clear');
    await server.stop();
  }
});

test('a channel that fails is named, and no secret with it', async () => {
  const config = join(directory, 'failing.yaml');
  writeFileSync(config, configFor(exchange, directory) + `alerts:
  channels:
    - {name: duty, kind: wecom}
    - {name: hook, kind: webhook, url: "${room.url}/hook"}
`);
  const without = await run(['alerts', 'test', '-c', config]);
  assert.equal(without.code, 2);
  assert.match(without.stderr, /alert channel duty lacks its url: set PHOENIX_ALERT_DUTY_URL in the environment/);
  const done = await run(['alerts', 'test', '-c', config], { env: { PHOENIX_ALERT_DUTY_URL: `${room.url}/refused?key=${secret}&x=1` } });
  assert.equal(done.code, 1);
  assert.match(done.stdout, /^duty +wecom +failed: answered errcode 93000/m);
  assert.match(done.stdout, /^hook +webhook +delivered$/m);
  assert.doesNotMatch(done.stdout + done.stderr, new RegExp(`key=${secret}`));
  const start_ = await run(['run', '-c', config], { env });
  assert.equal(start_.code, 2, 'a start that could not call is no start');
});

/// One sample a second of everything a running Phoenix says of itself, as series for promtool.
function recorder(url) {
  const samples = [];
  let next = Promise.resolve();
  const timer = setInterval(() => {
    next = next.then(async () => {
      const text = await (await fetch(url)).text();
      const row = new Map();
      for (const [, series, value] of text.matchAll(/^(phoenix_[a-z0-9_]+(?:\{.*\})?) (\S+)$/gm)) row.set(series, value);
      samples.push({ at: Date.now(), row });
    }).catch(() => {});
  }, 1000);
  return {
    samples,
    async stop() { clearInterval(timer); await next; },
    /// Only of metrics the rules name.
    series() {
      const rules = readFileSync(join(deploy, 'phoenix-rules.yml'), 'utf8');
      const named = new Set(rules.match(/phoenix_[a-z0-9_]+/g));
      const all = new Set(samples.flatMap((s) => [...s.row.keys()]));
      return [...all].filter((series) => named.has(series.split('{')[0])).map((series) => {
        let was = false;
        const values = samples.map(({ row }) => {
          const value = row.get(series);
          const word = value ?? (was ? 'stale' : '_');
          was = value !== undefined;
          return word;
        });
        return { series, values: values.join(' ') };
      });
    },
  };
}

test('a stream that dies on both lines is told within five seconds, acted on, taken back, and seen alike by Prometheus', { timeout: 200_000 }, async (t) => {
  const base = temporaryDirectory();
  const config = join(base, 'config.yaml');
  const metrics = await freePort();
  writeFileSync(config, configFor(exchange, base).replace('metrics_port: 0', `metrics_port: ${metrics}\n  log_level: debug`) + `alerts:
  instance: test
  clear_after_s: 2
  channels:
    - {name: duty, kind: wecom}
    - {name: ding, kind: dingtalk}
    - {name: hook, kind: webhook, url: "${room.url}/live"}
`);
  const secrets = { PHOENIX_ALERT_DUTY_URL: `${room.url}/wecom?key=${secret}`, PHOENIX_ALERT_DING_URL: `${room.url}/dingtalk?access_token=${secret}`,
    PHOENIX_ALERT_DING_SECRET: `SEC${secret}`, PHOENIX_ALERT_HOOK_SECRET: secret };
  room.broken.add('wecom');  // O6: the first channel is down
  room.posts.length = 0;
  const maker = begin(['run', '-c', config], { env: { ...env, ...secrets } });
  const told = (kind, rule) => room.posts.find((p) => p.name === 'live' && p.json.kind === kind && (!rule || p.json.rule === rule));
  await until('it says that it started', () => told('started'));
  await maker.said(/live symbol=ETHUSDC/);
  const url = `http://127.0.0.1:${metrics}/metrics`;
  const record = recorder(url);
  await new Promise((done) => setTimeout(done, 5000));

  const servers = await startServers(base, metrics);
  const dead = Date.now();
  await put('at 0s for 60s mute_stream public stream=ethusdc@depth@100ms');
  const price = await until('the price is told', () => told('fired', 'price_unproved'), 10_000);
  const quoting = await until('that nothing is quoted is told', () => told('fired', 'not_quoting'), 15_000);
  assert.deepEqual(price.json.subjects.map((s) => s.name), ['ETHUSDC']);
  // The verdict takes up to 2 s and its dwell 1 s; a hold is told within five seconds of its begin.
  t.diagnostic(`price_unproved after ${price.at - dead} ms, not_quoting after ${quoting.at - dead} ms`);
  const text = await (await fetch(url)).text();
  assert.match(text, /^phoenix_alert_active\{alert="not_quoting",symbol="ETHUSDC",level="2"\} 1$/m);
  const wechat = (pattern) => room.posts.find((p) => p.url.pathname === '/wechat/message/send' && pattern.test(p.body));
  if (servers) await until('Alertmanager writes to the duty', () => wechat(/Alerts Firing.*PhoenixPriceUnproved/), 60_000);
  await new Promise((done) => setTimeout(done, 5000));
  await lift();
  await until('both are over', () => told('resolved', 'price_unproved') && told('resolved', 'not_quoting'), 60_000);
  if (servers) await until('Alertmanager says so, too', () => wechat(/Alerts Resolved.*PhoenixPriceUnproved/), 60_000);
  await new Promise((done) => setTimeout(done, 3000));
  await record.stop();

  assert.ok(room.posts.some((p) => p.name === 'dingtalk' && /not_quoting/.test(p.body)), 'two channels at once, without the broken one');
  room.broken.clear();
  maker.child.kill('SIGINT');
  assert.equal(await maker.exit, 0, maker.stderr.slice(-2000));
  const goodbye = told('stopped');
  assert.equal(goodbye.json.what, '0 orders are known to rest');
  assert.match(maker.stderr, /alert channel duty failed: answered 503/);
  assert.match(maker.stderr, /alert fired level=2 rule=not_quoting subject=ETHUSDC=0/);
  assert.doesNotMatch(maker.stdout + maker.stderr, new RegExp(secret), 'no secret in a log of level debug');

  if (servers) {
    // What Phoenix cannot say itself: it is gone. Level 3 goes to everybody.
    const called = (status) => room.posts.find((p) => p.name === 'alertmanager' && p.json.status === status && p.json.alerts.some((a) => a.labels.alertname === 'PhoenixSilent'));
    const mailed = (pattern) => servers.mail.mails.find((m) => pattern.test(m.text));
    await until('everybody is called', () => called('firing') && mailed(/^Subject: \[FIRING:1\] PhoenixSilent/m), 60_000);
    assert.deepEqual(mailed(/FIRING/).to, ['duty@example.org']);
    const again = begin(['run', '-c', config], { env: { ...env, ...secrets } });
    await until('everybody is told that it is back', () => called('resolved') && mailed(/^Subject: \[RESOLVED\] PhoenixSilent/m), 60_000);
    again.child.kill('SIGINT');
    assert.equal(await again.exit, 0, again.stderr.slice(-2000));
    await servers.mail.stop();
  }

  if (!has('promtool')) return;
  // What was recorded, given to promtool: the rules for Prometheus find the same incident.
  const last = record.samples.findLastIndex(({ row }) => row.get('phoenix_symbol_live{symbol="ETHUSDC"}') === '0');
  const unit = join(base, 'incident.yml');
  writeFileSync(unit, JSON.stringify({
    rule_files: [join(deploy, 'phoenix-rules.yml')], evaluation_interval: '1s',
    tests: [{
      interval: '1s', input_series: record.series(),
      promql_expr_test: ['PhoenixPriceUnproved', 'PhoenixNotQuoting', 'PhoenixKillLatched'].map((name) => ({
        expr: `count(ALERTS{alertname="${name}",alertstate="firing",symbol=~"ETHUSDC|"}) or vector(0)`, eval_time: `${last}s`,
        exp_samples: [{ labels: '{}', value: name === 'PhoenixKillLatched' ? 0 : 1 }],
      })),
    }],
  }));
  const done = shell(`promtool test rules '${unit}'`);
  assert.equal(done.code, 0, done.said.slice(-3000));
});

/// Prometheus and Alertmanager with the configuration that is delivered, but for addresses and for how long it waits before it says
/// that something is over. Undefined where they are missing.
async function startServers(base, metrics) {
  if (!has('prometheus', 'prometheus-alertmanager')) return undefined;
  const replace = (file, pairs) => pairs.reduce((text, [from, to]) => {
    assert.ok(text.includes(from), `${file} has: ${from}`);
    return text.replaceAll(from, to);
  }, readFileSync(join(deploy, file), 'utf8'));
  const mail = await startMail({ ...tls, user: 'phoenix@example.org', password: secret, fromStart: false });
  const password = join(base, 'smtp.password');
  writeFileSync(password, secret, { mode: 0o600 });
  const manager = await startAlertmanager(base, replace('alertmanager.yml', [
    ['global:', `global:\n  wechat_api_url: '${room.url}/wechat/'`],
    ['mail.example.org:587', `localhost:${mail.port}`],
    ['/etc/alertmanager/smtp.password', password],
    ["      - to: 'duty@example.org'", `      - to: 'duty@example.org'\n        tls_config: {ca_file: '${exchange.ca}'}`],
    ['http://127.0.0.1:8060/phoenix', `${room.url}/alertmanager`],
    ['group_interval: 1m', 'group_interval: 1s'],
  ]));
  ends.push(manager.stop);
  const own = await startPrometheus(base, replace('prometheus.yml', [
    ['127.0.0.1:9093', `127.0.0.1:${manager.port}`],
    ['127.0.0.1:9090', `127.0.0.1:${metrics}`],
    ['phoenix-rules.yml', join(deploy, 'phoenix-rules.yml')],
  ]));
  ends.push(own.stop);
  return { mail };
}

test('an alert whose action is kill sets the latch, and nothing is quoted until a person takes it away', { timeout: 120_000 }, async () => {
  const base = temporaryDirectory();
  const config = join(base, 'config.yaml');
  writeFileSync(config, configFor(exchange, base) + `alerts:
  channels:
    - {name: hook, kind: webhook, url: "${room.url}/kill"}
  rules:
    - {rule: not_quoting, action: kill, after_s: 1}
`);
  room.posts.length = 0;
  const maker = begin(['run', '-c', config], { env });
  await maker.said(/live symbol=ETHUSDC/);
  await put('at 0s for 60s mute_stream public stream=ethusdc@depth@100ms');
  await until('it is told', () => room.posts.find((p) => p.json.rule === 'kill_latched'));
  await lift();
  assert.ok(existsSync(join(base, 'maker/kill-latch')));
  maker.child.kill('SIGINT');
  await maker.exit;
  const again = await run(['run', '-c', config], { env });
  assert.equal(again.code, 2);
  assert.match(again.stderr, /the kill latch is set since .*alert not_quoting ETHUSDC: the symbol is not quoted/);
});

test('an alert whose action is hold withdraws one symbol for as long as it lasts', { timeout: 120_000 }, async () => {
  const base = temporaryDirectory();
  const config = join(base, 'config.yaml');
  const metrics = await freePort();
  // A threshold of nothing: the first fill makes usage exceed it, and flat again it is over.
  writeFileSync(config, configFor(exchange, base).replace('metrics_port: 0', `metrics_port: ${metrics}`) + `alerts:
  rules:
    - {rule: usage_high, action: hold, threshold: 0.01, after_s: 0}
`);
  const maker = begin(['run', '-c', config], { env });
  await maker.said(/live symbol=ETHUSDC/);
  await maker.said(/asked for symbol=ETHUSDC wish=hold by="alert usage_high ETHUSDC"/);
  const metric = async (pattern) => pattern.test(await (await fetch(`http://127.0.0.1:${metrics}/metrics`)).text());
  await until('it is held', () => metric(/^phoenix_guard_active\{symbol="ETHUSDC",reason="alert_hold"/m));
  await until('nothing rests', async () => await metric(/^phoenix_orders_live\{symbol="ETHUSDC",side="bid"\} 0$/m) && metric(/^phoenix_orders_live\{symbol="ETHUSDC",side="ask"\} 0$/m));
  maker.child.kill('SIGINT');
  assert.equal(await maker.exit, 0, maker.stderr.slice(-2000));
});

test('the guard sends what it does', { timeout: 120_000 }, async () => {
  const base = temporaryDirectory();
  const config = join(base, 'config.yaml');
  writeFileSync(config, configFor(exchange, base) + `alerts:
  channels:
    - {name: hook, kind: webhook, url: "${room.url}/guard"}
`);
  const maker = begin(['run', '-c', config], { env });
  await maker.said(/live symbol=ETHUSDC/);
  const guard = begin(['guard', '-c', config], { env });
  await guard.said(/guarding/);
  maker.child.kill('SIGKILL');
  const post = await until('the guard tells', () => room.posts.find((p) => p.name === 'guard' && p.json.kind === 'event'));
  assert.equal(post.json.level, 3);
  assert.match(post.json.what, /^guard: .*gone without having left/);
  guard.child.kill('SIGTERM');
  await guard.exit;
});

test('a recorder tells that it lost the venue', { timeout: 120_000 }, async () => {
  const base = temporaryDirectory();
  const other = await startExchange(join(base, 'exchange'));
  ends.push(() => other.stop().catch(() => {}));
  const config = join(base, 'config.yaml');
  writeFileSync(config, configFor(other, base) + `alerts:
  clear_after_s: 1
  channels:
    - {name: hook, kind: webhook, url: "${room.url}/record"}
  rules:
    - {rule: connection_down, after_s: 3}
`);
  const record = begin(['record', '-c', config]);
  await until('it records', () => /rows_durable=[1-9]|symbols_live=[1-9]/.test(record.stderr), 60_000);
  other.child.kill('SIGKILL');
  const post = await until('it is told', () => room.posts.find((p) => p.name === 'record' && p.json.rule === 'connection_down'));
  assert.equal(post.json.kind, 'fired');
  assert.ok(post.json.subjects.length > 0);
  record.child.kill('SIGINT');
  await record.exit;
});
