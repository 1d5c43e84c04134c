// Phoenix's WebSocket client against a server made of raw sockets, which can break every rule: the groups of the Autobahn
// suite in small (1-7, 9, 10, 12, 13), run by phoenix-ws-echo over plain TCP and TLS.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import tls from 'node:tls';
import zlib from 'node:zlib';

import { run, startExchange, temporaryDirectory } from './program.mjs';

const echo = process.env.PHOENIX_WS_ECHO ?? 'build/release/phoenix-ws-echo';
const text = 1, binary = 2, continuation = 0, close = 8, ping = 9, pong = 10;
const case_timeout_ms = 20_000;

function frame(opcode, payload = '', { fin = true, rsv = 0, length } = {}) {
  const body = Buffer.from(payload);
  const size = length ?? body.length;
  const head = [(fin ? 0x80 : 0) | (rsv << 4) | opcode];
  if (size < 126) head.push(size);
  else if (size < 65536) head.push(126, size >> 8, size & 255);
  else head.push(127, 0, 0, 0, 0, (size >>> 24) & 255, (size >>> 16) & 255, (size >>> 8) & 255, size & 255);
  return Buffer.concat([Buffer.from(head), body]);
}
function closePayload(code, reason = '') {
  const payload = Buffer.alloc(2);
  payload.writeUInt16BE(code);
  return Buffer.concat([payload, Buffer.from(reason)]);
}

/// One connection seen from the server, after its handshake.
class Peer {
  #bytes = Buffer.alloc(0);
  #frames = [];
  #waiting = [];
  ended = false;

