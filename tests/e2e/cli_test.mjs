// What a person at a terminal meets: help, the manual page, the Tab key, progress, the live status.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';

import { configFor, freePort, phoenix, run, start, startExchange, temporaryDirectory } from './program.mjs';

const directory = temporaryDirectory();
const page = join(directory, 'phoenix.1');
const has = (tool) => spawnSync('sh', ['-c', `command -v ${tool}`]).status === 0;

/// Runs a shell command on a terminal of its own. `type` presses keys, `said` waits for what is shown.
function onTerminal(command, env = {}) {
  const child = spawn('script', ['-qefc', command, '/dev/null'],
    { env: { ...process.env, TERM: 'xterm', SHELL: '/bin/sh', PATH: `${directory}/bin:${process.env.PATH}`, ...env }, stdio: ['pipe', 'pipe', 'inherit'] });
  const terminal = { shown: '' };
  const waiting = new Set();
  child.stdout.on('data', (data) => {
    terminal.shown += data;
    for (const each of [...waiting]) {
      if (each.pattern.test(terminal.shown)) {
        waiting.delete(each);
        each.resolve();
      }
    }
  });
  terminal.said = (pattern) => new Promise((resolve, reject) => {
    if (pattern.test(terminal.shown)) return resolve();
    waiting.add({ pattern, resolve, reject });
  });
  terminal.type = (keys) => child.stdin.write(keys);
  terminal.exit = new Promise((resolve) => child.on('close', (code) => {
    for (const each of waiting) each.reject(new Error(`ended before showing ${each.pattern}:\n${terminal.shown}`));
    resolve(code);
  }));
  return terminal;
}

before(async () => {
  mkdirSync(join(directory, 'bin'));
  symlinkSync(resolve(phoenix), join(directory, 'bin/phoenix'));
  writeFileSync(page, (await run(['manual'])).stdout);
});

test('the version says what was built with what', async () => {
  const { code, stdout } = await run(['--version']);
  assert.equal(code, 0);
  const lines = stdout.trimEnd().split('\n');
  assert.match(lines[0], /^phoenix \d+\.\d+\.\d+$/);
  assert.match(lines[1], /^commit (unknown|[0-9a-f]{7,40}(-dirty)?)$/);
  assert.match(lines[2], /^compiler .*\d/);
  for (const library of ['Boost', 'OpenSSL', 'zlib', 'zstd', 'SQLite', 'curl', 'DuckDB', 'fmt', 'spdlog', 'CLI11'])
    assert.match(lines[3], new RegExp(`${library} v?\\d`), library);
});

