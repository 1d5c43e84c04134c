// What docs/security.md promises, tried on running processes: where the secret is and where it is not, what each port refuses, and
// what the program is made of.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, readSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { basename, join } from 'node:path';
import { after, before, test } from 'node:test';

import { configFor, freePort, phoenix, run, start, startExchange, temporaryDirectory } from './program.mjs';

const directory = temporaryDirectory();
const secret = randomBytes(32).toString('hex');
const dashboardToken = randomBytes(16).toString('hex');
const tokenFile = join(directory, 'token');
const ends = [];
let exchange, control, keys;

before(async () => {
  exchange = await startExchange(join(directory, 'exchange'), ['--api-secret', secret, '--control-port', '0']);
  control = (await exchange.said(/control +(http:\S+)/))[1];
  writeFileSync(tokenFile, `${dashboardToken}\n`, { mode: 0o600 });
  const runtime = join(directory, 'runtime');
  mkdirSync(runtime, { mode: 0o700 });
  keys = { BINANCE_API_KEY: exchange.key, BINANCE_API_SECRET: secret, XDG_RUNTIME_DIR: runtime };
});
after(async () => {
  for (const end of ends.reverse()) await end();
  await exchange.stop();
});

/// A maker that has orders at the venue. `extra`: of its configuration.
async function startMaker(name, venue, env, extra = '', port = 0) {
  const base = join(directory, name);
  mkdirSync(base);
  const config = join(base, 'config.yaml');
  writeFileSync(config, configFor(venue, base, { extra: `  log_level: debug\n${extra}` }).replace('metrics_port: 0', `metrics_port: ${port}`));
  const maker = start(['run', '-c', config], { env });
  maker.exit.catch(() => {});
  ends.push(async () => {
    maker.child.kill('SIGKILL');
    await maker.exit.catch(() => {});
  });
  await maker.said(/live symbol=ETHUSDC/);
  return { ...maker, config, base, pid: maker.child.pid, output: () => maker.stdout + maker.stderr, async stop() {
    maker.child.kill('SIGINT');
    return maker.exit;
  } };
}

// Memory.

