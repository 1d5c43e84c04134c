// What belongs to the symbol that is looked at: its ladder, position, guards.

import { Rows, el, panel, setData, setText, table } from './dom';
import { digitsOf, duration, none, number, percent, plain, signed, words } from './format';
import type { Guard, Ladder, LadderRow, Status, SymbolStatus } from './messages';

/// Pairs of a name and a value, updated in place.
export class Facts {
  readonly element = el('dl', { class: 'facts' });
  private readonly values = new Map<string, HTMLElement>();

  constructor(names: readonly string[]) {
    for (const name of names) {
      const value = el('dd');
      this.values.set(name, value);
      this.element.append(el('div', {}, el('dt', {}, name), value));
    }
  }

  set(name: string, text: string, mood = ''): void {
    const value = this.values.get(name);
    if (value === undefined) return;
    setText(value, text);
    setData(value, 'mood', mood);
  }
}

/// A share of a limit, as a bar that says its numbers.
export class Meter {
  readonly element: HTMLElement;
  private readonly bar = el('span', { class: 'bar' });
  private readonly text = el('span', { class: 'figure' });
  private readonly track: HTMLElement;

  constructor(private readonly label: string) {
    this.track = el('span', { class: 'track', role: 'meter', 'aria-label': label, 'aria-valuemin': 0, 'aria-valuemax': 100, 'aria-valuenow': 0 }, this.bar);
    this.element = el('div', { class: 'meter' }, el('span', { class: 'name' }, label), this.track, this.text);
  }

  set(used: number, limit: number, text: string): void {
    const share = limit > 0 ? Math.min(used / limit, 1) : 0;
    this.bar.style.width = `${(share * 100).toFixed(1)}%`;
    setData(this.element, 'mood', share >= 0.95 ? 'bad' : share >= 0.8 ? 'warn' : '');
    this.track.setAttribute('aria-valuenow', String(Math.round(share * 100)));
    this.track.setAttribute('aria-valuetext', `${this.label}: ${text}`);
    setText(this.text, text);
  }
}

export class LadderPanel {
  readonly element: HTMLElement;
  private readonly rows: Rows<LadderRow>;
  private readonly note = el('p', { class: 'note' });
  private digits = 0;
  private largest = 1;

  constructor() {
    const { element, body } = table('Order book with own orders', ['own bid', 'bid', 'price', 'ask', 'own ask']);
    element.classList.add('ladder');
    this.rows = new Rows(body, () => this.row());
    this.element = panel('ladder', 'Ladder', element, this.note);
  }

  private row(): { element: HTMLElement; update: (row: LadderRow) => void } {
    const [ownBid, bid, price, ask, ownAsk] = [el('td'), el('td'), el('th', { scope: 'row' }), el('td'), el('td')];
    const [bidBar, askBar] = [el('span', { class: 'depth' }), el('span', { class: 'depth' })];
    const [bidText, askText] = [el('span'), el('span')];
    bid.append(bidBar, bidText);
    ask.append(askBar, askText);
    const element = el('tr', {}, ownBid, bid, price, ask, ownAsk);
    return {
      element,
      update: ([side, at, market, own, moving]) => {
        setData(element, 'side', side);
        setText(price, number(Number(at), this.digits));
        const width = `${(100 * Math.min(Number(market) / this.largest, 1)).toFixed(1)}%`;
        const shown = Number(market) > 0 ? plain(Number(market)) : '';
        setText(bidText, side === 'bid' ? shown : '');
        setText(askText, side === 'ask' ? shown : '');
        bidBar.style.width = side === 'bid' ? width : '0';
        askBar.style.width = side === 'ask' ? width : '0';
        const [cell, other] = side === 'bid' ? [ownBid, ownAsk] : [ownAsk, ownBid];
        const rests = Number(own) > 0;
        setText(other, '');
        setData(other, 'own', '');
        setText(cell, rests ? plain(Number(own)) : Number(moving) > 0 ? `(${plain(Number(moving))})` : '');
        setData(cell, 'own', rests ? 'rests' : Number(moving) > 0 ? 'moves' : '');
      },
    };
  }