test('every command has help with examples, and what is wrong is 2', async () => {
  const markdown = (await run(['manual', '--format', 'markdown'])).stdout;
  const commands = [...markdown.matchAll(/^### phoenix (.+)$/gm)].map((match) => match[1]);
  assert.ok(commands.length >= 24, commands.join());
  for (const command of commands) {
    const help = await run([...command.split(' '), '--help']);
    assert.equal(help.code, 0);
    assert.match(help.stdout, /^Usage: phoenix /m);
    assert.match(help.stdout, /^Examples:\n {2}phoenix /m, command);
  }
  for (const words of [['demo', '--no-such-option'], ['run'], ['emergency'], []]) {
    const wrong = await run(words);
    assert.equal(wrong.code, 2, words.join(' '));
    assert.equal(wrong.stdout, '');
    assert.match(wrong.stderr, /^Usage: phoenix /m);
  }
  const overview = await run(['--help']);
  assert.equal(overview.code, 0);
  for (const section of ['Trading', 'Recording', 'Testing and research', 'Operating', 'About the program'])
    assert.match(overview.stdout, new RegExp(`^${section}:$`, 'm'));
  const misspelt = await run(['stauts']);
  assert.equal(misspelt.code, 2);
  assert.match(misspelt.stderr, /there is no command 'stauts'; did you mean status\?/);
});

test('the manual page is one that man likes', (t) => {
  if (!has('groff')) return t.skip('groff is not installed');
  const warned = spawnSync('groff', ['-man', '-Tutf8', '-ww', '-rLL=78n', page], { encoding: 'utf8' });
  assert.equal(warned.status, 0);
  assert.equal(warned.stderr, '');
  const text = warned.stdout.replace(/.\x08/g, ''); // bold is a letter twice
  assert.match(text, /phoenix emergency cancel-all/);
  assert.match(text, /EXIT STATUS/);
});

test('bash completes commands, options, choices and files', async () => {
  const script = join(directory, 'phoenix.bash');
  writeFileSync(script, (await run(['completion', 'bash'])).stdout);
  writeFileSync(join(directory, 'local.yaml'), '');
  const offered = (...words) => {
    const quoted = words.map((word) => `'${word}'`).join(' ');
    const { status, stdout, stderr } = spawnSync('bash', ['--norc', '-c',
      `source '${script}'; COMP_WORDS=(${quoted}); COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); _phoenix; printf '%s\\n' "\${COMPREPLY[@]}"`],
    { encoding: 'utf8', cwd: directory });
    assert.equal(status, 0, stderr);
    return stdout.trimEnd().split('\n');
  };
  assert.deepEqual(offered('phoenix', 'emer'), ['emergency']);
  assert.deepEqual(offered('phoenix', 'emergency', '').sort(), ['cancel-all', 'close-all', 're-arm']);
  assert.ok(offered('phoenix', '').includes('demo') && offered('phoenix', '').includes('status'));
  assert.deepEqual(offered('phoenix', 'run', '--lim'), ['--limited']);
  assert.deepEqual(offered('phoenix', 'emergency', 'cancel-all', '--dr'), ['--dry-run']);
  assert.deepEqual(offered('phoenix', 'query', '--format', 'c'), ['csv']);
  assert.deepEqual(offered('phoenix', 'query', '--format', '=', 'c'), ['csv']);
  assert.deepEqual(offered('phoenix', 'sweep', '--by', 'fill').sort(), ['fill-rate', 'fills']);
  assert.deepEqual(offered('phoenix', 'run', '-c', 'loc'), ['local.yaml']);
  assert.deepEqual(offered('phoenix', 'run', '-c', 'local.yaml', '--p'), ['--paper']);
  assert.deepEqual(offered('phoenix', 'verify', 'b'), ['bin'], 'a directory');
  assert.deepEqual(offered('phoenix', 'completion', ''), ['bash', 'zsh', 'fish']);
  assert.deepEqual(offered('phoenix', 'demo', '--for', ''), [''], 'nobody knows how long');
});

test('the scripts for the Tab key are sound in every shell that is here', async (t) => {
  for (const [shell, check] of [['bash', ['-n']], ['zsh', ['-n']], ['fish', ['--no-execute']]]) {
    const script = join(directory, `completion.${shell}`);
    writeFileSync(script, (await run(['completion', shell])).stdout);
    if (!has(shell)) {
      t.diagnostic(`${shell} is not installed`);
      continue;
    }
    const { status, stderr } = spawnSync(shell, [...check, script], { encoding: 'utf8' });
    assert.equal(status, 0, stderr);
    assert.equal(stderr, '');
  }
});

test('long work has a bar on a terminal, and Ctrl-C leaves a clean line', async () => {
  const terminal = onTerminal('stty cols 72; exec phoenix simulate --seed 1 --hours 700');
  await terminal.said(/simulating +\d+ % \[[#.]{8,}\] +[\d.]+ virtual s\/s, \d+ (s|min|h) left/);
  for (const bar of terminal.shown.split('\r\x1b[K').slice(1)) assert.ok(bar.length < 72, bar);
  terminal.type('\x03');
  assert.equal(await terminal.exit, 130);
  assert.match(terminal.shown, /\r\x1b\[K[^%]*$/, 'the bar is gone');
});

test('without a terminal it has plain lines, and none beside JSON', async () => {
  const plain = start(['simulate', '--seed', '1', '--hours', '700']);
  const json = start(['simulate', '--seed', '1', '--hours', '700', '--json']);
  plain.exit.catch(() => {});
  await plain.said(/^simulating +\d+ %, [\d.]+ virtual s\/s, \d+ (s|min|h) left$/m);
  assert.doesNotMatch(plain.stderr, /[\r\x1b]/);
  assert.match(json.stderr, /^seed 1\n$/);
  for (const running of [plain, json]) running.child.kill('SIGINT');
  assert.equal(await plain.exit, 'SIGINT');
  await json.exit;
});

test('what runs is shown live on a narrow terminal, in colours unless they are not wanted, and the screen comes back', async (t) => {
  const exchange = await startExchange(join(directory, 'exchange'));
  const port = await freePort();
  const config = join(directory, 'live.yaml');
  const runtime = join(directory, 'runtime');
  mkdirSync(runtime, { mode: 0o700 });
  const env = { BINANCE_API_KEY: exchange.key, BINANCE_API_SECRET: exchange.secret, XDG_RUNTIME_DIR: runtime };
  writeFileSync(config, configFor(exchange, directory).replace('metrics_port: 0', `metrics_port: ${port}`));

  await t.test('where nobody answers it says what helps', async () => {
    const once = await run(['status', '-c', config, '--once']);
    assert.equal(once.code, 1);
    assert.match(once.stderr, new RegExp(`^phoenix: nobody answers at 127\\.0\\.0\\.1:${port}.*\nis it running\\? .phoenix run -c ${config}. starts it`));
    const live = onTerminal(`exec phoenix status -c ${config}`);
    await live.said(/nobody answers at .*asking again/);
    live.type('\x03');
    assert.equal(await live.exit, 0);
  });

  const maker = start(['run', '-c', config], { env });
  maker.exit.catch(() => {});
  await maker.said(/live symbol=ETHUSDC/);

  await t.test('live', async () => {
    const live = onTerminal(`stty cols 60 rows 14; exec phoenix status -c ${config}`);
    await live.said(/\x1b\[32mlive\x1b\[0m/);
    assert.ok(live.shown.startsWith('\x1b[?1049h\x1b[?25l'), 'a screen of its own');
    const [, picture] = live.shown.split('\x1b[H');
    const lines = picture.replace(/\x1b\[[0-9;?]*[a-zA-Z]/g, '').split('\r\n');
    assert.ok(lines.length <= 14, `${lines.length} lines`);
    for (const line of lines) assert.ok(line.length <= 60, line);
    assert.ok(lines.some((line) => line.startsWith('ETHUSDC')), picture);
    live.type('\x03');
    assert.equal(await live.exit, 0);
    assert.ok(live.shown.endsWith('\x1b[?25h\x1b[?1049l'), 'the cursor and the screen before');
  });

  await t.test('a terminal that changes its size gets a new picture at once', async () => {
    const live = onTerminal(`tty; stty cols 60 rows 14; exec phoenix status -c ${config}`);
    await live.said(/ETHUSDC/);
    const [, device] = /^(\/dev\/\S+)/m.exec(live.shown);
    assert.equal(spawnSync('stty', ['-F', device, 'cols', '200']).status, 0);
    await live.said(/unrealised/);
    assert.doesNotMatch(live.shown.split('\x1b[H')[1], /unrealised/);
    live.type('\x03');
    assert.equal(await live.exit, 0);
  });

  await t.test('no colours where they are not wanted', async () => {
    const live = onTerminal(`exec phoenix status -c ${config} --once`, { NO_COLOR: '1' });
    assert.equal(await live.exit, 0);
    assert.match(live.shown, /^ETHUSDC +live /m);
    assert.doesNotMatch(live.shown, /\x1b/);
    const dumb = onTerminal(`exec phoenix status -c ${config}`, { TERM: 'dumb' });
    assert.equal(await dumb.exit, 0, 'one table');
    assert.doesNotMatch(dumb.shown, /\x1b/);
    const piped = await run(['status', '-c', config, '--once']);
    assert.doesNotMatch(piped.stdout, /\x1b/);
  });

  maker.child.kill('SIGINT');
  assert.equal(await maker.exit, 0);

  await t.test('of a recorder too', async () => {
    const recorder = start(['record', '-c', config], { env });
    recorder.exit.catch(() => {});
    await recorder.said(/ETHUSDC/);
    let shown;
    const end = Date.now() + 30_000; // it opens its port a little later
    do {
      shown = await run(['status', '-c', config, '--record', '--once']);
    } while (shown.code !== 0 && Date.now() < end);
    assert.equal(shown.code, 0, shown.stderr);
    assert.match(shown.stdout, /^ETHUSDC +/m);
    assert.match(shown.stdout, /^recording: \d+ rows durable/m);
    recorder.child.kill('SIGINT');
    assert.equal(await recorder.exit, 0);
  });
  await exchange.stop();
});

test('docs/commands.md links to what is there', () => {
  for (const [, target] of readFileSync('docs/commands.md', 'utf8').matchAll(/\]\(([^)#]+)\)/g))
    assert.ok(readdirSync('docs').includes(target), target);
});
