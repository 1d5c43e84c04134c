// What belongs to the whole program: connections, budgets, alerts, recording, what happened.

import { Rows, cells, el, panel, setData, setText, table } from './dom';
import { bytes, clock, duration, none, number, words } from './format';
import { Facts, Meter } from './market';
import type { ConnectionStatus, LiveEvent, Status, SymbolCoverage } from './messages';
import { hideTip, showTip } from './tip';

interface Rate { messages: number; payload: number; wire: number; sent: number }

/// Per second, from counters of the last two seconds.
class Rates {
  private readonly seen = new Map<string, { at: number; c: ConnectionStatus }[]>();

  of(c: ConnectionStatus, now: number): Rate {
    const list = this.seen.get(c.connection) ?? [];
    this.seen.set(c.connection, list);
    if ((list.at(-1)?.c.messages ?? 0) > c.messages) list.length = 0;
    list.push({ at: now, c });
    while (list.length > 2 && now - list[0]!.at > 2000) list.shift();
    const first = list[0]!;
    const seconds = Math.max((now - first.at) / 1000, 0.001);
    const per = (key: 'messages' | 'payload_bytes' | 'wire_received_bytes' | 'wire_sent_bytes'): number => (c[key] - first.c[key]) / seconds;
    return { messages: per('messages'), payload: per('payload_bytes'), wire: per('wire_received_bytes'), sent: per('wire_sent_bytes') };
  }
}

export class ConnectionsPanel {
  readonly element: HTMLElement;
  private readonly rates = new Rates();
  private readonly rows: Rows<{ c: ConnectionStatus; rate: Rate }>;

  constructor() {
    const { element, body } = table('Connections to the venue', ['connection', 'state', 'open for', 'streams', 'messages/s', 'received/s', 'payload/s', 'ping', 'lost']);
    this.rows = new Rows(body, () => {
      const row = cells(9);
      const pill = el('span', { class: 'pill' });
      row.cells[1]?.append(pill);
      const put = (i: number, text: string): void => setText(row.cells[i]!, text);
      return {
        element: row.element,
        update: ({ c, rate }) => {
          setData(row.element, 'connection', c.connection);
          put(0, c.connection);
          setText(pill, words(c.state));
          setData(pill, 'state', c.state);
          put(2, duration(c.age_ms));
          put(3, c.streams_silent > 0 ? `${c.streams} (${c.streams_silent} silent)` : String(c.streams));
          put(4, number(rate.messages, 0));
          put(5, bytes(rate.wire));
          put(6, bytes(rate.payload));
          put(7, duration(c.ping_ms));
          put(8, String(c.reconnects));
        },
      };
    });
    this.element = panel('connections', 'Connections', element);
  }

  show(status: Status): void {
    this.rows.show(status.connections
      .filter((c) => c.wanted || c.state !== 'idle')
      .map((c) => ({ c, rate: this.rates.of(c, status.time_unix_ms) })));
  }
}

export class BudgetPanel {
  readonly element: HTMLElement;
  private readonly weight = new Meter('request weight, 1 min');
  private readonly orders10 = new Meter('orders, 10 s');
  private readonly orders60 = new Meter('orders, 1 min');
  private readonly bandwidth = new Meter('bandwidth');
  private readonly facts = new Facts(['Step of saving', 'Lines', 'Connections opened', 'Lost', 'Clock offset', 'Clock error']);

  constructor() {
    this.element = panel('budgets', 'Budgets and bandwidth', this.weight.element, this.orders10.element, this.orders60.element, this.bandwidth.element, this.facts.element);
  }

  show({ limits, traffic, clock: c }: Status): void {
    const used = (meter: Meter, of: { used: number; limit: number }): void =>
      meter.set(of.used, of.limit, `${number(of.used, 0)} of ${number(of.limit, 0)}`);
    used(this.weight, limits.weight_1m);
    used(this.orders10, limits.orders_10s);
    used(this.orders60, limits.orders_1m);
    this.bandwidth.set(traffic.bytes_per_s, traffic.budget_bytes_per_s,
      traffic.budget_bytes_per_s > 0 ? `${bytes(traffic.bytes_per_s)}/s of ${bytes(traffic.budget_bytes_per_s)}/s` : `${bytes(traffic.bytes_per_s)}/s, no budget`);
    this.facts.set('Step of saving', String(traffic.bandwidth_step), traffic.bandwidth_step > 0 ? 'warn' : '');
    this.facts.set('Lines', String(traffic.lines));
    this.facts.set('Connections opened', number(traffic.connects, 0));
    this.facts.set('Lost', number(traffic.reconnects, 0));
    this.facts.set('Clock offset', duration(c.offset_ms));
    this.facts.set('Clock error', duration(c.error_ms));
  }
}