  show(ladder: Ladder, symbol: SymbolStatus | undefined): void {
    this.digits = digitsOf(ladder.rows.map((row) => row[1]));
    this.largest = Math.max(...ladder.rows.map((row) => Number(row[2])), 1e-8);
    this.rows.show(ladder.rows);
    const own = ladder.rows.filter((row) => Number(row[3]) > 0).length;
    setText(this.note, `${own} own prices rest; in brackets: on the way. Quantities in ${symbol?.base_asset ?? 'the base asset'}.`);
  }

  clear(): void {
    this.rows.show([]);
    setText(this.note, '');
  }
}

function guardText(guard: Guard): string {
  if (guard.level === 0) return 'normal';
  return `${words(guard.level_name)}: ${words(guard.reason ?? none)}`;
}
function guardMood(guard: Guard): string {
  return guard.level === 0 ? 'good' : guard.level >= 3 ? 'bad' : 'warn';
}
function latched(guard: Guard): string {
  const names = guard.in_force.map((r) => words(r.reason) + (r.latched ? ' (latched)' : ''));
  return names.length === 0 ? 'none' : names.join(', ');
}

export class PositionPanel {
  readonly element: HTMLElement;
  private readonly usage = new Meter('of the limit');
  private readonly facts = new Facts(['Position', 'Entry price', 'Net result', 'Realised', 'Unrealised', 'Fees', 'Funding', 'Drawdown', 'Volume', 'Fills', 'Markout 5 s', 'At the touch']);

  constructor(chart: HTMLElement) {
    this.element = panel('position', 'Position and result', this.facts.element, this.usage.element, chart);
  }

  show(s: SymbolStatus): void {
    const f = this.facts;
    const mood = (n: number): string => (n > 0 ? 'good' : n < 0 ? 'bad' : '');
    f.set('Position', `${plain(s.position)} ${s.base_asset ?? ''}`);
    f.set('Entry price', plain(s.entry_price));
    f.set('Net result', `${signed(s.net_pnl, 4)} ${s.quote_asset ?? ''}`, mood(s.net_pnl));
    f.set('Realised', signed(s.realized_pnl, 4), mood(s.realized_pnl));
    f.set('Unrealised', signed(s.unrealized_pnl, 4), mood(s.unrealized_pnl));
    f.set('Fees', number(s.fees, 4));
    f.set('Funding', signed(s.funding_pnl, 4));
    f.set('Drawdown', number(s.drawdown, 4));
    f.set('Volume', number(s.volume, 2));
    f.set('Fills', number(s.counts.fills, 0));
    f.set('Markout 5 s', s.quality.markout_5s_bps === null ? none : `${signed(s.quality.markout_5s_bps, 2)} bps`);
    f.set('At the touch', `${percent(s.quality.bid_presence)} bid, ${percent(s.quality.ask_presence)} ask`);
    this.usage.set(Math.abs(s.position), s.position_limit, `${plain(Math.abs(s.position))} of ${plain(s.position_limit)}`);
  }
}

export class GuardPanel {
  readonly element: HTMLElement;
  private readonly facts = new Facts(['Quoting', 'Mode', 'Guard', 'In force', 'Orders', 'Switch at the venue', 'Price proved', 'Data lag', 'Account guard', 'Account in force', 'Kill latch', 'Equity']);
  private readonly worst = new Meter('worst case of all');

  constructor() {
    this.element = panel('guards', 'Guards and mode', this.facts.element, this.worst.element);
  }

