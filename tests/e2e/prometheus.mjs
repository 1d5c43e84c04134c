// Prometheus and Alertmanager, where this machine has them: installed, or unpacked by scripts/setup.sh test.

import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';

import { freePort, start, until } from './program.mjs';

const unpacked = resolve('build/tools/usr/bin');
/// For programs that are started by their names.
export const path = `${process.env.PATH}${delimiter}${unpacked}`;

export const has = (...programs) => programs.every((each) => path.split(delimiter).some((folder) => existsSync(join(folder, each))));

/// Runs a line of shell in which promtool and amtool are found.
export function shell(line) {
  const done = spawnSync('/bin/sh', ['-c', line], { encoding: 'utf8', env: { ...process.env, PATH: path } });
  return { code: done.status, said: done.stdout + done.stderr };
}

/// Runs a server until `stop`; it is there for its caller once `is_ready`.
async function serve(command, args, running, isReady) {
  const server = start(args, { command, env: { PATH: path } });
  server.exit.catch(() => {});
  running.stop = async () => {
    server.child.kill('SIGKILL');
    await server.exit.catch(() => {});
  };
  try {
    await until(`${command} is ready`, () => isReady().catch(() => undefined));
  } catch (fault) {
    await running.stop();
    throw new Error(`${fault.message}\n${server.stderr.slice(-2000)}`);
  }
  return running;
}

/// A Prometheus with that configuration, once it has scraped every target that it names.
export async function startPrometheus(folder, config, targets = 1) {
  writeFileSync(join(folder, 'prometheus.yml'), config);
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const api = async (what) => (await fetch(`${url}/api/v1/${what}`)).json();
  const running = {
    url, api,
    /// What a query answers now; an error of its is one here.
    async query(text) {
      const answer = await api(`query?query=${encodeURIComponent(text)}`);
      if (answer.status !== 'success') throw new Error(`${text}: ${answer.error}`);
      return answer.data.result;
    },
  };
  return serve('prometheus', [`--config.file=${join(folder, 'prometheus.yml')}`, `--storage.tsdb.path=${join(folder, 'tsdb')}`,
    `--web.listen-address=127.0.0.1:${port}`], running, async () => (await running.query('up == 1')).length === targets);
}

export async function startAlertmanager(folder, config) {
  writeFileSync(join(folder, 'alertmanager.yml'), config);
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  return serve('prometheus-alertmanager', [`--config.file=${join(folder, 'alertmanager.yml')}`, `--storage.path=${join(folder, 'alerts')}`,
    `--web.listen-address=127.0.0.1:${port}`, '--cluster.listen-address='], { url, port }, async () => (await fetch(`${url}/-/ready`)).ok);
}
