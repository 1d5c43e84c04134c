// The dashboards for Grafana: each query in them is PromQL, names only metrics and labels that a running Phoenix exports, and a
// Prometheus that scrapes a maker and a recorder answers it.

import assert from 'node:assert/strict';
import { cpSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { parser } from '@prometheus-io/lezer-promql';

import { configFor, freePort, run, start, startExchange, temporaryDirectory } from './program.mjs';
import { has, startPrometheus } from './prometheus.mjs';

const folder = 'deploy/grafana/dashboards';
const directory = temporaryDirectory();
const dashboards = readdirSync(folder).sort().map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')));
const named = Object.fromEntries(dashboards.map((d) => [d.uid.replace('phoenix-', ''), d]));
const panelsOf = (dashboard) => dashboard.panels.filter((p) => p.type !== 'row');
const ports = {};
const ends = [];

/// As `phoenix metrics` lists them: name to type and labels.
let families;
/// What `maker` and `recorder` export, each a list of { name, labels }.
const samples = {};

async function until(what, condition, ms = 60_000) {
  const end = Date.now() + ms;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) throw new Error(`not within ${ms} ms: ${what}`);
    await new Promise((done) => setTimeout(done, 200));
  }
}
async function scrape(port) {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  return [...text.matchAll(/^(phoenix_[a-z0-9_]+)(\{.*\})? (\S+)$/gm)].map(([, name, labels = '', value]) => ({
    name, value: Number(value), labels: [...labels.matchAll(/([a-z_]+)="(?:[^"\\]|\\.)*"/g)].map(([, label]) => label),
  }));
}

before(async () => {
  const exchange = await startExchange(join(directory, 'exchange'));
  ends.push(() => exchange.stop());
  const begin = (...args) => {
    const running = start(args, { env: { BINANCE_API_KEY: exchange.key, BINANCE_API_SECRET: exchange.secret, XDG_RUNTIME_DIR: temporaryDirectory() } });
    running.exit.catch(() => {});
    ends.push(async () => {
      running.child.kill('SIGKILL');
      await running.exit.catch(() => {});
    });
    return running;
  };
  ports.maker = await freePort();
  ports.recorder = await freePort();
  const files = {};
  for (const name of ['maker', 'recorder']) {
    files[name] = join(directory, `${name}.yaml`);
    writeFileSync(files[name], configFor(exchange, join(directory, name), {
      extra: name === 'maker' ? '' : 'recording:\n  rotate_s: 10\n  symbols: [ETHUSDC, SOLUSDC]\n',
    }).replace('metrics_port: 0', `metrics_port: ${ports[name]}`));
  }
  const maker = begin('run', '-c', files.maker);
  begin('record', '-c', files.recorder);
  await maker.said(/live symbol=ETHUSDC/);
  const value = (list, name) => list.find((s) => s.name === name)?.value ?? 0;
  await until('the maker has fills and the recorder files', async () => {
    samples.maker = await scrape(ports.maker).catch(() => []);
    samples.recorder = await scrape(ports.recorder).catch(() => []);
    return value(samples.maker, 'phoenix_fill_count_total') > 0 && value(samples.recorder, 'phoenix_recording_files_total') > 0;
  }, 180_000);
  const { stdout } = await run(['metrics']);
  families = new Map([...stdout.matchAll(/^\| `(phoenix_[a-z0-9_]+)` \| (\w+) \| [^|]* \| ([^|]*) \|/gm)].map(([, name, type, labels]) => [name, {
    type, labels: labels.trim() === '' ? [] : labels.trim().split(', '),
  }]));
});
after(async () => {
  for (const end of ends.reverse()) await end();
});

/// The family a selector names, and the labels it has; those of the scrape are added by Prometheus.
function family(name) {
  const plain = families.has(name) ? name : name.replace(/_(bucket|sum|count)$/, '');
  const found = families.get(plain);
  assert.ok(found, `${name} is exported`);
  assert.equal(found.type === 'histogram', plain !== name, `${name} is asked for as what it is`);
  return { ...found, labels: [...found.labels, 'instance', 'job', ...(name.endsWith('_bucket') ? ['le'] : [])] };
}
/// What Grafana puts in the place of its variables.
const filled = (text) => text.replaceAll('$instance', '.*').replaceAll('$symbol', '.*').replaceAll('$__rate_interval', '10s').replaceAll('$__range', '1m');