/// The mappings of a process with their flags, as the kernel tells them.
function mappings(pid) {
  const found = [];
  for (const line of readFileSync(`/proc/${pid}/smaps`, 'utf8').split('\n')) {
    const head = /^([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+ *(.*)$/.exec(line);
    if (head) found.push({ begin: Number.parseInt(head[1], 16), end: Number.parseInt(head[2], 16), mode: head[3], name: head[4], flags: '' });
    const flags = /^VmFlags: (.*)$/.exec(line);
    if (flags) found.at(-1).flags = flags[1];
  }
  return found;
}

/// Where in the memory of a process the bytes are: each mapping that holds them.
function whereIs(pid, needles) {
  const memory = openSync(`/proc/${pid}/mem`, 'r');
  const chunk = Buffer.alloc(8 << 20);
  const overlap = Math.max(...needles.map((n) => n.length)) - 1;
  const found = [];
  for (const mapping of mappings(pid)) {
    if (!mapping.mode.startsWith('r') || ['[vvar]', '[vsyscall]'].includes(mapping.name)) continue;
    for (let at = mapping.begin; at < mapping.end; at += chunk.length - overlap) {
      const length = Math.min(chunk.length, mapping.end - at);
      let got = 0;
      try {
        got = readSync(memory, chunk, 0, length, at);
      } catch {
        continue; // a part of it is not there
      }
      if (needles.some((needle) => chunk.subarray(0, got).includes(needle))) {
        found.push(mapping);
        break;
      }
    }
  }
  closeSync(memory);
  return found;
}

const mayLock = () => {
  const line = /Max locked memory +(\S+) +(\S+)/.exec(readFileSync('/proc/self/limits', 'utf8'));
  return line[2] === 'unlimited' || Number(line[2]) >= 1 << 20;
};

const isRoot = process.geteuid() === 0;

function assertKept(pid, needles) {
  assert.match(readFileSync(`/proc/${pid}/limits`, 'utf8'), /Max core file size +0 +0/);
  if (!isRoot) {
    for (const what of ['mem', 'environ', 'smaps']) assert.throws(() => readFileSync(`/proc/${pid}/${what}`), /EACCES|EPERM/, what);
    return;
  }
  const places = whereIs(pid, needles);
  assert.notEqual(places.length, 0, 'it is somewhere: else this looks in the wrong way');
  for (const place of places) {
    const flags = place.flags.split(' ');
    assert.ok(flags.includes('dd'), `in a core file: ${JSON.stringify(place)}`);
    if (mayLock()) assert.ok(flags.includes('lo'), `may be swapped: ${JSON.stringify(place)}`);
  }
  const environment = readFileSync(`/proc/${pid}/environ`);
  for (const needle of needles) assert.ok(!environment.includes(needle), 'its environment shows it');
}

/// Every file below a directory.
const filesOf = (place) => readdirSync(place, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath ?? entry.path, entry.name));

function assertNowhere(text, places) {
  for (const place of places) {
    for (const file of filesOf(place)) assert.ok(!readFileSync(file).includes(text), `${file} holds it`);
  }
}

test('a secret from the environment is in locked memory alone, and in nothing the maker writes or says', { timeout: 180_000 }, async () => {
  const maker = await startMaker('environment', exchange, keys, `  metrics_token_file: ${tokenFile}\n`);
  assertKept(maker.pid, [Buffer.from(secret)]);
  assert.ok(!readFileSync(`/proc/${maker.pid}/cmdline`).includes(secret));
  assert.equal(await maker.stop(), 0, maker.output());
  assert.ok(!maker.output().includes(secret));
  assert.match(maker.output(), /live symbol=ETHUSDC/);
  assertNowhere(secret, [maker.base]);
  assertNowhere(dashboardToken, [maker.base]);
});

test('so is a private key, whose file nobody else may read', { timeout: 180_000 }, async () => {
  const { privateKey } = generateKeyPairSync('ed25519');
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' });
  const seed = privateKey.export({ type: 'pkcs8', format: 'der' }).subarray(-32);
  const shown = createPublicKey(createPrivateKey(pem)).export({ type: 'spki', format: 'der' }).subarray(-32).toString('base64');
  const venue = await startExchange(join(directory, 'exchange-ed25519'), ['--api-secret', `ed25519:${shown}`]);
  ends.push(() => venue.stop());
  const keyFile = join(directory, 'key.pem'), credentials = join(directory, 'credentials');
  writeFileSync(keyFile, pem, { mode: 0o644 });
  writeFileSync(credentials, `api_key = ${venue.key}\ned25519_key_file = ${keyFile}\n`, { mode: 0o600 });
  const env = { ...keys, BINANCE_API_KEY: '', BINANCE_API_SECRET: '' };
  const config = join(directory, 'ed25519.yaml');
  writeFileSync(config, configFor(venue, directory, { extra: `  credentials_file: ${credentials}\n` }));
  const refused = await run(['run', '-c', config], { env });
  assert.equal(refused.code, 2);
  assert.match(refused.stderr, /key\.pem: the private key must have mode 0600, was 0644/);

  execFileSync('chmod', ['0600', keyFile]);
  const maker = await startMaker('file', venue, env, `  credentials_file: ${credentials}\n`);
  assertKept(maker.pid, [seed, Buffer.from(pem.split('\n')[1])]);
  assert.equal(await maker.stop(), 0, maker.output());
  assertNowhere(seed, [maker.base]);
});

test('a guard gives the maker that it starts the secret it had, and neither keeps it in its environment', { timeout: 180_000 }, async () => {
  const base = join(directory, 'guarded');
  mkdirSync(base);
  const config = join(base, 'config.yaml');
  writeFileSync(config, configFor(exchange, base));
  const maker = start(['run', '-c', config], { env: keys });
  maker.exit.catch(() => {});
  await maker.said(/live symbol=ETHUSDC/);
  const guard = start(['guard', '-c', config, '--restart', '--interval', '50ms'], { env: keys });
  guard.exit.catch(() => {});
  let second = 0;
  ends.push(async () => {
    guard.child.kill('SIGKILL');
    if (second) process.kill(second, 'SIGKILL');
    await guard.exit.catch(() => {});
  });
  await guard.said(/guarding/);
  assertKept(guard.child.pid, [Buffer.from(secret)]);
  maker.child.kill('SIGKILL');
  await guard.said(/live symbol=ETHUSDC/);
  second = Number(readFileSync(`/proc/${guard.child.pid}/task/${guard.child.pid}/children`, 'utf8').trim().split(' ')[0]);
  assertKept(second, [Buffer.from(secret)]);
  // The account is free again for who comes next.
  process.kill(second, 'SIGINT');
  await guard.said(/left safely/);
  guard.child.kill('SIGINT');
  await guard.exit;
  second = 0;
});

test('no option of the program takes a secret, but that of the local exchange', () => {
  const options = [];
  for (const file of filesOf('src/app').filter((f) => f.endsWith('.cpp'))) {
    for (const [, names] of readFileSync(file, 'utf8').matchAll(/"((?:-\w,)?--[a-z][a-z-]*)"/g)) options.push(names);
  }
  assert.ok(options.length > 40, options.join());
  assert.deepEqual([...new Set(options)].filter((name) => /secret|token|password|private|pem/.test(name)), ['--api-secret']);
});

// Ports.

/// What comes back for bytes sent as they are; '' when the connection is closed without a word.
function raw(url, bytes) {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    let said = '';
    const socket = connect(Number(port), hostname, () => socket.write(bytes));
    socket.on('data', (d) => { said += d; });
    socket.on('close', () => resolve(said));
    socket.on('error', (fault) => (['ECONNRESET', 'EPIPE'].includes(fault.code) ? resolve(said) : reject(fault)));
    socket.setTimeout(30_000, () => { socket.destroy(); reject(new Error(`no end: ${said}`)); });
  });
}
const statusOf = (answer) => Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1] ?? 0);
const ask = (url, path, headers = {}, method = 'GET', body = '') => new Promise((resolve, reject) => {
  const { hostname, port } = new URL(url);
  const asked = request({ hostname, port, path, method, headers }, (answer) => {
    let text = '';
    answer.on('data', (d) => { text += d; });
    answer.on('end', () => resolve({ status: answer.statusCode, text }));
  });
  asked.on('error', reject);
  asked.end(body);
});

