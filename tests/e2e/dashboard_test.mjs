// The dashboard in a real browser, against the demo: each panel shows the exchange's truth, each fault its effect.
// Screenshots go to screenshots/ beside the program, the README's picture to PHOENIX_PICTURE where that is set.

import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { dirname, join, resolve } from 'node:path';
import { after, before, test } from 'node:test';

import { chromium } from 'playwright-core';

import { configFor, freePort, phoenix, run, start, startExchange, temporaryDirectory, until } from './program.mjs';

const symbols = ['ETHUSDC', 'DOGEUSDC', 'SOLUSDC', 'BNBUSDC', 'XRPUSDC'];
/// Of the 14 some may be on their way, or not wanted on the side that adds.
const ordersEach = 8;
const screenshots = join(dirname(resolve(phoenix)), 'screenshots');

let data;
let demo;
let url;
let token;
let browser;
let page;

/// A page that notes everything it should not do.
async function open({ width = 1280, height = 900, colorScheme = 'light' } = {}) {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme, reducedMotion: 'reduce' });
  const opened = await context.newPage();
  opened.trouble = [];
  opened.bytes = 0;
  opened.on('pageerror', (error) => opened.trouble.push(`error: ${error.message}`));
  opened.on('request', (r) => {
    if (new URL(r.url()).host !== new URL(url).host) opened.trouble.push(`request to ${r.url()}`);
  });
  await opened.exposeFunction('violated', (what) => opened.trouble.push(`policy: ${what}`));
  await opened.addInitScript(() => {
    addEventListener('securitypolicyviolation', (e) => window.violated(`${e.violatedDirective} ${e.blockedURI}`));
  });
  opened.on('response', async (r) => {
    opened.bytes += Number(r.headers()['content-length'] ?? 0);
  });
  await opened.goto(url);
  await opened.locator('#ready[data-state=live]').waitFor();
  return opened;
}

const exchange = async (path = '/state') => (await fetch(`${url}demo${path}`)).json();
const status = async () => (await fetch(`${url}status`)).json();

const fact = (panel, name) => page.locator(`#${panel} .facts div`, { has: page.locator('dt', { hasText: new RegExp(`^${name}$`) }) }).locator('dd').textContent();
const choose = (symbol) => page.locator(`#tab-${symbol}`).click();
const fault = (label) => page.locator('#faults').getByRole('button', { name: label, exact: true }).click();
const ordersThere = async () => Object.fromEntries((await exchange()).open_orders.map((o) => [o.symbol, o.count]));
const allQuote = async () => {
  const there = await ordersThere();
  return symbols.every((s) => there[s] >= ordersEach);
};
const healed = async () => {
  await fault('Lift all');
  await until('every symbol is quoted again', allQuote, 60);
  await page.locator('#ready[data-state=live]').waitFor();
};
/// What the timeline says of the symbol that is shown.
const states = (stream) => page.locator(`.timeline[data-stream="${stream}"] .stretch`).evaluateAll((all) => all.map((s) => s.dataset.state));

/// Sends headers that `fetch` keeps to itself.
function ask(path, { method = 'GET', headers = {}, body = '' } = {}) {
  return new Promise((done, failed) => {
    const { hostname, port } = new URL(url);
    const asked = request({ hostname, port, path, method, headers }, (reply) => {
      let text = '';
      reply.on('data', (d) => { text += d; });
      reply.on('end', () => done({ status: reply.statusCode, headers: reply.headers, text }));
    });
    asked.on('error', failed);
    asked.end(body);
  });
}

before(async () => {
  data = temporaryDirectory();
  mkdirSync(screenshots, { recursive: true });
  demo = start(['demo', '--for', '350s', '--seed', '7', '--data', data]);
  [, url] = await demo.said(/dashboard (http:\S+)/);
  [, token] = await demo.said(/token +(\S+)/);
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu'] });
  await until('the demo quotes', allQuote, 60);
  page = await open();
});

after(async () => {
  await browser?.close();
  demo?.child.kill('SIGINT');
  await demo?.exit;
});