/// Looks at every name in a query; answers the labels of all its metrics.
function look(text) {
  const query = filled(text);
  assert.ok(!query.includes('$'), `${text}: every variable is known`);
  const labels = new Set();
  const mentioned = [];
  const of = (node) => query.slice(node.from, node.to);
  parser.parse(query).iterate({
    enter(node) {
      assert.ok(!node.type.isError, `${text} is PromQL, up to ${query.slice(0, node.from)}`);
      if (node.name === 'VectorSelector') {
        const { labels: known, type } = family(of(node.node.getChild('Identifier')));
        for (const label of known) labels.add(label);
        const matchers = node.node.getChild('LabelMatchers');
        for (const matcher of matchers?.getChildren('UnquotedLabelMatcher') ?? []) {
          const label = of(matcher.getChild('LabelName'));
          assert.ok(known.includes(label), `${text}: ${of(node.node.getChild('Identifier'))} has a label ${label}`);
        }
        const isRange = node.node.parent.name === 'MatrixSelector';
        assert.equal(isRange, type !== 'gauge' || /max_over_time|min_over_time/.test(text), `${text}: counters are asked for as rates, gauges as they are`);
      }
      if (node.name === 'GroupingLabels') mentioned.push(...node.node.getChildren('LabelName').map(of));
    },
  });
  for (const label of mentioned) assert.ok(labels.has(label), `${text}: something has a label ${label}`);
  return labels;
}

test('a running Phoenix exports what it declares', () => {
  for (const [who, list] of Object.entries(samples)) {
    assert.ok(list.length > 100, who);
    for (const { name, labels } of list) {
      const known = family(name).labels;
      assert.deepEqual(labels.filter((label) => !known.includes(label)), [], `${who} ${name}`);
    }
  }
});

test('the dashboards are those that build.mjs makes', async () => {
  const shown = [...readFileSync('docs/grafana.md', 'utf8').matchAll(/^ {4}(\S.*)$/gm)].map(([, line]) => line);
  assert.deepEqual(shown, ['node deploy/grafana/build.mjs']);
  const place = temporaryDirectory();
  cpSync('deploy/grafana', join(place, 'deploy/grafana'), { recursive: true });
  const made = join(place, folder);
  for (const name of readdirSync(made)) rmSync(join(made, name));
  const done = start(['-c', shown[0]], { command: '/bin/sh', cwd: place });
  assert.equal(await done.exit, 0, done.stderr);
  assert.deepEqual(readdirSync(made).sort(), readdirSync(folder).sort());
  for (const name of readdirSync(made)) assert.equal(readFileSync(join(made, name), 'utf8'), readFileSync(join(folder, name), 'utf8'), name);
  assert.deepEqual(Object.keys(named).sort(), ['feeds', 'maker', 'overview', 'recorder']);
});

test('a dashboard is one that Grafana takes and a person can read', () => {
  for (const dashboard of dashboards) {
    const { uid, panels, templating } = dashboard;
    assert.ok(dashboard.schemaVersion >= 36 && dashboard.schemaVersion <= 41, 'of Grafana 9.1 to 12');
    assert.match(dashboard.description, /docs\/[a-z]+\.md/, `${uid} names the page that explains it`);
    assert.equal(new Set(panels.map((p) => p.id)).size, panels.length);
    assert.ok(panelsOf(dashboard).length <= 30, `${uid} has ${panelsOf(dashboard).length} panels`);
    assert.deepEqual(templating.list.slice(0, 2).map((v) => v.name), ['datasource', 'instance']);
    const cells = new Set();
    for (const panel of panels) {
      const { x, y, w, h } = panel.gridPos;
      assert.ok(x + w <= 24, panel.title);
      for (let i = x; i < x + w; ++i) {
        for (let j = y; j < y + h; ++j) assert.ok(!cells.has(`${i} ${j}`) && cells.add(`${i} ${j}`), `${uid}: ${panel.title} lies on another`);
      }
      if (panel.type === 'row') continue;
      assert.ok(panel.title && panel.description?.endsWith('.'), `${uid}: ${panel.title} says what it shows`);
      assert.ok(panel.fieldConfig.defaults.unit, panel.title);
      assert.ok(panel.fieldConfig.defaults.thresholds.steps[0].value === null, 'the first step has no bound');
      assert.ok(panel.targets.length > 0);
      for (const target of panel.targets) assert.equal(target.datasource.uid, '${datasource}');
      assert.equal(new Set(panel.targets.map((t) => t.refId)).size, panel.targets.length);
      assert.ok(panel.type === 'stat' || panel.targets.length === 1 || panel.targets.every((t) => t.legendFormat), `${panel.title}: lines have names`);
    }
  }
});

