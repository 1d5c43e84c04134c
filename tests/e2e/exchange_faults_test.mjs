// Every main kind of fault, put on a running exchange through its control endpoint, seen by a plain client, and over again.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { run, startExchange, temporaryDirectory, until } from './program.mjs';

const { WebSocket } = await import('ws').catch(() => ({}));
const skip = !WebSocket && 'run scripts/setup.sh test';

const deadline_ms = 15_000;

/** Waits until `condition` gives something, asking again after every message and every few milliseconds. */
/** One WebSocket and all that came on it. */
class Client {
  constructor(url, options = {}) {
    this.texts = [];
    this.arrived = [];
    this.pongs = 0;
    this.socket = new WebSocket(url, options);
    this.socket.on('open', () => { this.is_open = true; });
    this.socket.on('message', (data) => { this.texts.push(String(data)); this.arrived.push(Date.now()); });
    this.socket.on('pong', () => { ++this.pongs; });
    this.socket.on('close', (code) => { this.closed = code; });
    this.socket.on('error', (error) => { this.error = error; });
    this.socket.on('unexpected-response', (request, response) => { this.refused = response; request.destroy(); });
  }

  static async open(url) {
    const client = new Client(url);
    await until(`${url} opens`, () => client.is_open);
    return client;
  }

  /** Frames of data, parsed, from `first` on. */
  data(first = 0) {
    return this.texts.slice(first).map((text) => JSON.parse(text)).filter((m) => m.stream).map((m) => m.data);
  }

  /** What was sent to us before now has come when this has been answered. */
  async round_trip() {
    const id = ++Client.last_id;
    this.socket.send(JSON.stringify({ method: 'LIST_SUBSCRIPTIONS', id }));
    await until('LIST_SUBSCRIPTIONS is answered', () => this.texts.some((text) => text.endsWith(`"id":${id}}`)));
    return this.texts.length;
  }

  async more(count, what = 'data flow') {
    const have = this.texts.length;
    await until(what, () => this.texts.length >= have + count);
  }

  async ask(message) {
    this.socket.send(JSON.stringify(message));
    return until(`answer ${message.id}`, () => this.texts.map((t) => JSON.parse(t)).find((m) => m.id === message.id));
  }

  end() {
    this.socket.terminate();
  }
}
Client.last_id = 1000;