test('its address is the first line of the demo', () => {
  assert.match(demo.stdout.split('\n')[0], /^dashboard http:\/\/127\.0\.0\.1:\d+\/$/);
});

test('the page is served with a strict policy and weighs less than 200 kB', async () => {
  const reply = await ask('/', { headers: { 'accept-encoding': 'gzip' } });
  assert.equal(reply.status, 200);
  assert.match(reply.headers['content-security-policy'], /^default-src 'none'; script-src 'self'; style-src 'self'/);
  assert.doesNotMatch(reply.headers['content-security-policy'], /unsafe|\*|https?:/);
  assert.equal(reply.headers['x-content-type-options'], 'nosniff');
  assert.ok(page.bytes > 10_000 && page.bytes < 200_000, `${page.bytes} bytes`);
});

test('every panel shows the exchange\'s truth', async () => {
  for (const symbol of symbols) {
    await choose(symbol);
    // While the market moves, orders do: once, all three must say the same.
    await until(`ladder, guards and exchange agree on ${symbol}`, async () => {
      const count = (await ordersThere())[symbol];
      const own = await page.locator('#ladder td[data-own=rests]').count();
      const [, bids, asks] = /(\d+) bids, (\d+) asks/.exec(await fact('guards', 'Orders')) ?? [];
      return count === own && count === Number(bids) + Number(asks);
    });
    await until(`the position of ${symbol} is the status's`, async () => {
      const s = (await status()).symbols.find((each) => each.symbol === symbol);
      return (await fact('position', 'Position')) === `${s.position.toLocaleString('en-US', { maximumFractionDigits: 8 })} ${s.base_asset}`;
    });
    assert.ok(await page.locator('#price canvas').count() > 0);
  }
  await choose('ETHUSDC');
  for (const stream of ['depth public_a', 'depth public_b', 'ticker public_a', 'ticker public_b', 'price']) {
    assert.equal((await states(stream)).at(-1), 'live', stream);
  }
  const { peers } = await exchange();
  const there = Object.values(peers).flat().length;
  assert.equal(await page.locator('#connections tbody tr').count(), there);
  assert.equal(Number(await fact('faults', 'Connections')), there);
  await until('the weight is the exchange\'s', async () => {
    const used = Math.max(...Object.values((await exchange()).used_weight));
    const shown = Number(/^([\d,]+) of/.exec(await page.locator('#budgets .meter .figure').first().textContent())[1].replace(',', ''));
    return Math.abs(shown - used) <= 20;
  });
  assert.match(await fact('recorder', 'Recording'), /yes/);
  assert.ok(await page.locator('#recorder .strip').count() === symbols.length);
  await until('a minute of the recording has proved data', async () => (await page.locator('.heat [data-quality=full], .heat [data-quality=most]').count()) > 0);
  await until('a fill is told', async () => (await page.locator('#events li[data-kind^=fill]').count()) > 0, 60);
});

test('it can be used with the keyboard and told to a screen reader', async () => {
  await page.locator('#tab-ETHUSDC').focus();
  await page.keyboard.press('ArrowRight');
  assert.equal(await page.locator('#tab-DOGEUSDC').getAttribute('aria-selected'), 'true');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'tab-DOGEUSDC');
  await page.keyboard.press('ArrowLeft');
  const track = page.locator('.timeline[data-stream="depth public_a"] .track');
  await track.focus();
  await page.keyboard.press('ArrowLeft');
  assert.match(await page.locator('#tip').textContent(), /depth A: .* since .*\n.*ours=/);
  assert.match(await page.locator('#announcer').textContent(), /depth A/);
  await page.keyboard.press('Escape');
  assert.equal(await page.locator('#tip').isVisible(), false);
  const told = await page.locator('body').ariaSnapshot();
  for (const name of ['tablist "Symbols"', 'region "Ladder"', 'meter "request weight, 1 min"', 'button "Kill switch"', 'log "Events, newest first"']) {
    assert.ok(told.includes(name), `${name} in\n${told}`);
  }
  const nameless = await page.locator('button, input, [role=img], [role=meter]').evaluateAll((all) =>
    all.filter((e) => !(e.getAttribute('aria-label') || e.textContent || e.labels?.length)).length);
  assert.equal(nameless, 0);
});