test('Grafana finds Prometheus and the dashboards where the containers have them', () => {
  const compose = readFileSync('deploy/docker/compose.yaml', 'utf8');
  const provisioning = (name) => readFileSync(`deploy/grafana/provisioning/${name}`, 'utf8');
  const [, address] = /^ {4}url: http:\/\/(\S+)$/m.exec(provisioning('datasources/prometheus.yml'));
  assert.ok(compose.includes(`--web.listen-address=${address}\n`), address);
  const [, path] = /^ {6}path: (\S+)$/m.exec(provisioning('dashboards/phoenix.yml'));
  assert.ok(compose.includes(`- ../grafana/dashboards:${path}:ro\n`), path);
  assert.ok(compose.includes('- ../grafana/provisioning:/etc/grafana/provisioning:ro\n'));
});

test('every query names metrics and labels that a running Phoenix exports', (t) => {
  let queries = 0;
  for (const dashboard of dashboards) {
    const variables = dashboard.templating.list.map((v) => v.name);
    for (const { expr, legendFormat = '', titleFormat = '', tagKeys = '', where } of [
      ...panelsOf(dashboard).flatMap((p) => p.targets.map((target) => ({ ...target, where: p.title }))),
      ...dashboard.annotations.list.map((a) => ({ ...a, where: a.name })),
    ]) {
      ++queries;
      for (const [, name] of expr.matchAll(/\$([a-z_]+)/g)) assert.ok(name.startsWith('__') || variables.includes(name), `${where}: $${name}`);
      const labels = look(expr);
      const shown = [...`${legendFormat} ${titleFormat}`.matchAll(/\{\{(\w+)\}\}/g)].map(([, label]) => label);
      for (const label of [...shown, ...(tagKeys ? tagKeys.split(',') : [])]) assert.ok(labels.has(label), `${where}: {{${label}}}`);
    }
    for (const { query, type } of dashboard.templating.list) {
      if (type !== 'query') continue;
      const [, selector, label] = /^label_values\((.+), (\w+)\)$/.exec(query.query);
      assert.ok(look(selector).has(label), query.query);
    }
  }
  t.diagnostic(`${queries} queries in ${dashboards.length} dashboards`);
});

// What a healthy first minute does not have: nothing is held, refused, lost or late, and what needs half an hour is not there.
const quiet = new Set(['Why a symbol is not quoted', 'Streams that are not live', 'Guards in force', 'Refused, by code', 'Disk lasts', 'Move after our fills',
  'Volatility', 'One-sided volume', 'Fill rate', 'Orders for a fill', 'Extreme mode']);

test('a real Prometheus answers every query, and has data for it', { timeout: 200_000 }, async (t) => {
  if (!has('prometheus')) return t.skip('no prometheus: scripts/setup.sh test');
  const prometheus = await startPrometheus(directory, `global:
  scrape_interval: 1s
scrape_configs:
  - job_name: phoenix
    static_configs:
      - targets: ['127.0.0.1:${ports.maker}', '127.0.0.1:${ports.recorder}']
`, 2);
  ends.push(prometheus.stop);
  await until('half a minute is there', async () => Number((await prometheus.query('min(count_over_time(up[1m]))'))[0]?.value[1] ?? 0) >= 25, 120_000);
  const empty = [];
  for (const dashboard of dashboards) {
    for (const panel of panelsOf(dashboard)) {
      const answers = [];
      for (const { expr } of panel.targets) answers.push(await prometheus.query(filled(expr)));
      if (answers.every((a) => a.length === 0) && !quiet.has(panel.title)) empty.push(`${dashboard.uid}: ${panel.title}`);
    }
    for (const { query, type } of dashboard.templating.list) {
      if (type !== 'query') continue;
      const [, selector, label] = /^label_values\((.+), (\w+)\)$/.exec(query.query);
      const values = await prometheus.api(`label/${label}/values?match[]=${encodeURIComponent(filled(selector))}`);
      assert.ok(values.data.length > 0, query.query);
    }
  }
  assert.deepEqual(empty, []);
});
