import './style.css';
import { ActionPanel } from './actions';
import { Charts } from './charts';
import { el, setData, setText } from './dom';
import { FaultPanel } from './faults';
import { digitsOf, duration } from './format';
import { Live } from './live';
import { AlertPanel, BudgetPanel, ConnectionsPanel, EventsPanel, RecorderPanel } from './machine';
import { GuardPanel, LadderPanel, PositionPanel, SymbolTabs } from './market';
import type { Hello, Ladder, Message, Status } from './messages';
import { TimelinePanel } from './timeline';
import { watchTip } from './tip';

const byId = (id: string): HTMLElement => document.getElementById(id)!;

class Head {
  private readonly ready = el('span', { class: 'pill', id: 'ready' }, 'connecting');
  private readonly link = el('span', { id: 'link' });
  private readonly run = el('span', { id: 'run' });
  private readonly mode = el('strong', { id: 'mode', hidden: true });

  constructor() {
    byId('head').append(el('h1', {}, 'Phoenix'), this.ready, this.mode, this.run, this.link);
  }

  show(status: Status): void {
    const { health } = status;
    const text = status.latched ? 'killed' : health.ready ? 'ready' : 'not ready';
    if (this.ready.textContent !== text) announce(`Phoenix is ${text}`);
    setText(this.ready, text);
    setData(this.ready, 'state', status.latched ? 'stalled' : health.ready ? 'live' : 'unknown');
    setText(this.run, `${status.phase}, run ${status.run_epoch}, up ${duration(status.uptime_ms)}, version ${status.version}`);
    this.mode.hidden = !status.paper && !status.limited;
    setText(this.mode, status.paper ? 'PAPER: orders meet a model of the venue' : status.limited ? 'LIMITED first start' : '');
  }

  told(text: string, mood: string): void {
    setText(this.link, text);
    setData(this.link, 'mood', mood);
  }
}

function announce(text: string): void {
  setText(byId('announcer'), text);
}

const head = new Head();
const charts = new Charts();
const ladder = new LadderPanel();
const position = new PositionPanel(charts.result);
const guards = new GuardPanel();
const timeline = new TimelinePanel();
const connections = new ConnectionsPanel();
const budgets = new BudgetPanel();
const alerts = new AlertPanel();
const recorder = new RecorderPanel();
const events = new EventsPanel();
const actions = new ActionPanel();
const faults = new FaultPanel();
const tabs = new SymbolTabs(choose);

let symbol = '';
let run = 0;
let status: Status | null = null;
let book: Ladder | null = null;
let isDue = false;

byId('symbols').append(tabs.element);
byId('panels').append(charts.price, ladder.element, timeline.element, faults.element, position.element, guards.element,
  connections.element, budgets.element, alerts.element, recorder.element, events.element, actions.element);
byId('panels').setAttribute('role', 'tabpanel');
faults.element.hidden = true;

function choose(name: string): void {
  symbol = name;
  tabs.select(name);
  actions.choose(name);
  charts.clear();
  ladder.clear();
  live.send({ symbol: name });
  if (status !== null) show(status);
}

function hello(message: Hello): void {
  // Another run knows nothing of what was before, and counts anew.
  if (message.run !== run) for (const part of [charts, events, recorder]) part.clear();
  timeline.clear();
  if (run !== 0 && message.run !== run) announce('Phoenix was started anew');
  run = message.run;
  byId('banner').hidden = true;
  tabs.make(message.symbols);
  actions.offer(message.actions, message.pausing);
  faults.element.hidden = !message.faults;
  events.clear();
  const first = message.symbols.includes(symbol) ? symbol : message.symbols[0];
  if (first !== undefined) choose(first);
}

/// Once a frame, however many messages came: a browser that is short of time shows the newest only.
function drawSoon(): void {
  if (isDue) return;
  isDue = true;
  requestAnimationFrame(() => {
    isDue = false;
    if (status !== null) show(status);
  });
}

function show(next: Status): void {
  head.show(next);
  tabs.show(next.symbols);
  const s = next.symbols.find((each) => each.symbol === symbol);
  if (s !== undefined) {
    position.show(s);
    guards.show(s, next);
    if (book?.symbol === symbol) {
      ladder.show(book, s);
      charts.showFills(events.fillsOf(symbol), digitsOf(book.rows.map((row) => row[1])));
    }
    charts.add([next.time_unix_ms, s.mid, s.own_bid, s.own_ask, s.position, s.net_pnl]);
  }
  timeline.show(symbol, next.time_unix_ms);
  connections.show(next);
  budgets.show(next);
  alerts.show(next);
  recorder.show(next);
  setData(document.body, 'symbol', symbol);
}

function banner(text: string): void {
  const element = byId('banner');
  element.hidden = false;
  setText(element, text);
}

function take(message: Message): void {
  switch (message.type) {
    case 'hello':
      return hello(message);
    case 'locked':
      return unlock();
    case 'status':
      status = message.status;
      return drawSoon();
    case 'events':
      return events.take(message.events);
    case 'ladder':
      book = message;
      return drawSoon();
    case 'samples':
      if (message.symbol === symbol) charts.history(message.rows);
      return;
    case 'timelines':
      return timeline.take(message.timelines);
    case 'coverage':
      return recorder.take(message.symbols);
  }
}

/// On an address beyond this machine nothing is told without the token.
function unlock(): void {
  const element = byId('banner');
  const input = el('input', { id: 'reading-token', type: 'password', autocomplete: 'off', required: true });
  const form = el('form', {}, el('label', { for: 'reading-token' }, 'This address needs the token: '), input, el('button', { type: 'submit' }, 'Open'));
  form.onsubmit = (event) => {
    event.preventDefault();
    live.send({ token: input.value });
  };
  element.replaceChildren(form);
  element.hidden = false;
  input.focus();
}

const live = new Live({
  message: take,
  lost: () => {
    setData(document.body, 'link', 'lost');
    banner('Phoenix does not answer. What is shown is old; trying again.');
  },
  refused: () => announce('The token is wrong'),
});

setInterval(() => {
  const silent = live.silence();
  const age = silent + (status?.age_ms ?? 0);
  const isLost = silent > 1500;
  setData(document.body, 'link', isLost ? 'lost' : 'up');
  head.told(status === null ? 'no data yet' : isLost ? `data ${duration(age)} old` : 'data live', isLost ? 'bad' : 'good');
}, 250);

watchTip();