test('the evidence of a stretch shows under the pointer', async () => {
  await page.locator('.timeline[data-stream="depth public_a"] .stretch').last().hover();
  await page.locator('#tip').waitFor();
  assert.match(await page.locator('#tip').textContent(), /live since \d\d:\d\d:\d\d/);
  await page.mouse.move(5, 5);
});

test('mute: prices without proof, quotes gone, and back', async () => {
  await fault('Mute');
  await until('the exchange has no order left', async () => Object.keys(await ordersThere()).length === 0, 10);
  await until('the timeline says so', async () => (await states('price')).some((s) => s === 'unknown' || s === 'stalled'), 5);
  await page.locator('#events li[data-kind=withdrawn]').first().waitFor();
  await page.screenshot({ path: join(screenshots, 'muted.png') });
  await healed();
});

test('mute one line: the other delivers, and nothing is withdrawn', async () => {
  const before = await page.locator('#events li[data-kind=withdrawn]').count();
  // The silent line may be replaced between two looks at the page: what its timeline keeps is what counts.
  const silences = async () => (await Promise.all(['depth public_a', 'depth public_b'].map(states))).flat().filter((s) => s !== 'live').length;
  const earlier = await silences();
  await fault('Mute one line');
  await until('one line is seen to be silent', async () => await silences() > earlier, 10);
  assert.equal(await allQuote(), true);
  assert.equal(await page.locator('#events li[data-kind=withdrawn]').count(), before);
  await healed();
});

test('the picture of the README is taken after a fault', async () => {
  await choose('ETHUSDC');
  await page.getByRole('button', { name: '2 min' }).click();
  // Some seconds of quiet after the fault, so that both are in the picture.
  await until('it quotes for a while', async () => (await status()).symbols.every((s) => s.state === 'live') && (await states('price')).includes('live'));
  await page.waitForTimeout(8000);
  await page.evaluate(() => scrollTo(0, 0));
  const picture = process.env.PHOENIX_PICTURE ?? join(screenshots, 'dashboard.png');
  await page.screenshot({ path: picture, fullPage: true, clip: { x: 0, y: 0, width: 1280, height: 960 } });
  assert.ok(statSync(picture).size < 300_000, 'small enough for a README');
});

test('cut: every connection is lost and opened again', async () => {
  const opened = Number(await fact('faults', 'Opened so far'));
  await fault('Cut');
  await page.locator('#events li[data-kind=connection_lost]').first().waitFor({ timeout: 5000 });
  await until('they are opened again', async () => Number(await fact('faults', 'Opened so far')) > opened, 15);
  await healed();
});

test('half-open: sockets that bring nothing are found out', async () => {
  await fault('Half-open');
  await until('the price is not proved', async () => ['unknown', 'stalled'].includes((await states('price')).at(-1)), 10);
  await until('the switch at the exchange or we took the orders', async () => Object.keys(await ordersThere()).length === 0, 40);
  await healed();
});

test('delay: what comes late is not quoted on', async () => {
  await fault('Delay');
  await until('no symbol is quoted', async () => (await status()).symbols.every((s) => s.state !== 'live'), 10);
  await until('the page says why', async () => /^(hold|syncing): ./.test(await fact('guards', 'Quoting')), 5);
  await until('no order rests', async () => Object.keys(await ordersThere()).length === 0, 10);
  await healed();
});

test('429: requests are refused, and the page shows the fault', async () => {
  await fault('429');
  await until('the fault is listed', async () => /rest_status/.test(await page.locator('#faults table').textContent()), 5);
  await until('requests met it', async () => ((await exchange('/faults')).injected.rest_status?.injected ?? 0) > 0, 15);
  await healed();
});