test('every port refuses what is too long, malformed, or from another site', { timeout: 180_000 }, async () => {
  const port = await freePort();
  const maker = await startMaker('ports', exchange, keys, `  metrics_token_file: ${tokenFile}\n`, port);
  const dashboard = `http://127.0.0.1:${port}`;
  const bodies = { [exchange.plain.rest]: 1 << 20, [control]: 1 << 20, [dashboard]: 4096 };
  for (const [url, bodyMax] of Object.entries(bodies)) {
    const host = `Host: ${new URL(url).host}\r\n`;
    assert.equal(statusOf(await raw(url, `GET / HTTP/1.1\r\n${host}X: ${'x'.repeat(20_000)}\r\n\r\n`)), 431, url);
    assert.equal(statusOf(await raw(url, `POST / HTTP/1.1\r\n${host}Content-Length: ${bodyMax + 1}\r\n\r\n`)), 413, url);
    assert.equal(statusOf(await raw(url, 'rubbish\r\n\r\n')), 400, url);
    assert.equal(statusOf(await raw(url, `GET / HTTP/1.1\r\n${host}Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n`)), 400, url);
    for (const path of ['/../../etc/passwd', '/%2e%2e/%2e%2e/etc/passwd', '/assets/../../../etc/passwd', '//etc/passwd']) {
      const answer = await ask(url, path);
      assert.ok(answer.status === 404 || answer.status === 403, `${url}${path}: ${answer.status}`);
      assert.doesNotMatch(answer.text, /root:/);
    }
  }
  const noText = Buffer.from([0x61, 0x74, 0x20, 0xf3, 0xf3, 0x0a]);
  assert.equal((await ask(control, '/faults', {}, 'POST', noText)).status, 400, 'bytes that are no text are an error, not the end');
  const faults = 'at 0s for 1s mute public';
  for (const headers of [{ Origin: 'https://elsewhere.example' }, { Host: 'rebound.example' }]) {
    assert.equal((await ask(control, '/faults', headers, 'POST', faults)).status, 403, JSON.stringify(headers));
    assert.equal((await ask(control, '/state', headers)).status, 403);
  }
  assert.deepEqual(JSON.parse((await ask(control, '/faults')).text).faults, []);
  for (const path of ['/', '/status', '/metrics', '/healthz', '/nothing'])
    assert.equal((await ask(dashboard, path, { Host: 'rebound.example' })).status, 403, path);
  const own = { Origin: dashboard, Authorization: `Bearer ${dashboardToken}` };
  const pause = JSON.stringify({ action: 'pause', symbol: 'ETHUSDC', confirm: 'pause ETHUSDC' });
  assert.equal((await ask(dashboard, '/actions', { Authorization: own.Authorization }, 'POST', pause)).status, 403, 'without an origin');
  assert.equal((await ask(dashboard, '/actions', { ...own, Origin: 'https://elsewhere.example' }, 'POST', pause)).status, 403);
  assert.equal((await ask(dashboard, '/actions', { ...own, Authorization: 'Bearer 0123456789abcdef' }, 'POST', pause)).status, 401);
  assert.equal((await ask(dashboard, '/actions', own, 'POST', pause)).status, 200);
  for (const path of ['/status', '/metrics']) assert.ok(!(await ask(dashboard, path)).text.includes(secret), path);
  assert.equal(await maker.stop(), 0, maker.output());
});

