// Runs two clients that know nothing of Phoenix, ccxt and the venue's own connector, against an exchange: markets,
// order book stream, place, amend, cancel, fill and user events.
//
//   node clients.mjs --rest https://HOST:PORT --ws wss://HOST:PORT --wsapi wss://HOST:PORT/ws-fapi/v1
//                    --key KEY --secret SECRET [--ca FILE] [--symbol BTCUSDT] [--client ccxt|official]
//
// Prints one JSON line per step. Exits 1 at the first step that fails, 2 when called wrongly.
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';

const { values: options } = parseArgs({
  options: {
    rest: { type: 'string' },
    ws: { type: 'string' },
    wsapi: { type: 'string' },
    ca: { type: 'string' },
    key: { type: 'string' },
    secret: { type: 'string' },
    symbol: { type: 'string', default: 'BTCUSDT' },
    client: { type: 'string' },
  },
});
for (const name of ['rest', 'ws', 'wsapi', 'key', 'secret']) {
  if (!options[name]) {
    console.error(`--${name} is missing`);
    process.exit(2);
  }
}
// Node reads extra authorities at its start only, and every client here then trusts them.
if (options.ca && process.env.NODE_EXTRA_CA_CERTS !== options.ca) {
  const again = spawnSync(process.execPath, process.argv.slice(1), {
    stdio: 'inherit',
    env: { ...process.env, NODE_EXTRA_CA_CERTS: options.ca },
  });
  process.exit(again.status ?? 1);
}

const step_timeout_ms = 15_000;