test('kill: the page says so, comes back by itself and shows the next run', async () => {
  const run = (await status()).run_epoch;
  await fault('Kill');
  await page.locator('#banner').waitFor({ timeout: 10_000 });
  assert.match(await page.locator('#banner').textContent(), /does not answer/);
  await page.screenshot({ path: join(screenshots, 'killed.png') });
  await until('it is back', async () => !(await page.locator('#banner').isVisible()), 30);
  await until('it quotes', allQuote, 60);
  assert.equal((await status()).run_epoch, run + 1);
  await until('the page shows the next run', async () => (await page.locator('#run').textContent()).includes(`run ${run + 1},`), 10);
});

test('actions need token, origin and confirmation', async () => {
  const origin = url.slice(0, -1);
  const headers = (extra) => ({ Host: new URL(url).host, Origin: origin, 'Content-Type': 'application/json', ...extra });
  const body = JSON.stringify({ action: 'pause', symbol: 'ETHUSDC', confirm: 'pause ETHUSDC' });
  const post = async (h, b = body) => (await ask('/actions', { method: 'POST', headers: h, body: b })).status;
  const bearer = { Authorization: `Bearer ${token}` };
  assert.equal(await post(headers({})), 401);
  assert.equal(await post(headers({ Authorization: 'Bearer wrong' })), 401);
  assert.equal(await post({ ...headers(bearer), Origin: 'http://other.example' }), 403);
  assert.equal(await post({ ...headers(bearer), Host: 'other.example' }), 403);
  const { Origin: _, ...withoutOrigin } = headers(bearer);
  assert.equal(await post(withoutOrigin), 403);
  assert.equal(await post(headers(bearer), JSON.stringify({ action: 'pause', symbol: 'ETHUSDC', confirm: 'yes' })), 400);
  assert.equal(await post(headers(bearer), JSON.stringify({ action: 'pause', symbol: 'NONE', confirm: 'pause NONE' })), 400);
  assert.equal(await post(headers(bearer), '{'), 400);
  assert.equal((await ask('/metrics', { headers: { Host: 'other.example' } })).status, 403);
  assert.equal((await ask('/demo/faults', { method: 'POST', headers: { Host: new URL(url).host, Origin: 'http://other.example' }, body: 'at 0s cut' })).status, 403);
  assert.equal(await allQuote(), true);
});

/// Through the page's own dialog.
async function act(button, typed) {
  await page.locator('#actions').getByRole('button', { name: button, exact: true }).click();
  const dialog = page.locator('dialog[open]');
  await dialog.locator('#token').fill(token);
  await dialog.locator('#typed').fill(typed);
  await dialog.getByRole('button', { name: 'Do it' }).click();
  await dialog.waitFor({ state: 'hidden' });
}

test('a symbol is paused and resumed, and the audit log says who did', async () => {
  await choose('SOLUSDC');
  await page.locator('#actions').getByRole('button', { name: 'Pause SOLUSDC' }).click();
  await page.screenshot({ path: join(screenshots, 'confirm.png') });
  await page.keyboard.press('Escape');
  await act('Pause SOLUSDC', 'pause SOLUSDC');
  await until('its orders are gone', async () => (await ordersThere()).SOLUSDC === undefined, 10);
  await until('the page says why', async () => /paused/.test((await fact('guards', 'In force')) + (await fact('guards', 'Quoting'))), 5);
  assert.ok((await ordersThere()).ETHUSDC >= ordersEach);
  await act('Resume SOLUSDC', 'resume SOLUSDC');
  await until('it is quoted again', allQuote, 30);
  const file = join(data, 'maker', 'audit.jsonl');
  assert.equal(statSync(file).mode & 0o777, 0o600);
  const lines = readFileSync(file, 'utf8').trim().split('\n').map((line) => JSON.parse(line));
  assert.deepEqual(lines.filter((l) => l.symbol === 'SOLUSDC' && l.outcome === 'done').map((l) => l.action), ['pause', 'resume']);
  assert.ok(lines.some((l) => /refused/.test(l.outcome)));
  assert.doesNotMatch(JSON.stringify(lines), new RegExp(token));
});