test('a page that shows no token where one is needed holds its place for seconds only', { timeout: 180_000 }, async () => {
  const port = await freePort();
  const maker = await startMaker('pages', exchange, keys, `  metrics_token_file: ${tokenFile}\n  metrics_address: 0.0.0.0\n`, port);
  const address = `http://127.0.0.1:${port}`;
  assert.equal((await ask(address, '/status')).status, 401);
  const said = await raw(address, `GET /live HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n`
    + 'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n');
  assert.equal(statusOf(said), 101);
  assert.match(said, /no token$/);
  assert.doesNotMatch(said, /ETHUSDC/, 'it was told nothing');
  assert.equal(await maker.stop(), 0, maker.output());
});

// What it is made of.

test('the bill of materials names every library the program loads, with a licence that was read', () => {
  const output = join(directory, 'phoenix.cdx.json');
  execFileSync('node', ['scripts/sbom.mjs', '--check', phoenix, output], { stdio: 'pipe' });
  const text = readFileSync(output, 'utf8');
  const bom = JSON.parse(text);
  assert.equal(bom.bomFormat, 'CycloneDX');
  assert.equal(bom.specVersion, '1.5');
  const named = bom.components.flatMap((c) => [c, ...(c.components ?? [])]).filter((c) => c.hashes).map((c) => c.name);
  const loaded = [...execFileSync('ldd', [phoenix], { encoding: 'utf8' }).matchAll(/(\/\S+) \(0x/g)].map((m) => m[1]);
  assert.ok(loaded.length > 10);
  for (const file of loaded) {
    const real = basename(execFileSync('readlink', ['-f', file], { encoding: 'utf8' }).trim());
    assert.ok(named.includes(real), `${real} is in no component`);
  }
  const refs = new Set(bom.components.map((c) => c['bom-ref']));
  assert.equal(refs.size, bom.components.length, 'each component once');
  for (const component of bom.components) {
    assert.match(component.purl, /^pkg:(deb|npm)\/[^@]+@[^?@]+/, component.name);
    assert.ok(component.version, component.name);
    assert.equal(component.licenses.length, 1, component.name);
    for (const file of component.components ?? []) assert.match(file.hashes[0].content, /^[0-9a-f]{64}$/);
  }
  for (const dependency of bom.dependencies) for (const ref of dependency.dependsOn) assert.ok(refs.has(ref), ref);
  for (const name of ['libssl3', 'uplot', 'nlohmann-json3-dev']) assert.ok(bom.components.some((c) => c.name === name), name);
  execFileSync('node', ['scripts/sbom.mjs', phoenix, output], { stdio: 'pipe' });
  assert.equal(readFileSync(output, 'utf8'), text, 'the same twice');
});

test('the table of dependencies is what the program is made of', () => {
  const table = execFileSync('node', ['scripts/sbom.mjs', '--table', phoenix], { encoding: 'utf8' });
  const page = readFileSync('docs/dependencies.md', 'utf8');
  assert.ok(page.includes(table.trim()), `docs/dependencies.md lacks:\n${table}`);
});

test('the page about security names files that are there', () => {
  const page = readFileSync('docs/security.md', 'utf8');
  for (const [, file] of page.matchAll(/\]\((?!http)([^)#]+)/g)) assert.ok(existsSync(join('docs', file)), file);
});
