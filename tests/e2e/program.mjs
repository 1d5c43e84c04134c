// Runs the program under test and collects what it says.

import { spawn } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const phoenix = process.env.PHOENIX ?? 'build/release/phoenix';

export function temporaryDirectory() {
  return mkdtempSync(join(tmpdir(), 'phoenix-e2e-'));
}

/// A port that nobody listens on.
export async function freePort() {
  const server = createServer();
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

/// What `condition` gives once that is something; an error after so many seconds without.
export async function until(what, condition, seconds = 40) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) throw new Error(`not within ${seconds} s: ${what}`);
    await new Promise((done) => setTimeout(done, 10));
  }
}

/// Starts a process; `exit` resolves with its code, `said(pattern)` with the match once its output holds it.
export function start(args, { env = {}, command = phoenix, cwd } = {}) {
  const child = spawn(command, args, { env: { ...process.env, ...env }, cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  const running = { child, stdout: '', stderr: '' };
  const waiting = new Set();
  const check = () => {
    for (const w of [...waiting]) {
      const match = w.pattern.exec(running.stdout + running.stderr);
      if (match) {
        waiting.delete(w);
        w.resolve(match);
      }
    }
  };
  child.stdout.on('data', (d) => { running.stdout += d; check(); });
  child.stderr.on('data', (d) => { running.stderr += d; check(); });
  running.exit = new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      for (const w of waiting) w.reject(new Error(`ended with ${code ?? signal} before saying ${w.pattern}:\n${running.stdout}${running.stderr}`));
      resolve(code ?? signal);
    });
  });
  running.said = (pattern) => new Promise((resolve, reject) => {
    waiting.add({ pattern, resolve, reject });
    check();
  });
  return running;
}

/// Runs to the end.
export async function run(args, options) {
  const running = start(args, options);
  const code = await running.exit;
  return { code, stdout: running.stdout, stderr: running.stderr };
}

/// A local exchange on free ports, with the addresses it printed.
export async function startExchange(directory, args = []) {
  const running = start(['exchange', '--port', '0', '--tls-port', '0', '--data', directory, ...args]);
  const rest = await running.said(/REST +(https:\S+) +(http:\S+)/);
  const streams = await running.said(/streams +(wss:\S+) +(ws:\S+)/);
  const orders = await running.said(/order API +(wss:\S+) +(ws:\S+)/);
  const key = await running.said(/API key +(\S+)/);
  const secret = await running.said(/API secret +(\S+)/);
  const ca = await running.said(/CA file +(\S+)/);
  return {
    ...running,
    tls: { rest: rest[1], streams: streams[1], orders: orders[1] },
    plain: { rest: rest[2], streams: streams[2], orders: orders[2] },
    key: key[1], secret: secret[1], ca: ca[1],
    async stop() {
      running.child.kill('SIGINT');
      return running.exit;
    },
  };
}

/// A configuration for `phoenix run` on that exchange.
export function configFor(exchange, directory, { symbol = 'ETHUSDC', extra = '' } = {}) {
  return `global:
  venue: local
  rest_url: ${exchange.tls.rest}
  stream_url: ${exchange.tls.streams}
  order_api_url: ${exchange.tls.orders}
  ca_file: ${exchange.ca}
  data_dir: ${directory}/maker
  total_notional_max: 4000
  metrics_port: 0
${extra}
symbols:
  - symbol: ${symbol}
    net_max: 0.26
    unified_layer_size: 0.008
    total_layers: 7
    min_spread: 0.0001
    grid_start_offset_bps: 1
    grid_first_spacing_bps: 1
`;
}
