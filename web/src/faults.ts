// Of the demo alone: faults put on the local exchange, and what the exchange itself sees.

import { Rows, cells, el, panel, setData, setText, table } from './dom';
import { duration } from './format';
import { Facts } from './market';

interface ExchangeState {
  open_orders: { symbol: string; count: number }[];
  countdowns: { symbol: string; left_ms: number }[];
  peers: Record<string, unknown[]>;
  connections: Record<string, { opened: number }>;
  active_faults: number;
}
interface Fault { id: number; fault: string; begun: boolean; ends_in_ms: number }

const buttons: readonly { label: string; plan: string; says: string }[] = [
  { label: 'Mute', plan: 'at 0s for 10s mute public', says: 'All prices stop; sockets stay open and pings are answered.' },
  { label: 'Mute one line', plan: 'at 0s for 10s mute public oldest', says: 'One of the two lines goes silent; the other delivers.' },
  { label: 'Cut', plan: 'at 0s cut', says: 'Every connection is reset.' },
  { label: 'Half-open', plan: 'at 0s for 10s half_open', says: 'Nothing passes either way, not even pings.' },
  { label: 'Delay', plan: 'at 0s for 10s delay public amount=1500', says: 'Prices come 1.5 s late.' },
  { label: '429', plan: 'at 0s for 15s rest_status amount=429', says: 'Every request is refused with 429.' },
];

async function ask<T>(path: string, options?: RequestInit): Promise<T | null> {
  try {
    const reply = await fetch(`/demo${path}`, options);
    return reply.ok ? ((await reply.json()) as T) : null;
  } catch {
    return null;
  }
}

export class FaultPanel {
  readonly element: HTMLElement;
  private readonly said = el('p', { class: 'note', role: 'status' }, 'Choose a fault and watch the timeline, the ladder and the events.');
  private readonly facts = new Facts(['Orders there', 'Connections', 'Opened so far', 'Switch runs out', 'Faults in force']);
  private readonly faults: Rows<Fault>;
  private readonly list: HTMLElement;
  private isAsking = false;

  constructor() {
    const { element, body } = table('Faults in force', ['fault', 'ends in']);
    this.list = element;
    this.faults = new Rows(body, () => {
      const row = cells(2);
      return {
        element: row.element,
        update: (fault) => {
          setText(row.cells[0]!, fault.fault);
          setText(row.cells[1]!, fault.begun ? duration(Math.max(fault.ends_in_ms, 0)) : 'not begun');
        },
      };
    });
    const choices = buttons.map(({ label, plan, says }) => {
      const button = el('button', { type: 'button', title: `${says} (${plan})` }, label);
      button.onclick = async () => {
        const done = await ask('/faults', { method: 'POST', body: plan });
        setText(this.said, done === null ? `${label}: the exchange did not take it.` : `${label}: ${says}`);
        void this.look();
      };
      return button;
    });
    const kill = el('button', { type: 'button', class: 'danger', title: 'Phoenix ends where it is, without leaving; another one starts after three seconds' }, 'Kill');
    kill.onclick = async () => {
      setText(this.said, 'Kill: Phoenix ends where it is; its orders rest until its switch at the exchange or its successor takes them. Another one starts after three seconds.');
      await ask('/kill', { method: 'POST' });
    };
    const heal = el('button', { type: 'button' }, 'Lift all');
    heal.onclick = async () => {
      await ask('/faults', { method: 'DELETE' });
      setText(this.said, 'All faults are lifted.');
      void this.look();
    };
    this.element = panel('faults', 'Faults of the local exchange', el('div', { class: 'choices' }, ...choices, kill, heal), this.said,
      el('h3', {}, 'What the exchange itself sees'), this.facts.element, element);
    setInterval(() => void this.look(), 500);
  }

  private async look(): Promise<void> {
    if (this.isAsking || this.element.hidden || !this.element.isConnected) return;
    this.isAsking = true;
    const [state, list] = await Promise.all([ask<ExchangeState>('/state'), ask<{ faults: Fault[] }>('/faults')]);
    this.isAsking = false;
    if (state === null || list === null) return;
    const f = this.facts;
    const orders = state.open_orders.map((o) => `${o.symbol} ${o.count}`);
    f.set('Orders there', orders.length === 0 ? 'none' : orders.join(', '));
    f.set('Connections', String(Object.values(state.peers).reduce((sum, peers) => sum + peers.length, 0)));
    f.set('Opened so far', String(Object.values(state.connections).reduce((sum, c) => sum + c.opened, 0)));
    const left = state.countdowns.map((c) => c.left_ms);
    f.set('Switch runs out', left.length === 0 ? 'not armed' : `in ${duration(Math.max(Math.min(...left), 0))}`);
    f.set('Faults in force', String(state.active_faults), state.active_faults > 0 ? 'warn' : '');
    this.faults.show(list.faults);
    this.list.hidden = list.faults.length === 0;
    setData(this.element, 'faults', String(list.faults.length));
  }
}