  constructor(socket) {
    this.socket = socket;
    this.end = new Promise((resolve) => {
      const over = () => { this.ended = true; this.#wake(); resolve(); };
      socket.on('end', over);
      socket.on('close', over);
      socket.on('error', over);
    });
    socket.on('data', (data) => this.take(data));
  }
  take(data) {
    this.#bytes = Buffer.concat([this.#bytes, data]);
    for (;;) {
      const b = this.#bytes;
      if (b.length < 2) break;
      assert.ok(b[1] & 0x80, 'a client masks every frame');
      let size = b[1] & 0x7f, at = 2;
      if (size === 126) { if (b.length < 4) break; size = b.readUInt16BE(2); at = 4; }
      else if (size === 127) { if (b.length < 10) break; size = Number(b.readBigUInt64BE(2)); at = 10; }
      if (b.length < at + 4 + size) break;
      const mask = b.subarray(at, at + 4);
      const payload = Buffer.from(b.subarray(at + 4, at + 4 + size));
      for (let i = 0; i < size; ++i) payload[i] ^= mask[i & 3];
      this.#frames.push({ opcode: b[0] & 15, fin: b[0] >> 7, rsv: (b[0] >> 4) & 7, payload });
      this.#bytes = b.subarray(at + 4 + size);
    }
    this.#wake();
  }
  #wake() {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
  send(...frames) { this.socket.write(Buffer.concat(frames)); }
  /// Writes each piece in a packet of its own.
  async dribble(bytes, size) {
    this.socket.setNoDelay(true);
    for (let at = 0; at < bytes.length; at += size) {
      await new Promise((resolve) => this.socket.write(bytes.subarray(at, at + size), () => setImmediate(resolve)));
    }
  }
  /// The next frame; undefined when the stream ended.
  async next() {
    for (;;) {
      if (this.#frames.length > 0) return this.#frames.shift();
      if (this.ended) return undefined;
      await new Promise((resolve) => this.#waiting.push(resolve));
    }
  }
  async expect(opcode, payload) {
    const f = await this.next();
    assert.ok(f, `the client left instead of sending opcode ${opcode}`);
    assert.equal(f.opcode, opcode, `payload ${f.payload.subarray(0, 60).toString('latin1')}`);
    assert.equal(f.rsv, 0);
    if (payload !== undefined) assert.ok(f.payload.equals(Buffer.from(payload)), `echo of ${Buffer.from(payload).length} bytes`);
    return f;
  }
  /// The client has to fail the connection with `code`, soon and although more may come.
  async expectFailure(code) {
    for (;;) {
      const f = await this.next();
      assert.ok(f, `the client left without a close frame, ${code} was due`);
      if (f.opcode !== close) continue;
      assert.equal(f.payload.readUInt16BE(0), code);
      break;
    }
    this.socket.end();
    await this.end;
  }
  /// An orderly end by the server: the client repeats the code, and leaves closing the stream to us.
  async leave(code = 1000, reason = '') {
    this.send(frame(close, code === undefined ? '' : closePayload(code, reason)));
    const f = await this.expect(close, code === undefined ? '' : closePayload(code));
    this.socket.end();
    await this.end;
    return f;
  }
}

const cases = [];
function add(name, script, { deflate } = {}) { cases.push({ name, script, deflate }); }
const echoed = (name, opcode, payload, send) => add(name, async (peer) => {
  await (send ? send(peer) : peer.send(frame(opcode, payload)));
  await peer.expect(opcode, payload);
  await peer.leave();
});
const fails = (name, code, send) => add(name, async (peer) => {
  await send(peer);
  await peer.expectFailure(code);
});

// 1: sizes, whole and in small pieces.
for (const [opcode, kind] of [[text, 'text'], [binary, 'binary']]) {
  for (const size of [0, 1, 125, 126, 127, 128, 65535, 65536]) echoed(`1 ${kind} of ${size}`, opcode, Buffer.alloc(size, '*'));
  echoed(`1 ${kind} of 65536 in pieces of 997`, opcode, Buffer.alloc(65536, '*'), (peer) => peer.dribble(frame(opcode, Buffer.alloc(65536, '*')), 997));
}
// 2: ping and pong.
for (const payload of ['', 'Hello', Buffer.from([0, 255, 254, 253, 0]), Buffer.alloc(125, 254)]) {
  add(`2 ping of ${payload.length}`, async (peer) => {
    peer.send(frame(ping, payload));
    await peer.expect(pong, payload);
    await peer.leave();
  });
}
fails('2.5 ping of 126', 1002, (peer) => peer.send(frame(ping, Buffer.alloc(126))));
add('2.6 ping byte by byte', async (peer) => {
  await peer.dribble(frame(ping, Buffer.alloc(125, 1)), 1);
  await peer.expect(pong, Buffer.alloc(125, 1));
  await peer.leave();
});
echoed('2.8 unasked pong', text, 'after it', (peer) => peer.send(frame(pong, 'unasked'), frame(text, 'after it')));
add('2.10 ten pings', async (peer) => {
  for (let i = 0; i < 10; ++i) peer.send(frame(ping, `p${i}`));
  for (let i = 0; i < 10; ++i) await peer.expect(pong, `p${i}`);
  await peer.leave();
});
// 3: reserved bits. 4: reserved opcodes.
for (const rsv of [1, 2, 3, 4, 5, 6, 7]) {
  add(`3 reserved bits ${rsv}`, async (peer) => {
    peer.send(frame(text, 'good'), frame(rsv & 1 ? text : ping, 'bad', { rsv }), frame(ping));
    await peer.expect(text, 'good');
    await peer.expectFailure(1002);
  });
}
for (const opcode of [3, 4, 5, 6, 7, 11, 12, 13, 14, 15]) {
  for (const payload of ['', 'reserved']) fails(`4 opcode ${opcode} of ${payload.length}`, 1002, (peer) => peer.send(frame(opcode, payload), frame(ping)));
}
// 5: fragments.
for (const opcode of [ping, pong, close]) fails(`5 fragmented control ${opcode}`, 1002, (peer) => peer.send(frame(opcode, 'a', { fin: false }), frame(continuation, 'b')));
for (const size of [1, 1000]) {
  const send = (peer) => peer.dribble(Buffer.concat([frame(text, 'fragment1', { fin: false }), frame(ping, 'between'), frame(continuation, 'fragment2')]), size);
  add(`5 ping between fragments, pieces of ${size}`, async (peer) => {
    await send(peer);
    await peer.expect(pong, 'between');
    await peer.expect(text, 'fragment1fragment2');
    await peer.leave();
  });
}
echoed('5 empty fragments', binary, 'x', (peer) => peer.send(frame(binary, '', { fin: false }), frame(continuation, 'x', { fin: false }), frame(continuation)));
for (const fin of [true, false]) {
  fails(`5 continuation of nothing, fin ${fin}`, 1002, (peer) => peer.send(frame(continuation, 'nothing', { fin }), frame(text, 'x')));
  add(`5 continuation after the end, fin ${fin}`, async (peer) => {
    peer.send(frame(text, 'a', { fin: false }), frame(continuation, 'b'), frame(continuation, 'c', { fin }));
    await peer.expect(text, 'ab');
    await peer.expectFailure(1002);
  });
}
fails('5.18 text inside text', 1002, (peer) => peer.send(frame(text, 'a', { fin: false }), frame(text, 'b')));
fails('5 length not in its shortest form', 1002, (peer) => peer.send(Buffer.from([0x81, 126, 0, 5]), Buffer.from('12345')));
fails('5 masked by a server', 1002, (peer) => peer.send(Buffer.from([0x81, 0x81, 1, 2, 3, 4, 5])));
// 6: UTF-8, checked while it arrives.
const kosme = Buffer.from('\u03ba\u1f79\u03c3\u03bc\u03b5');
const good = ['', 'Hello-µ@ßöäüàá-UTF-8!!', kosme, '\u0000', '\u0080', '\u0800', '\u{10000}', '\u007f', '\u07ff', '\uffff', '\u{10ffff}', '\ud7ff', '\ue000', '\ufffd'];
for (const [i, value] of good.entries()) {
  echoed(`6 well-formed ${i}`, text, value);
  echoed(`6 well-formed ${i} in fragments of a byte`, text, value, (peer) => {
    const bytes = Buffer.from(value);
    const parts = [...bytes].map((b, at) => frame(at === 0 ? text : continuation, Buffer.from([b]), { fin: false }));
    parts.push(frame(parts.length === 0 ? text : continuation));
    return peer.dribble(Buffer.concat(parts), 1);
  });
}
const bad = ['80', 'bf', '80bf80', 'c0', 'c080', 'c1bf', 'c2', 'e0', 'e08080', 'e09fbf', 'eda080', 'edbfbf', 'edb080', 'ee80', 'f0808080', 'f08fbfbf',
  'f4908080', 'f5808080', 'f7bfbfbf', 'f888808080', 'fc8480808080', 'fe', 'ff', '4865cebae1bdb9cf83cebcceb5eda080656469746564'];
for (const hex of bad) {
  fails(`6 ill-formed ${hex}`, 1007, (peer) => peer.send(frame(text, Buffer.from(hex, 'hex'))));
  fails(`6 ill-formed ${hex} in fragments`, 1007, (peer) => {
    const bytes = Buffer.from(hex, 'hex');
    peer.send(...[...bytes].map((b, at) => frame(at === 0 ? text : continuation, Buffer.from([b]), { fin: at === bytes.length - 1 })));
  });
}
const late = Buffer.concat([kosme, Buffer.from('f4908080', 'hex')]);
fails('6.4 at once in the first bad fragment', 1007, (peer) => peer.send(frame(text, kosme, { fin: false }), frame(continuation, Buffer.from('f490', 'hex'), { fin: false })));
fails('6.4 at once inside a frame that never ends', 1007, (peer) => peer.send(frame(text, late, { length: late.length + 1000 })));
fails('6.4 at once across fragments inside a frame that never ends', 1007, (peer) =>
  peer.send(frame(text, Buffer.concat([kosme, Buffer.from('f4', 'hex')]), { fin: false }), frame(continuation, Buffer.from('90', 'hex'), { length: 500 })));
// 7: closing.
for (const code of [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999]) {
  add(`7 close ${code}`, (peer) => peer.leave(code, code === 1000 ? 'a'.repeat(123) : 'why'));
}
add('7 close without a code', (peer) => peer.leave(undefined));
for (const code of [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535]) fails(`7 close ${code} may not be sent`, 1002, (peer) => peer.send(frame(close, closePayload(code))));
fails('7 close of one byte', 1002, (peer) => peer.send(frame(close, 'x')));
fails('7 close of 126 bytes', 1002, (peer) => peer.send(frame(close, closePayload(1000, 'a'.repeat(124)))));
fails('7 close with an ill-formed reason', 1007, (peer) => peer.send(frame(close, closePayload(1000, late))));
add('7 frames behind a close count for nothing', async (peer) => {
  peer.send(frame(close, closePayload(1000)), frame(ping, 'late'), frame(text, 'late'), frame(3, 'nonsense'));
  await peer.expect(close, closePayload(1000));
  peer.socket.end();
  assert.equal(await peer.next(), undefined);
});
add('7 closing the stream is left to the server', async (peer) => {
  peer.send(frame(close, closePayload(1000)));
  await peer.expect(close, closePayload(1000));
  // Nothing tells that something does not happen: a client that leaves by itself does so within this time.
  const left = await Promise.race([peer.end.then(() => true), new Promise((resolve) => setTimeout(resolve, 200, false))]);
  assert.equal(left, false);
  peer.socket.end();
  await peer.end;
});
add('7 a large echo and then the close', async (peer) => {
  peer.send(frame(text, Buffer.alloc(262_144, 'x')), frame(close, closePayload(1000)));
  await peer.expect(text, Buffer.alloc(262_144, 'x'));
  await peer.expect(close, closePayload(1000));
  peer.socket.end();
  await peer.end;
});
add('7 a cut instead of a close', async (peer) => { peer.socket.destroy(); });
// 9: sizes up to 1 MiB, whole and in fragments.
for (const [opcode, kind] of [[text, 'text'], [binary, 'binary']]) {
  for (const size of [1 << 18, 1 << 20]) {
    const payload = Buffer.alloc(size, 'm');
    echoed(`9 ${kind} of ${size}`, opcode, payload);
    for (const part of [1024, 65536]) {
      echoed(`9 ${kind} of ${size} in fragments of ${part}`, opcode, payload, (peer) => {
        for (let at = 0; at < size; at += part) peer.send(frame(at === 0 ? opcode : continuation, payload.subarray(at, at + part), { fin: at + part === size }));
      });
    }
  }
}
add('9.7 many messages there and back', async (peer) => {
  for (let i = 0; i < 300; ++i) {
    peer.send(frame(text, Buffer.alloc(64, 'r')));
    await peer.expect(text, Buffer.alloc(64, 'r'));
  }
  await peer.leave();
});
// 10: whatever way it comes.
echoed('10 65536 in fragments of 1300', text, Buffer.alloc(65536, '*'), (peer) => {
  for (let at = 0; at < 65536; at += 1300) peer.send(frame(at === 0 ? text : continuation, Buffer.alloc(Math.min(1300, 65536 - at), '*'), { fin: at + 1300 >= 65536 }));
});
// 12, 13: permessage-deflate.
const tail = Buffer.from([0, 0, 255, 255]);
class Deflater {
  constructor(takeover) { this.takeover = takeover; this.stream = zlib.createDeflateRaw(); }
  async compress(payload) {
    if (!this.takeover) this.stream = zlib.createDeflateRaw();
    const parts = [];
    const keep = (part) => parts.push(part);
    this.stream.on('data', keep);
    this.stream.write(payload);
    await new Promise((resolve) => this.stream.flush(zlib.constants.Z_SYNC_FLUSH, resolve));
    this.stream.off('data', keep);
    const all = Buffer.concat(parts);
    assert.ok(all.subarray(-4).equals(tail));
    return all.subarray(0, -4);
  }
}
for (const answer of ['permessage-deflate', 'permessage-deflate; server_no_context_takeover', 'permessage-deflate; client_no_context_takeover; client_max_window_bits=9', 'permessage-deflate; server_max_window_bits=15']) {
  for (const size of [16, 1024, 131_072]) {
    add(`12 ${answer}, ${size}`, async (peer) => {
      const deflater = new Deflater(!answer.includes('server_no'));
      for (let i = 0; i < 20; ++i) {
        const payload = Buffer.from(`${i}:`.padEnd(size, `{"price":"${i * 7919}.25"}`));
        const opcode = i % 2 === 0 ? text : binary;
        const packed = await deflater.compress(payload);
        const cut = packed.length >> 1;
        if (i % 3 === 0) peer.send(frame(opcode, packed.subarray(0, cut), { rsv: 4, fin: false }), frame(continuation, packed.subarray(cut)));
        else peer.send(frame(opcode, packed, { rsv: 4 }));
        await peer.expect(opcode, payload);
      }
      peer.send(frame(text, 'not compressed'));
      await peer.expect(text, 'not compressed');
      await peer.leave();
    }, { deflate: answer });
  }
}
const withDeflate = { deflate: 'permessage-deflate' };
add('12 a message of zeros that inflates a thousandfold', async (peer) => {
  const payload = Buffer.alloc(4 << 20);
  peer.send(frame(binary, await new Deflater(true).compress(payload), { rsv: 4 }));
  await peer.expect(binary, payload);
  await peer.leave();
}, withDeflate);
add('12 not a deflate stream', async (peer) => {
  peer.send(frame(text, Buffer.from('ffffffffffff', 'hex'), { rsv: 4 }));
  await peer.expectFailure(1007);
}, withDeflate);
add('12 ill-formed text under compression', async (peer) => {
  peer.send(frame(text, await new Deflater(true).compress(late), { rsv: 4 }));
  await peer.expectFailure(1007);
}, withDeflate);
add('12 compressed continuation', async (peer) => {
  peer.send(frame(text, 'a', { fin: false }), frame(continuation, 'b', { rsv: 4 }));
  await peer.expectFailure(1002);
}, withDeflate);
add('12 compressed ping', async (peer) => {
  peer.send(frame(ping, 'a', { rsv: 4 }));
  await peer.expectFailure(1002);
}, withDeflate);
for (const answer of ['permessage-deflate; nonsense', 'permessage-deflate; server_max_window_bits=16', 'x-unknown', 'permessage-deflate, permessage-deflate']) {
  add(`13 an impossible answer: ${answer}`, async (peer) => { assert.equal(await peer.next(), undefined); }, { deflate: answer });
}

/// Serves every case once and returns what went wrong.
function suite(listen) {
  const failures = [];
  const seen = new Set();
  let reported = 0;
  const serve = (socket) => {
    let head = Buffer.alloc(0);
    socket.on('error', () => {});
    const onData = (data) => {
      head = Buffer.concat([head, data]);
      const end = head.indexOf('\r\n\r\n');
      if (end < 0) return;
      socket.off('data', onData);
      const lines = head.subarray(0, end).toString().split('\r\n');
      const path = lines[0].split(' ')[1];
      const headers = Object.fromEntries(lines.slice(1).map((l) => [l.slice(0, l.indexOf(':')).toLowerCase(), l.slice(l.indexOf(':') + 1).trim()]));
      const number = Number(/case=(\d+)/.exec(path)?.[1]);
      const item = number ? cases[number - 1] : undefined;
      const accept = createHash('sha1').update(headers['sec-websocket-key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest('base64');
      socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n${
        item?.deflate ? `Sec-WebSocket-Extensions: ${item.deflate}\r\n` : ''}\r\n`);
      const peer = new Peer(socket);
      peer.take(head.subarray(end + 4));
      if (path.startsWith('/getCaseCount')) {
        peer.send(frame(text, String(cases.length)));
        peer.leave().catch((error) => failures.push(`case count: ${error.message}`));
      } else if (path.startsWith('/updateReports?agent=phoenix')) {
        ++reported;
        peer.leave().catch((error) => failures.push(`report: ${error.message}`));
      } else {
        if (!/agent=phoenix/.test(path) || !item || seen.has(number)) failures.push(`asked for ${path}`);
        if (!/permessage-deflate/.test(headers['sec-websocket-extensions'] ?? '')) failures.push('deflate was not offered');
        seen.add(number);
        let timer;
        const late = new Promise((_, reject) => { timer = setTimeout(() => reject(new Error('took too long')), case_timeout_ms); });
        Promise.race([item.script(peer), late])
          .catch((error) => failures.push(`${item.name}: ${error.message}`))
          .finally(() => { clearTimeout(timer); socket.destroySoon(); });
      }
    };
    socket.on('data', onData);
  };
  const server = listen(serve);
  return {
    server, failures, seen,
    get reported() { return reported; },
    ready: new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server.address().port))),
  };
}

const directory = temporaryDirectory();
let certificates;
before(async () => {
  // The local exchange makes the certificates.
  const exchange = await startExchange(directory);
  certificates = { ca: exchange.ca, cert: join(directory, 'server.pem'), key: join(directory, 'server.key') };
  assert.equal(await exchange.stop(), 0);
});

async function check(s, args) {
  const port = await s.ready;
  after(() => s.server.close());
  const result = await run(args(port), { command: echo });
  assert.equal(result.code, 0, result.stdout + result.stderr);
  assert.deepEqual(s.failures, []);
  assert.equal(s.seen.size, cases.length);
  assert.equal(s.reported, 1);
}

test(`${cases.length} cases over plain TCP`, async () => {
  await check(suite((serve) => net.createServer({ allowHalfOpen: true }, serve)), (port) => [`ws://127.0.0.1:${port}`]);
});
test(`${cases.length} cases over TLS`, async () => {
  const options = { cert: readFileSync(certificates.cert), key: readFileSync(certificates.key), allowHalfOpen: true };
  await check(suite((serve) => tls.createServer(options, serve)), (port) => [`ws://localhost:${port}`, '--tls', '--ca', certificates.ca]);
});
test('nobody there is said, with exit code 1', async () => {
  const blocker = net.createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => blocker.once('listening', resolve));
  const { port } = blocker.address();
  await new Promise((resolve) => blocker.close(resolve));
  const result = await run([`ws://127.0.0.1:${port}`], { command: echo });
  assert.equal(result.code, 1);
  assert.match(result.stderr, /getCaseCount: connect_failed/);
});
test('a wrong call explains itself, with exit code 2', async () => {
  assert.equal((await run([], { command: echo })).code, 2);
  assert.equal((await run(['ftp://x'], { command: echo })).code, 2);
});