describe('faults on the networked exchange', { skip }, () => {
  let exchange, control, clients = [];

  before(async () => {
    exchange = await startExchange(temporaryDirectory(), ['--control-port', '0']);
    control = (await exchange.said(/control +(http:\/\/127\.0\.0\.1:\d+)/))[1];
  });
  after(async () => {
    for (const client of clients) client.end();
    assert.equal(await exchange.stop(), 0);
  });

  async function call(method, path, body) {
    const response = await fetch(control + path, { method, body });
    return { status: response.status, body: await response.json() };
  }
  async function inject(...lines) {
    const { status, body } = await call('POST', '/faults', lines.join('\n'));
    assert.equal(status, 200, JSON.stringify(body));
    return body.ids;
  }
  async function lift() {
    assert.equal((await call('DELETE', '/faults')).status, 200);
  }
  const state = async () => (await call('GET', '/state')).body;

  async function open(path) {
    const client = await Client.open(exchange.plain.streams + path);
    clients.push(client);
    return client;
  }
  const depth = '/public/stream?streams=ethusdc@depth@100ms';
  /** Two lines of one stream; the first is the oldest of its route. */
  async function lines(path = depth) {
    for (const client of clients.splice(0)) client.end();
    await until('the exchange has no clients', async () => Object.keys((await state()).peers).length === 0);
    const a = await open(path);
    const b = await open(path);
    await a.more(2);
    await b.more(2);
    return [a, b];
  }

  async function rest(method, path, params = {}, { timeout = deadline_ms, stamp = Date.now() } = {}) {
    const query = new URLSearchParams({ ...params, timestamp: stamp });
    query.append('signature', createHmac('sha256', exchange.secret).update(query.toString()).digest('hex'));
    const response = await fetch(`${exchange.plain.rest}${path}?${query}`, {
      method, headers: { 'X-MBX-APIKEY': exchange.key }, signal: AbortSignal.timeout(timeout),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: text.startsWith('{') || text.startsWith('[') ? JSON.parse(text) : text };
  }
  async function quiet_order() {
    const { body } = await rest('GET', '/fapi/v1/depth', { symbol: 'ETHUSDC', limit: 5 });
    return { symbol: 'ETHUSDC', side: 'BUY', type: 'LIMIT', timeInForce: 'GTX', quantity: '0.020',
      price: (Number(body.bids[0][0]) * 0.97).toFixed(2) };
  }
  const open_orders = async () => (await state()).open_orders.reduce((sum, row) => sum + row.count, 0);
  const cancel_all = () => rest('DELETE', '/fapi/v1/allOpenOrders', { symbol: 'ETHUSDC' });

  // Connections.

  test('mute and mute_stream: the line is silent, the other one and the control messages are not', async () => {
    for (const line of ['mute public nth=0', 'mute_stream public oldest stream=ethusdc@depth@100ms']) {
      const [a, b] = await lines();
      await inject(`at 0s for 1h ${line}`);
      const heard = await a.round_trip();
      await b.more(10);
      assert.equal(a.texts.length, heard, line);
      assert.equal((await state()).peers.public.filter((p) => p.faulty).length, 1);
      await lift();
      await a.more(3, `${line} ends`);
    }
  });

  test('half_open: no data, no pongs; when it ends, a reset', async () => {
    const [a, b] = await lines();
    await inject('at 0s for 1h half_open public oldest');
    a.socket.ping();
    b.socket.ping();
    await until('the healthy line answers a ping', () => b.pongs === 1);
    const heard = a.texts.length;
    await b.more(10);
    assert.ok(a.texts.length <= heard + 1, 'nothing but what was under way');
    assert.equal(a.pongs, 0);
    assert.equal(a.closed, undefined);
    await lift();
    await until('the reset arrives', () => a.closed);
    assert.equal(a.closed, 1006);
    assert.equal(b.closed, undefined);
  });

  test('cut, cut_mid_frame, close and age_cut end a connection each in its way', async () => {
    for (const [line, code] of [['cut', 1006], ['cut_mid_frame', 1006], ['close amount=1008', 1008], ['age_cut', 1001]]) {
      const [a, b] = await lines();
      await inject(`at 0s ${line} public oldest`);
      await until(line, () => a.closed);
      assert.equal(a.closed, code, line);
      await b.more(2);
    }
  });

  test('cut for a while: whoever comes back is cut again until it is over', async () => {
    await lines();
    await inject('at 0s for 1h cut public');
    for (let i = 0; i < 3; ++i) {
      const again = new Client(exchange.plain.streams + depth);
      await until('cut again', () => again.closed);
    }
    await lift();
    const [a] = await lines();
    assert.equal(a.closed, undefined);
  });

  test('server_shutdown: announced, then closed', async () => {
    const [a] = await lines();
    await inject('at 0s server_shutdown public oldest amount=100');
    await until('closed', () => a.closed);
    assert.equal(a.closed, 1001);
    assert.ok(a.texts.some((t) => JSON.parse(t).data?.e === 'serverShutdown'));
  });

  test('refuse: a status with Retry-After, or no answer at all', async () => {
    const [a] = await lines();
    for (const status of [429, 418, 403, 503]) {
      await inject(`at 0s for 30s refuse public amount=${status}`);
      const refused = new Client(exchange.plain.streams + depth);
      await until(`refused with ${status}`, () => refused.refused);
      assert.equal(refused.refused.statusCode, status);
      if (status === 429 || status === 418) {
        const after_s = Number(refused.refused.headers['retry-after']);
        assert.ok(after_s > 20 && after_s <= 30, `Retry-After ${after_s}`);
      }
      await lift();
    }
    await inject('at 0s for 1h refuse amount=0');
    const silent = new Client(exchange.plain.streams + depth, { handshakeTimeout: 300 });
    await until('the client gives up', () => silent.error);
    assert.match(String(silent.error), /timed out/);
    await a.more(2, 'who is in stays in');
    await lift();
    await open(depth);
  });

  // Their data.

  test('drip: ever later and in order, and all there once it ends', async () => {
    const [a, b] = await lines();
    await inject('at 0s for 1h drip public oldest amount=300');
    await a.round_trip();
    const had = [a.texts.length, b.texts.length];
    await b.more(20);
    const [new_a, new_b] = [a.texts.length - had[0], b.texts.length - had[1]];
    assert.ok(new_a < new_b / 2, `${new_a} of ${new_b} frames came through`);
    const reached = b.data().at(-1).u;
    await lift();
    await until('it catches up', () => a.data().at(-1).u >= reached);
    const frames = a.data();
    for (let i = 1; i < frames.length; ++i) assert.equal(frames[i].pu, frames[i - 1].u, 'the chain is whole');
  });

  test('delay: every frame late, then none', async () => {
    const [a] = await lines();
    await inject('at 0s for 1h delay public oldest amount=700');
    const lag = (i) => a.arrived[i] - JSON.parse(a.texts[i]).data.E;
    await until('data are late', () => lag(a.texts.length - 1) >= 700);
    await a.more(5);
    for (let i = a.texts.length - 5; i < a.texts.length; ++i) assert.ok(lag(i) >= 700);
    await lift();
    await until('data are in time again', () => lag(a.texts.length - 1) < 400);
  });

  /** True when somewhere the chain of ids breaks. */
  const broken = (frames) => frames.some((f, i) => i > 0 && f.pu !== frames[i - 1].u);

  test('drop, duplicate, reorder, jitter and stuck: seen in the ids', async () => {
    const seen = {
      'drop amount=400': broken,
      'duplicate amount=1000': (frames) => frames.some((f, i) => i > 0 && f.u === frames[i - 1].u),
      'reorder amount=1000': (frames) => frames.some((f, i) => i > 0 && f.u < frames[i - 1].u),
      'jitter amount=1500': (frames) => frames.some((f, i) => i > 0 && f.u < frames[i - 1].u),
      stuck: (frames) => frames.length > 3 && frames.slice(-3).every((f) => f.u === frames.at(-1).u),
    };
    for (const [fault, shows] of Object.entries(seen)) {
      const [a, b] = await lines();
      assert.ok(!broken(a.data()));
      const [kind, amount] = fault.split(' ');
      await inject(`at 0s for 1h ${kind} public oldest ${amount ?? ''}`);
      await until(fault, () => shows(a.data()));
      await lift();
      const injected = (await call('GET', '/faults')).body.injected[kind];
      assert.ok(injected.begun >= 1 && injected.injected >= 1);
      // What was late has come, and the chain is whole again from some frame on.
      await until(`${kind} is over`, () => { const last = a.data().slice(-5); return last.length === 5 && !broken(last); });
      assert.ok(!broken(b.data()), 'the other line saw nothing of it');
    }
  });

  test('corrupt: no JSON', async () => {
    const [a] = await lines();
    await inject('at 0s for 1h corrupt public oldest amount=1000');
    const is_json = (text) => { try { JSON.parse(text); return true; } catch { return false; } };
    await until('data are broken', () => a.texts.slice(-3).every((text) => !is_json(text)));
    await lift();
    await until('data are whole', () => a.texts.slice(-3).every(is_json));
  });

  // Requests.

  test('rest_silent and rest_answer_lost: no answer; only the latter was executed', async () => {
    await cancel_all();
    const order = await quiet_order();
    for (const [kind, executed] of [['rest_silent', 0], ['rest_answer_lost', 1]]) {
      await inject(`at 0s for 1h ${kind} path=/fapi/v1/order`);
      await assert.rejects(rest('POST', '/fapi/v1/order', order, { timeout: 300 }), /timeout|aborted/i);
      assert.equal(await open_orders(), executed, kind);
      assert.equal((await rest('GET', '/fapi/v1/time')).status, 200, 'another path');
      await lift();
      assert.equal((await rest('POST', '/fapi/v1/order', order)).status, 200);
      await cancel_all();
    }
  });

  test('rest_delay, rest_status and rest_unknown', async () => {
    await inject('at 0s for 1h rest_delay amount=400');
    const began = Date.now();
    await rest('GET', '/fapi/v1/time');
    assert.ok(Date.now() - began >= 399);
    await lift();
    for (const status of [403, 418, 429, 503]) {
      await inject(`at 0s for 20s rest_status amount=${status}`);
      const answer = await rest('GET', '/fapi/v1/time');
      assert.equal(answer.status, status);
      if (status === 418) assert.ok(Number(answer.headers.get('retry-after')) > 10);
      await lift();
    }
    await inject('at 0s for 1h rest_unknown');
    const order = await quiet_order().catch(() => undefined);
    assert.equal(order, undefined, 'not even depth is known now');
    assert.match((await rest('GET', '/fapi/v1/time')).body.msg, /Unknown error/);
    await lift();
    assert.equal((await rest('GET', '/fapi/v1/time')).status, 200);
  });

  test('order_answer_lost and order_silent on the order API', async () => {
    await cancel_all();
    const api = await Client.open(exchange.plain.orders);
    clients.push(api);
    const signed = async (id) => {
      const params = { ...(await quiet_order()), apiKey: exchange.key, timestamp: Date.now() };
      const payload = Object.keys(params).sort().map((name) => `${name}=${params[name]}`).join('&');
      params.signature = createHmac('sha256', exchange.secret).update(payload).digest('hex');
      return { id, method: 'order.place', params };
    };
    let id = 0;
    for (const [kind, executed] of [['order_answer_lost', 1], ['order_silent', 0]]) {
      await inject(`at 0s for 1h ${kind} order_api`);
      const lost = await signed(++id);
      api.socket.send(JSON.stringify(lost));
      const pong = await api.ask({ id: ++id, method: 'ping' });
      assert.equal(pong.status, 200, 'other requests are answered');
      assert.ok(!api.texts.some((text) => JSON.parse(text).id === lost.id));
      assert.equal(await open_orders(), executed, kind);
      await lift();
      const found = await api.ask(await signed(++id));
      assert.equal(found.status, 200, JSON.stringify(found));
      await cancel_all();
    }
  });

  // The venue.

  test('user_event_lost, expire_listen_key and its silent way', async () => {
    await cancel_all();
    const follow = async () => {
      const key = (await rest('POST', '/fapi/v1/listenKey')).body.listenKey;
      return open(`/private/stream?streams=${key}`);
    };
    const order = await quiet_order();
    let user = await follow();
    await inject('at 0s for 1h user_event_lost private event=ORDER_TRADE_UPDATE');
    await rest('POST', '/fapi/v1/order', order);
    assert.equal(await open_orders(), 1);
    await user.round_trip();
    assert.equal(user.data().length, 0);
    await lift();
    await cancel_all();
    await until('events are told again', () => user.data().some((m) => m.e === 'ORDER_TRADE_UPDATE'));

    await inject('at 0s expire_listen_key');
    await until('the expiry is told', () => user.data().some((m) => m.e === 'listenKeyExpired'));
    user = await follow();
    await inject('at 0s expire_listen_key_silent');
    await rest('POST', '/fapi/v1/order', order);
    await user.round_trip();
    assert.equal(user.data().length, 0);
    user = await follow();
    await cancel_all();
    await until('a new key brings events', () => user.data().length > 0);
  });

  test('skew: the clock reads more, timestamps are refused', async () => {
    const offset = async () => (await rest('GET', '/fapi/v1/time')).body.serverTime - Date.now();
    await inject('at 0s for 1h skew amount=60000');
    assert.ok(await offset() > 55_000);
    assert.equal((await rest('GET', '/fapi/v1/openOrders')).body.code, -1021);
    await lift();
    assert.ok(Math.abs(await offset()) < 5000);
    assert.equal((await rest('GET', '/fapi/v1/openOrders')).status, 200);
  });

  test('halt_symbol: not TRADING, no orders, a book that stands still', async () => {
    const [a] = await lines();
    const status = async () => (await rest('GET', '/fapi/v1/exchangeInfo')).body.symbols.find((s) => s.symbol === 'ETHUSDC').status;
    await inject('at 0s for 1h halt_symbol symbol=ETHUSDC');
    assert.notEqual(await status(), 'TRADING');
    assert.notEqual((await rest('POST', '/fapi/v1/order', await quiet_order())).status, 200);
    const id = async () => (await rest('GET', '/fapi/v1/depth', { symbol: 'ETHUSDC', limit: 5 })).body.lastUpdateId;
    const [first, second] = [await id(), await id()];
    assert.equal(first, second);
    await lift();
    assert.equal(await status(), 'TRADING');
    await a.more(2, 'the book moves again');
  });

  test('probe_lag and stale_snapshot: REST depth of the past', async () => {
    await lines();
    const id = async (limit) => (await rest('GET', '/fapi/v1/depth', { symbol: 'ETHUSDC', limit })).body.lastUpdateId;
    for (const [kind, lagging, fresh] of [['probe_lag', 5, 1000], ['stale_snapshot', 1000, 5]]) {
      await inject(`at 0s for 1h ${kind} amount=60000`);
      const old = await id(lagging);
      await until('the market goes on', async () => await id(fresh) > old);
      assert.equal(await id(lagging), old, kind);
      await lift();
      assert.ok(await id(lagging) > old);
    }
  });

  // The endpoint.

  test('the control endpoint lists, lifts one and says what is wrong', async () => {
    const ids = await inject('at 1h for 5s mute public', 'at 0s for 1h drop market amount=1  # hardly any');
    const listed = (await call('GET', '/faults')).body.faults;
    assert.deepEqual(listed.map((f) => [f.id, f.begun]), [[ids[0], false], [ids[1], true]]);
    assert.equal(listed[1].fault, 'at 0s for 1h drop market amount=1');
    assert.equal((await call('DELETE', `/faults/${ids[0]}`)).status, 200);
    assert.equal((await call('DELETE', `/faults/${ids[0]}`)).status, 404);
    assert.equal((await call('DELETE', '/faults/one')).status, 400);
    await lift();
    assert.equal((await call('GET', '/faults')).body.faults.length, 0);

    const wrong = await call('POST', '/faults', 'at 0s cut\nat never melt\n');
    assert.equal(wrong.status, 400);
    assert.equal(wrong.body.errors[0].line, 2);
    assert.equal((await call('POST', '/faults', '# nothing')).status, 400);
    assert.match((await call('POST', '/faults', 'at 0s kill_process')).body.error, /simulation/);
    assert.equal((await call('PUT', '/faults', '')).status, 405);
    assert.equal((await call('GET', '/else')).status, 404);
  });

  test('the state tells of peers, orders, weight, countdowns and connections', async () => {
    await cancel_all();
    const [a] = await lines();
    await rest('POST', '/fapi/v1/order', await quiet_order());
    await rest('POST', '/fapi/v1/countdownCancelAll', { symbol: 'ETHUSDC', countdownTime: 60_000 });
    const now = await state();
    assert.equal(now.peers.public.length, 2);
    assert.ok(now.peers.public[0].frames >= a.texts.length && now.peers.public[0].age_ms >= 0);
    assert.deepEqual(now.peers.public[0].streams, ['ethusdc@depth@100ms']);
    assert.deepEqual(now.open_orders, [{ account: exchange.key, symbol: 'ETHUSDC', count: 1 }]);
    assert.ok(now.countdowns[0].left_ms > 50_000);
    assert.ok(now.used_weight['127.0.0.1'] > 0);
    assert.ok(now.connections.public.opened > 10 && now.connections.public.most_at_once >= 2);
    await rest('POST', '/fapi/v1/countdownCancelAll', { symbol: 'ETHUSDC', countdownTime: 0 });
    await cancel_all();
  });
});

test('a plan from a file begins with the exchange', { skip }, async () => {
  const directory = temporaryDirectory();
  const plan = join(directory, 'plan.txt');
  writeFileSync(plan, '# nobody gets in\nat 0s for 1h refuse public amount=503\n');
  const exchange = await startExchange(directory, ['--faults', plan]);
  const refused = new Client(`${exchange.plain.streams}/public/ws/ethusdc@depth`);
  await until('refused', () => refused.refused);
  assert.equal(refused.refused.statusCode, 503);
  assert.equal(await exchange.stop(), 0);
});

test('a wrong plan is told line by line before anything starts', async () => {
  const directory = temporaryDirectory();
  const plan = join(directory, 'plan.txt');
  writeFileSync(plan, 'at 1s cut\nat 1s mute\nat 2s for 1s wobble\n');
  const wrong = await run(['exchange', '--port', '0', '--tls-port', '0', '--data', directory, '--faults', plan]);
  assert.equal(wrong.code, 2);
  assert.match(wrong.stderr, /plan\.txt:2: mute lasts/);
  assert.match(wrong.stderr, /plan\.txt:3: 'wobble' is no kind of fault/);
  const missing = await run(['exchange', '--data', directory, '--faults', join(directory, 'none.txt')]);
  assert.equal(missing.code, 2);
  assert.match(missing.stderr, /none\.txt: cannot be read/);
});