interface Notice { level: string; title: string; text: string; help: string }

export class AlertPanel {
  readonly element: HTMLElement;
  private readonly list = el('ul', { class: 'notices' });
  private readonly rows: Rows<Notice>;
  private readonly calm = el('p', { class: 'note' }, 'No alert is in force, and every check is fine.');

  constructor() {
    this.rows = new Rows(this.list, () => {
      const [title, text, help] = [el('strong'), el('span'), el('code')];
      const element = el('li', {}, title, text, help);
      return {
        element,
        update: (n) => {
          setData(element, 'level', n.level);
          setText(title, n.title);
          setText(text, n.text);
          setText(help, n.help);
          help.hidden = n.help === '';
        },
      };
    });
    this.element = panel('alerts', 'Alerts and checks', this.calm, this.list);
  }

  show({ alerts, health }: Status): void {
    const notices = [
      ...alerts.map((a) => ({ level: a.level >= 3 ? 'severe' : 'warning', title: `${words(a.alert)}${a.symbol === null ? '' : ` ${a.symbol}`}, level ${a.level}`, text: `${a.text} (for ${duration(a.age_ms)})`, help: '' })),
      ...health.checks.filter((c) => c.level !== 'ok').map((c) => ({ level: c.level, title: words(c.check), text: c.what, help: c.help ?? '' })),
    ];
    this.calm.hidden = notices.length > 0;
    this.rows.show(notices);
  }
}

const minutesShown = 60;
interface Cell { quality: string; text: string }

export class RecorderPanel {
  readonly element: HTMLElement;
  private readonly facts = new Facts(['Recording', 'Files', 'Rows kept', 'Newest row kept', 'Journal behind', 'Waiting', 'Lost', 'Disk free']);
  private readonly strips: Rows<SymbolCoverage>;
  private readonly minutes = new Map<string, SymbolCoverage>();
  private now = 0;

  constructor() {
    const list = el('div', { class: 'strips', role: 'list' });
    this.strips = new Rows(list, () => this.strip());
    this.element = panel('recorder', 'Recorder coverage, by the minute', list,
      el('p', { class: 'note' }, 'An hour of this run, newest right: full where every second had proved data; notched where trades were lost or the book began anew.'), this.facts.element);
  }

  take(symbols: SymbolCoverage[]): void {
    for (const s of symbols) {
      const first = s.minutes[0]?.[0] ?? 0;
      const before = (this.minutes.get(s.symbol)?.minutes ?? []).filter((m) => m[0] < first);
      this.minutes.set(s.symbol, { symbol: s.symbol, minutes: [...before, ...s.minutes].slice(-minutesShown) });
    }
  }

  clear(): void {
    this.minutes.clear();
  }

  show({ recording: r, time_unix_ms: now }: Status): void {
    this.now = Math.floor(now / 60_000);
    this.strips.show([...this.minutes.values()]);
    const f = this.facts;
    f.set('Recording', r.fault ?? (r.active ? 'yes' : 'no'), r.fault !== null ? 'bad' : r.active ? 'good' : '');
    f.set('Files', number(r.files, 0));
    f.set('Rows kept', number(r.rows_durable, 0));
    f.set('Newest row kept', r.last_durable_age_ms === null ? none : `${duration(Math.max(r.last_durable_age_ms, 0))} old`);
    f.set('Journal behind', duration(r.sync_lag_ms));
    f.set('Waiting', `${number(r.segments_waiting, 0)} ${r.segments_waiting === 1 ? 'segment' : 'segments'}`);
    f.set('Lost', `${number(r.records_lost, 0)} records`, r.records_lost > 0 ? 'bad' : '');
    f.set('Disk free', bytes(r.disk_free_bytes) + (r.disk_hours_left === null ? '' : `, ${number(r.disk_hours_left, 0)} h left`));
  }

