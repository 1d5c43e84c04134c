// A mail server that keeps what it is sent: SMTP with TLS from the start, or after STARTTLS, and with a login.

import { createServer as createPlain } from 'node:net';
import { TLSSocket, createServer as createTls } from 'node:tls';

/// `options` are those of node:tls; `user` and `password` are what it lets in, `from_start` says where TLS begins.
export async function startMail({ key, cert, user, password, fromStart = true }) {
  const mails = [];
  const said = [];
  function serve(socket, isSecure) {
    socket.on('error', () => {});
    let buffer = '';
    let data = null;
    let mail = { to: [] };
    const send = (line) => socket.write(`${line}\r\n`);
    const onLine = (line) => {
      if (data !== null) {
        if (line === '.') {
          mails.push({ ...mail, text: data.join('\r\n') });
          data = null;
          mail = { to: [] };
          send('250 kept');
        } else data.push(line.startsWith('.') ? line.slice(1) : line);
        return;
      }
      said.push({ line, isSecure });
      if (/^EHLO/i.test(line)) {
        send('250-mail');
        send(isSecure ? '250 AUTH PLAIN' : '250 STARTTLS');
      } else if (/^STARTTLS/i.test(line) && !isSecure) {
        send('220 go on');
        socket.removeAllListeners('data');
        serve(new TLSSocket(socket, { isServer: true, key, cert }), true);
      } else if (/^AUTH PLAIN/i.test(line)) {
        const word = line.split(' ')[2];
        if (word === undefined) { send('334 '); return; }
        check(word);
      } else if (/^[A-Za-z0-9+/=]+$/.test(line) && line.length > 8) check(line);
      else if (/^MAIL FROM:/i.test(line)) { mail.from = /<(.*?)>/.exec(line)[1]; send('250 ok'); }
      else if (/^RCPT TO:/i.test(line)) { mail.to.push(/<(.*?)>/.exec(line)[1]); send('250 ok'); }
      else if (/^DATA/i.test(line)) { data = []; send('354 go on'); }
      else if (/^QUIT/i.test(line)) { send('221 bye'); socket.end(); }
      else send('250 ok');
    };
    const check = (word) => {
      const [, name, secret] = Buffer.from(word, 'base64').toString().split('\0');
      send(name === user && secret === password ? '235 welcome' : '535 no');
    };
    socket.on('data', (bytes) => {
      buffer += bytes.toString('latin1');
      for (let end = buffer.indexOf('\r\n'); end >= 0; end = buffer.indexOf('\r\n')) {
        const line = buffer.slice(0, end);
        buffer = buffer.slice(end + 2);
        onLine(line);
      }
    });
    if (isSecure === fromStart) send('220 mail');
  }
  const server = fromStart ? createTls({ key, cert }, (socket) => serve(socket, true)) : createPlain((socket) => serve(socket, false));
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { mails, said, port: server.address().port, stop: () => new Promise((resolve) => { server.close(resolve); }) };
}