for (const colorScheme of ['light', 'dark']) {
  for (const width of [1280, 390]) {
    test(`it fits ${width} px, ${colorScheme}`, async () => {
      const other = await open({ width, height: width === 390 ? 844 : 900, colorScheme });
      await until('it draws', async () => (await other.locator('#ladder tbody tr').count()) > 10);
      await other.waitForTimeout(1500);
      await other.screenshot({ path: join(screenshots, `${width}-${colorScheme}.png`), fullPage: true });
      const { wide, cut } = await other.evaluate(() => ({
        wide: document.documentElement.scrollWidth - innerWidth,
        cut: [...document.querySelectorAll('.panel')].filter((p) => p.scrollWidth > p.clientWidth + 1).map((p) => p.id),
      }));
      assert.ok(wide <= 0, `${wide} px too wide`);
      assert.deepEqual(cut, []);
      assert.deepEqual(other.trouble, []);
      await other.context().close();
    });
  }
}

test('the kill switch cancels everything and stays', async () => {
  await act('Kill switch', 'kill');
  await until('no order is left', async () => Object.keys(await ordersThere()).length === 0, 10);
  await page.locator('#ready[data-state=stalled]').waitFor();
  assert.match(await fact('guards', 'Kill latch'), /set: .*dashboard/);
});

test('nothing it did broke the page\'s policy or left this host', () => {
  assert.deepEqual(page.trouble, []);
});

test('beyond this machine nothing is told without the token', async () => {
  const place = temporaryDirectory();
  const venue = await startExchange(join(place, 'exchange'));
  const port = await freePort();
  const file = join(place, 'config.yaml');
  writeFileSync(file, configFor(venue, place).replace('metrics_port: 0', `metrics_port: ${port}\n  metrics_address: 0.0.0.0`));
  const keys = { BINANCE_API_KEY: venue.key, BINANCE_API_SECRET: venue.secret };
  const refused = await run(['run', '-c', file], { env: keys });
  assert.equal(refused.code, 2);
  assert.match(refused.stderr, /metrics_address 0\.0\.0\.0 is not this machine alone/);

  const secret = 'sixteen-or-more-characters';
  const maker = start(['run', '-c', file], { env: { ...keys, PHOENIX_METRICS_TOKEN: secret } });
  await maker.said(/live symbol=ETHUSDC/);
  const address = `http://127.0.0.1:${port}`;
  for (const path of ['/status', '/metrics', '/readyz']) assert.equal((await fetch(address + path)).status, 401, path);
  assert.equal((await fetch(`${address}/healthz`)).status, 200);
  assert.equal((await fetch(`${address}/status`, { headers: { Authorization: `Bearer ${secret}` } })).status, 200);

  const context = await browser.newContext();
  const other = await context.newPage();
  await other.goto(address);
  const unlock = async (text) => {
    await other.locator('#reading-token').fill(text);
    await other.getByRole('button', { name: 'Open' }).click();
  };
  await unlock('wrong');
  await other.getByText('The token is wrong').waitFor({ state: 'attached' });
  assert.equal(await other.locator('[role=tab]').count(), 0);
  await other.locator('#reading-token').waitFor();
  await unlock(secret);
  await other.locator('#ready[data-state=live]').waitFor();
  assert.equal(await other.locator('[role=tab]').count(), 1);
  assert.equal(await other.locator('#faults').isVisible(), false);
  await context.close();

  maker.child.kill('SIGINT');
  assert.equal(await maker.exit, 0, maker.stderr);
  assert.doesNotMatch(maker.stdout + maker.stderr, new RegExp(secret));
  const open = start(['run', '-c', file, '--insecure-bind'], { env: keys });
  await open.said(/live symbol=ETHUSDC/);
  assert.equal((await fetch(`${address}/status`)).status, 200);
  open.child.kill('SIGINT');
  assert.equal(await open.exit, 0, open.stderr);
  await venue.stop();
});

test('after all of that the demo\'s ledger equals the exchange\'s', async () => {
  demo.child.kill('SIGINT');
  // Between so many faults a ladder may never have been whole: that is what the other sentence is about.
  const code = await demo.exit;
  assert.equal(code, demo.stdout.includes('not every symbol had 14 live orders') ? 1 : 0, demo.stdout.slice(-2000) + demo.stderr);
  assert.match(demo.stdout, /the exchange's ledger equals ours/);
});
