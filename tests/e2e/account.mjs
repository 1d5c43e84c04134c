// Signed requests of the local exchange's one account, for tests that look at it from outside or act as its owner.

import { createHmac } from 'node:crypto';

export function accountOf(exchange) {
  async function signed(method, path, query = '') {
    const text = `${query}${query ? '&' : ''}timestamp=${Date.now()}&recvWindow=5000`;
    const signature = createHmac('sha256', exchange.secret).update(text).digest('hex');
    const response = await fetch(`${exchange.plain.rest}${path}?${text}&signature=${signature}`, { method, headers: { 'X-MBX-APIKEY': exchange.key } });
    return response.json();
  }
  async function best(symbol) {
    return (await fetch(`${exchange.plain.rest}/fapi/v1/ticker/bookTicker?symbol=${symbol}`)).json();
  }
  return {
    signed,
    orders: (symbol) => signed('GET', '/fapi/v1/openOrders', symbol ? `symbol=${symbol}` : ''),
    /// Signed quantities by symbol, the flat ones left out.
    async positions() {
      const rows = await signed('GET', '/fapi/v3/positionRisk');
      return Object.fromEntries(rows.map((r) => [r.symbol, Number(r.positionAmt)]).filter(([, qty]) => qty !== 0));
    },
    /// With a client id of an earlier run of Phoenix (phx-00000000-...) it is none of a stranger's.
    take: (symbol, side, quantity, id) => signed('POST', '/fapi/v1/order',
      `symbol=${symbol}&side=${side}&type=MARKET&quantity=${quantity}${id ? `&newClientOrderId=${id}` : ''}`),
    /// An order of somebody else that rests 3 % below the market.
    async rest(symbol, quantity, id) {
      const price = (Math.floor(Number((await best(symbol)).bidPrice) * 0.97 * 100) / 100).toFixed(2);
      return signed('POST', '/fapi/v1/order', `symbol=${symbol}&side=BUY&type=LIMIT&timeInForce=GTX&quantity=${quantity}&price=${price}&newClientOrderId=${id}`);
    },
  };
}