  show(s: SymbolStatus, status: Status): void {
    const f = this.facts;
    f.set('Quoting', s.reason === null ? s.state : `${s.state}: ${s.reason}`, s.state === 'live' ? 'good' : 'warn');
    f.set('Mode', s.mode === null ? none : words(s.mode) + (s.mode_reason === null ? '' : `: ${s.mode_reason}`));
    f.set('Guard', guardText(s.guard), guardMood(s.guard));
    f.set('In force', latched(s.guard));
    f.set('Orders', `${s.orders_bid} bids, ${s.orders_ask} asks${s.orders_unknown > 0 ? `, ${s.orders_unknown} unknown` : ''}`, s.orders_unknown > 0 ? 'warn' : '');
    const countdown = status.clock.switch_countdown_ms;
    f.set('Switch at the venue', countdown === null ? 'off' : s.switch_armed ? `armed, ${duration(countdown)}` : 'not armed', countdown !== null && !s.switch_armed ? 'warn' : '');
    f.set('Price proved', s.proof_age_ms === null ? none : `${duration(Math.max(s.proof_age_ms, 0))} ago (${words(s.verdict)})`);
    f.set('Data lag', duration(s.lag_ms));
    f.set('Account guard', guardText(status.account.guard), guardMood(status.account.guard));
    f.set('Account in force', latched(status.account.guard));
    f.set('Kill latch', status.latched ? `set: ${status.latch_reason ?? ''}` : 'not set', status.latched ? 'bad' : 'good');
    f.set('Equity', status.account.equity === null ? none : signed(status.account.equity, 4));
    const { worst_notional: worst, total_notional_limit: limit } = status.account;
    this.worst.set(worst, limit, limit > 0 ? `${number(worst, 0)} of ${number(limit, 0)}` : number(worst, 0));
  }
}

/// One tab a symbol: what it does, and the choice of whom the panels show.
export class SymbolTabs {
  readonly element = el('div', { class: 'tabs', role: 'tablist', 'aria-label': 'Symbols' });
  private readonly tabs = new Map<string, { button: HTMLButtonElement; state: HTMLElement; mid: HTMLElement; position: HTMLElement; result: HTMLElement }>();
  private names: string[] = [];

  constructor(private readonly chosen: (symbol: string) => void) {
    this.element.addEventListener('keydown', (event) => this.move(event));
  }

  make(names: string[]): void {
    if (names.join() === this.names.join()) return;
    this.names = names;
    this.tabs.clear();
    this.element.replaceChildren(...names.map((name) => {
      const parts = { state: el('span', { class: 'pill' }), mid: el('span', { class: 'mid' }), position: el('span'), result: el('span') };
      const button = el('button', { type: 'button', role: 'tab', id: `tab-${name}`, 'aria-controls': 'panels', 'aria-selected': 'false', tabindex: -1 },
        el('span', { class: 'row' }, el('strong', {}, name), parts.state),
        el('span', { class: 'row' }, parts.mid, parts.result),
        el('span', { class: 'row small' }, parts.position));
      button.onclick = () => this.chosen(name);
      this.tabs.set(name, { button, ...parts });
      return button;
    }));
  }

  select(symbol: string): void {
    for (const [name, { button }] of this.tabs) {
      const isChosen = name === symbol;
      button.setAttribute('aria-selected', String(isChosen));
      button.tabIndex = isChosen ? 0 : -1;
    }
    document.getElementById('panels')?.setAttribute('aria-label', `Panels of ${symbol}`);
  }

  show(symbols: readonly SymbolStatus[]): void {
    for (const s of symbols) {
      const tab = this.tabs.get(s.symbol);
      if (tab === undefined) continue;
      setText(tab.state, s.state);
      setData(tab.state, 'state', s.state);
      setText(tab.mid, plain(s.mid));
      setText(tab.position, s.reason ?? `${plain(s.position)} ${s.base_asset ?? ''}, ${s.orders_live} orders`);
      setText(tab.result, signed(s.net_pnl, 2));
      setData(tab.result, 'mood', s.net_pnl > 0 ? 'good' : s.net_pnl < 0 ? 'bad' : '');
    }
  }

  private move(event: KeyboardEvent): void {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const at = this.names.findIndex((name) => this.tabs.get(name)?.button === document.activeElement);
    if (step === undefined || at < 0) return;
    const next = this.names[(at + step + this.names.length) % this.names.length];
    if (next === undefined) return;
    this.chosen(next);
    this.tabs.get(next)?.button.focus();
    event.preventDefault();
  }
}

