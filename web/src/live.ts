// The connection to Phoenix: opened again for as long as the page is there.

import type { Message } from './messages';

const pauseMin = 250;
const pauseMax = 2000;
/// Five statuses a second are due; a socket that is open and silent for so long is as good as dead.
const silenceMax = 5000;
const wrongToken = 4001;

export interface LiveHandlers {
  message(message: Message): void;
  lost(): void;
  refused(): void;
}

export class Live {
  private socket: WebSocket | null = null;
  private pause = pauseMin;
  private heardAt = 0;
  private isLocked = false;

  constructor(private readonly handlers: LiveHandlers) {
    this.open();
    setInterval(() => this.watch(), 500);
  }

  send(message: Record<string, string>): void {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  /// Milliseconds since anything was heard.
  silence(): number {
    return performance.now() - this.heardAt;
  }

  private open(): void {
    const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
    const socket = new WebSocket(`${scheme}://${location.host}/live`);
    this.socket = socket;
    this.isLocked = false;
    this.heardAt = performance.now();
    socket.onmessage = (event) => {
      this.heardAt = performance.now();
      this.pause = pauseMin;
      const message = JSON.parse(String(event.data)) as Message;
      this.isLocked = message.type === 'locked';
      this.handlers.message(message);
    };
    socket.onclose = (event) => {
      if (this.socket !== socket) return;
      if (event.code === wrongToken) this.handlers.refused();
      this.again();
    };
  }

  private again(): void {
    this.socket = null;
    this.handlers.lost();
    setTimeout(() => this.open(), this.pause);
    this.pause = Math.min(this.pause * 2, pauseMax);
  }

  private watch(): void {
    const socket = this.socket;
    if (socket === null || this.isLocked || this.silence() < silenceMax) return;
    socket.onmessage = null;
    socket.onclose = null;
    socket.close();
    this.again();
  }
}