  private strip(): { element: HTMLElement; update: (coverage: SymbolCoverage) => void } {
    const name = el('span', { class: 'name' });
    const track = el('span', { class: 'heat', role: 'img' });
    track.addEventListener('pointermove', (event) => {
      const text = (event.target as HTMLElement).dataset['text'];
      if (text === undefined) hideTip();
      else showTip(text, event.clientX, event.clientY);
    });
    track.addEventListener('pointerleave', hideTip);
    const heat = new Rows<Cell>(track, () => {
      const element = el('span');
      return {
        element,
        update: ({ quality, text }) => {
          setData(element, 'quality', quality);
          setData(element, 'text', text);
        },
      };
    });
    return {
      element: el('div', { class: 'strip', role: 'listitem' }, name, track),
      update: ({ symbol, minutes }) => {
        setText(name, symbol);
        const by = new Map(minutes.map((m) => [m[0], m]));
        let good = 0;
        let seen = 0;
        heat.show(Array.from({ length: minutesShown }, (_, i) => {
          const minute = this.now - minutesShown + 1 + i;
          const m = by.get(minute);
          if (m === undefined) return { quality: 'none', text: `${clock(minute * 60_000)}: nobody looked` };
          const share = m[1] > 0 ? m[2] / m[1] : 0;
          good += m[2];
          seen += m[1];
          const quality = m[4] > 0 || m[5] > 0 ? 'holes' : share >= 1 ? 'full' : share >= 0.9 ? 'most' : share > 0 ? 'some' : 'bad';
          return { quality, text: `${clock(minute * 60_000)}: ${m[2]} of ${m[1]} s with proved data, ${number(m[3], 0)} rows, ${m[4]} trades lost, ${m[5]} resyncs` };
        }));
        track.setAttribute('aria-label', `${symbol}: ${good} of ${seen} seconds with proved data`);
      },
    };
  }
}

export class EventsPanel {
  readonly element: HTMLElement;
  private readonly list = el('ol', { class: 'events', role: 'log', 'aria-live': 'off', 'aria-label': 'Events, newest first', tabindex: 0 });
  private readonly rows: Rows<LiveEvent>;
  private readonly only = el('input', { type: 'checkbox', id: 'only-incidents' });
  private events: LiveEvent[] = [];

  constructor() {
    this.rows = new Rows(this.list, () => {
      const [time, kind, text, evidence] = [el('time'), el('span', { class: 'kind' }), el('span'), el('span', { class: 'evidence' })];
      const element = el('li', {}, time, kind, text, evidence);
      return {
        element,
        update: (e) => {
          setData(element, 'kind', e.kind === 'fill' ? `fill-${e.side}` : e.kind);
          setText(time, clock(e.at_ms));
          setText(kind, words(e.kind));
          setText(text, e.kind === 'fill'
            ? `${e.symbol} ${e.side === 'bid' ? 'bought' : 'sold'} ${e.qty} at ${e.price} (${e.what})`
            : [e.symbol, e.what, e.cost_ms === undefined ? '' : `after ${duration(e.cost_ms)}`].filter((t) => t !== '').join(' · '));
          setText(evidence, e.evidence ?? '');
          evidence.hidden = !e.evidence;
        },
      };
    });
    this.only.onchange = () => this.draw();
    this.element = panel('events', 'Fills and incidents',
      el('label', { class: 'choices', for: 'only-incidents' }, this.only, 'incidents only'), this.list);
  }

  take(events: LiveEvent[]): void {
    this.events = [...this.events, ...events].slice(-512);
    this.draw();
  }

  clear(): void {
    this.events = [];
    this.draw();
  }

  fillsOf(symbol: string): LiveEvent[] {
    return this.events.filter((e) => e.kind === 'fill' && e.symbol === symbol);
  }

  private draw(): void {
    const shown = this.only.checked ? this.events.filter((e) => e.kind !== 'fill') : this.events;
    this.rows.show(shown.slice(-100).reverse());
  }
}