/** Runs one step and prints its line. The value of `run` is the step's figures. */
async function step(client, name, run) {
  const began = Date.now();
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no result within ${step_timeout_ms} ms`)), step_timeout_ms);
  });
  try {
    const figures = await Promise.race([run(), late]);
    console.log(JSON.stringify({ client, step: name, ok: true, ms: Date.now() - began, ...figures }));
  } catch (error) {
    console.log(JSON.stringify({ client, step: name, ok: false, ms: Date.now() - began, error: String(error) }));
    process.exit(1);
  } finally {
    clearTimeout(timer);
  }
}

function expect(condition, rule) {
  if (!condition) throw new Error(`does not hold: ${rule}`);
}

/** Collects what a subscription brings, and waits for the first item that matches. */
class Inbox {
  #items = [];
  #waiting = [];

  push(item) {
    this.#items.push(item);
    this.#waiting = this.#waiting.filter(({ matches, resolve }) => !matches(item) || (resolve(item), false));
  }

  first(matches) {
    const found = this.#items.find(matches);
    if (found !== undefined) return Promise.resolve(found);
    return new Promise((resolve) => this.#waiting.push({ matches, resolve }));
  }

  get count() {
    return this.#items.length;
  }
}

async function run_ccxt() {
  const { default: ccxt } = await import('ccxt');
  const exchange = new ccxt.pro.binanceusdm({
    apiKey: options.key,
    secret: options.secret,
    enableRateLimit: false,
    options: { fetchMarkets: { types: ['linear'] }, fetchCurrencies: false, warnOnFetchOpenOrdersWithoutSymbol: false },
  });
  exchange.has.fetchCurrencies = false;
  for (const version of ['', 'V2', 'V3']) {
    const url = `${options.rest}/fapi/${version === '' ? 'v1' : version.toLowerCase()}`;
    exchange.urls.api[`fapiPublic${version}`] = url;
    exchange.urls.api[`fapiPrivate${version}`] = url;
  }
  exchange.urls.api.ws.future = `${options.ws}/ws`;
  exchange.urls.api.ws['ws-api'].future = options.wsapi;
  const report = (name, run) => step('ccxt', name, run);
  let symbol, market, bid, ask, amount, order;

  await report('loadMarkets', async () => {
    await exchange.loadMarkets();
    market = exchange.markets_by_id[options.symbol]?.[0];
    expect(market, `${options.symbol} is listed`);
    symbol = market.symbol;
    expect(market.linear && market.swap && market.active, 'it is an active linear swap');
    expect(market.precision.price > 0 && market.precision.amount > 0, 'tick and step are positive');
    return { symbol, markets: Object.keys(exchange.markets).length };
  });

  await report('watchOrderBook', async () => {
    let first, last;
    for (let i = 0; i < 8; ++i) {
      const book = await exchange.watchOrderBook(symbol);
      [bid, ask] = [book.bids[0][0], book.asks[0][0]];
      expect(bid < ask, 'the best bid is below the best ask');
      expect(last === undefined || book.nonce >= last, 'update ids never fall');
      first ??= book.nonce;
      last = book.nonce;
    }
    expect(last > first, 'the book moves');
    return { bid, ask, updates: last - first };
  });

  await report('fetchBalance', async () => {
    const balance = await exchange.fetchBalance();
    expect(balance[market.quote]?.total > 0, 'there is money');
    return { total: balance[market.quote].total };
  });

  // watchOrders is one long subscription; everything it brings is kept.
  const events = new Inbox();
  let watching = true;
  const watch = (async () => {
    while (watching) for (const event of await exchange.watchOrders(symbol)) events.push({ ...event });
  })().catch((error) => watching && console.error(`watchOrders: ${error}`));
  await new Promise((resolve) => setTimeout(resolve, 500));

  await report('createOrder', async () => {
    const minimum = Math.max(market.limits.cost.min ?? 5, 5) * 1.5;
    amount = Math.max(market.limits.amount.min, minimum / bid);
    amount = Number(exchange.amountToPrecision(symbol, amount + market.precision.amount));
    order = await exchange.createOrder(symbol, 'limit', 'buy', amount, exchange.priceToPrecision(symbol, bid * 0.99), {
      postOnly: true,
    });
    expect(order.status === 'open', 'the order is open');
    return { id: order.id, price: order.price, amount };
  });
  await report('user event: new', async () => {
    const event = await events.first((e) => e.id === order.id && e.status === 'open');
    return { id: event.id };
  });

  await report('editOrder', async () => {
    const edited = await exchange.editOrder(
      order.id, symbol, 'limit', 'buy', amount, exchange.priceToPrecision(symbol, bid * 0.985));
    expect(edited.id === order.id && edited.price < order.price, 'the order moved');
    const fetched = await exchange.fetchOrder(order.id, symbol);
    expect(fetched.price === edited.price, 'a query shows the new price');
    return { price: edited.price };
  });

  await report('fetchOpenOrders', async () => {
    const open = await exchange.fetchOpenOrders(symbol);
    expect(open.some((o) => o.id === order.id), 'the order is listed');
    return { count: open.length };
  });

  await report('cancelOrder', async () => {
    const canceled = await exchange.cancelOrder(order.id, symbol);
    expect(canceled.status === 'canceled', 'the order is cancelled');
    await events.first((e) => e.id === order.id && e.status === 'canceled');
    return { id: canceled.id };
  });

  await report('fill', async () => {
    order = await exchange.createOrder(symbol, 'market', 'buy', amount);
    const event = await events.first((e) => e.id === order.id && e.status === 'closed');
    expect(event.filled === amount, 'all of it is filled');
    const [position] = (await exchange.fetchPositions([symbol])).filter((p) => p.contracts > 0);
    expect(position?.side === 'long' && position.contracts >= amount, 'the position is ours');
    return { price: event.average, contracts: position.contracts };
  });

  await report('close', async () => {
    const closing = await exchange.createOrder(symbol, 'market', 'sell', amount, undefined, { reduceOnly: true });
    await events.first((e) => e.id === closing.id && e.status === 'closed');
    const trades = await exchange.fetchMyTrades(symbol);
    expect(trades.some((t) => t.order === closing.id), 'its trades are found');
    return { trades: trades.length };
  });

  watching = false;
  await exchange.close();
  await watch;
}

async function run_official() {
  const { DerivativesTradingUsdsFutures } = await import('@binance/derivatives-trading-usds-futures');
  process.env.LOG_LEVEL ??= 'error';
  const credentials = { apiKey: options.key, apiSecret: options.secret };
  const client = new DerivativesTradingUsdsFutures({
    configurationRestAPI: { ...credentials, basePath: options.rest },
    configurationWebsocketAPI: { ...credentials, wsURL: options.wsapi },
    configurationWebsocketStreams: { wsURL: options.ws },
  });
  const rest = client.restAPI;
  const report = (name, run) => step('official', name, run);
  const symbol = options.symbol;
  let filters, bid, quantity, price, order_id;
  const on_grid = (value, grid) => Number((Math.round(value / grid) * grid).toFixed(8));

  await report('exchangeInformation', async () => {
    const info = await (await rest.exchangeInformation()).data();
    const found = info.symbols.find((s) => s.symbol === symbol);
    expect(found?.status === 'TRADING', `${symbol} trades`);
    filters = Object.fromEntries(found.filters.map((f) => [f.filterType, f]));
    return { symbols: info.symbols.length };
  });

  const streams = await client.websocketStreams.connect();
  await report('order book stream', async () => {
    const frames = new Inbox();
    streams.diffBookDepthStreams({ symbol: symbol.toLowerCase(), updateSpeed: '100ms' }).on('message', (f) => frames.push(f));
    let last;
    for (let i = 1; i <= 5; ++i) {
      const frame = await frames.first((f) => last === undefined || Number(f.u) > Number(last.u));
      if (last !== undefined) expect(String(frame.pu) === String(last.u), 'each frame continues the one before');
      last = frame;
    }
    const book = await (await rest.orderBook({ symbol, limit: 5 })).data();
    bid = Number(book.bids[0][0]);
    expect(bid < Number(book.asks[0][0]), 'the best bid is below the best ask');
    return { frames: frames.count, bid };
  });

  const events = new Inbox();
  await report('user data stream', async () => {
    const { listenKey } = await (await rest.startUserDataStream()).data();
    streams.userData(listenKey).on('message', (event) => events.push(event));
    await new Promise((resolve) => setTimeout(resolve, 500));
    return { listenKey: listenKey.length };
  });
  const order_event = (status, id) =>
    events.first((e) => e.e === 'ORDER_TRADE_UPDATE' && e.o.X === status && String(e.o.i) === String(id));

  await report('place', async () => {
    const step_size = Number(filters.LOT_SIZE.stepSize);
    const minimum = Number(filters.MIN_NOTIONAL.notional) * 1.5;
    quantity = on_grid(Math.max(Number(filters.LOT_SIZE.minQty), minimum / bid) + step_size, step_size);
    price = on_grid(bid * 0.99, Number(filters.PRICE_FILTER.tickSize));
    const order = await (await rest.newOrder({ symbol, side: 'BUY', type: 'LIMIT', timeInForce: 'GTX', quantity, price })).data();
    order_id = order.orderId;
    expect(order.status === 'NEW', 'the order is new');
    await order_event('NEW', order_id);
    return { id: String(order_id) };
  });

  await report('amend', async () => {
    const moved = on_grid(bid * 0.985, Number(filters.PRICE_FILTER.tickSize));
    const order = await (await rest.modifyOrder({ symbol, side: 'BUY', orderId: order_id, quantity, price: moved })).data();
    expect(Number(order.price) === moved, 'the order moved');
    return { price: order.price };
  });

  await report('cancel', async () => {
    const order = await (await rest.cancelOrder({ symbol, orderId: order_id })).data();
    expect(order.status === 'CANCELED', 'the order is cancelled');
    await order_event('CANCELED', order_id);
    return { id: String(order.orderId) };
  });

  const api = await client.websocketAPI.connect();
  await report('place and cancel over the WebSocket API', async () => {
    const placed = await api.newOrder({ symbol, side: 'BUY', type: 'LIMIT', timeInForce: 'GTX', quantity, price });
    const id = placed.data.orderId;
    await order_event('NEW', id);
    const canceled = await api.cancelOrder({ symbol, orderId: id });
    expect(canceled.data.status === 'CANCELED', 'the order is cancelled');
    return { id: String(id), rate_limits: placed.rateLimits?.length };
  });

  await report('fill', async () => {
    const order = await (await rest.newOrder({ symbol, side: 'BUY', type: 'MARKET', quantity, newOrderRespType: 'RESULT' })).data();
    expect(order.status === 'FILLED', 'the order is filled');
    const event = await order_event('FILLED', order.orderId);
    expect(Number(event.o.z) === quantity, 'all of it');
    const account = await events.first((e) => e.e === 'ACCOUNT_UPDATE');
    expect(account.a.m === 'ORDER', 'the account was told why');
    await rest.newOrder({ symbol, side: 'SELL', type: 'MARKET', quantity, reduceOnly: 'true' });
    return { average: event.o.ap };
  });

  await streams.disconnect();
  await api.disconnect();
}

if (options.client !== 'official') await run_ccxt();
if (options.client !== 'ccxt') await run_official();
process.exit(0);
