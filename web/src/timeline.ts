// When each stream was in which state, line by line, with what that was concluded from.

import { Rows, el, panel, setData, setText } from './dom';
import { clock, duration, words } from './format';
import type { Timeline } from './messages';
import { hideTip, showTip } from './tip';

const span = 5 * 60_000;
const roles = ['price', 'depth', 'ticker', 'mark', 'trades', 'liquidations', 'user'];

interface Shown { timeline: Timeline; now: number }

function label(t: Timeline): string {
  if (t.role === 'price') return 'price';
  return `${t.role} ${'AB'[t.line] ?? 'next'}`;
}

function sentence(t: Timeline, i: number, now: number): string {
  const change = t.changes[i];
  if (change === undefined) return '';
  const [at, state, evidence] = change;
  const until = t.changes[i + 1]?.[0] ?? now;
  return `${label(t)}: ${words(state)} since ${clock(at)}, for ${duration(until - at)}\n${evidence}`;
}

export class TimelinePanel {
  readonly element: HTMLElement;
  private readonly all = new Map<string, Timeline>();
  private readonly rows: Rows<Shown>;

  constructor() {
    const list = el('div', { class: 'timelines', role: 'list' });
    this.rows = new Rows(list, () => this.row());
    const legend = ['live', 'quiet', 'subscribed', 'suspect', 'unknown', 'stalled', 'recovering', 'closed'].map((state) =>
      el('span', { class: 'key' }, el('span', { class: 'swatch', 'data-state': state }), state));
    this.element = panel('timeline', 'Verdicts of every stream, five minutes', list,
      el('p', { class: 'note legend' }, ...legend),
      el('p', { class: 'note' }, 'Point at a stretch, or focus a line and use the arrow keys, for the evidence.'));
  }

  take(timelines: Timeline[]): void {
    for (const t of timelines) this.all.set(`${t.symbol} ${t.role} ${t.connection}`, t);
  }

  clear(): void {
    this.all.clear();
  }

  show(symbol: string, now: number): void {
    const shown = [...this.all.values()]
      .filter((t) => t.symbol === symbol || t.role === 'user')
      .filter((t) => t.changes.at(-1)?.[1] !== 'closed' || (t.changes.at(-1)?.[0] ?? 0) > now - span)
      .sort((a, b) => roles.indexOf(a.role) - roles.indexOf(b.role) || a.line - b.line);
    this.rows.show(shown.map((timeline) => ({ timeline, now })));
  }

  private row(): { element: HTMLElement; update: (shown: Shown) => void } {
    const name = el('span', { class: 'name' });
    const track = el('span', { class: 'track', tabindex: 0, role: 'img' });
    const state = el('span', { class: 'pill' });
    const stretches = new Rows<{ left: number; width: number; state: string; index: number }>(track, () => {
      const element = el('span', { class: 'stretch' });
      return {
        element,
        update: (s) => {
          element.style.left = `${s.left.toFixed(2)}%`;
          element.style.width = `${s.width.toFixed(2)}%`;
          setData(element, 'state', s.state);
          setData(element, 'index', String(s.index));
        },
      };
    });
    let current: Shown | null = null;
    let focused = 0;
    const tell = (index: number, x: number, y: number): void => {
      if (current !== null) showTip(sentence(current.timeline, index, current.now), x, y);
    };
    const tellFocused = (): void => {
      const box = track.getBoundingClientRect();
      tell(focused, box.left, box.bottom);
      if (current !== null) setText(document.getElementById('announcer')!, sentence(current.timeline, focused, current.now));
    };
    track.addEventListener('pointermove', (event) => {
      const index = (event.target as HTMLElement).dataset['index'];
      if (index === undefined) hideTip();
      else tell(Number(index), event.clientX, event.clientY);
    });
    track.addEventListener('pointerleave', hideTip);
    track.addEventListener('focus', () => {
      focused = (current?.timeline.changes.length ?? 1) - 1;
      if (track.matches(':focus-visible')) tellFocused();
    });
    track.addEventListener('blur', hideTip);
    track.addEventListener('keydown', (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (step === undefined || current === null) return;
      focused = Math.max(0, Math.min(focused + step, current.timeline.changes.length - 1));
      tellFocused();
      event.preventDefault();
    });
    const element = el('div', { class: 'timeline', role: 'listitem' }, name, track, state);
    return {
      element,
      update: (shown) => {
        current = shown;
        const { timeline, now } = shown;
        const last = timeline.changes.at(-1)?.[1] ?? '';
        setText(name, label(timeline));
        setText(state, words(last));
        setData(state, 'state', last);
        setData(element, 'stream', `${timeline.role} ${timeline.connection}`.trim());
        track.setAttribute('aria-label', `${label(timeline)}: ${words(last)}. Arrow keys tell the evidence.`);
        stretches.show(timeline.changes.flatMap((change, index) => {
          const begin = Math.max(change[0], now - span);
          const end = Math.min(timeline.changes[index + 1]?.[0] ?? now, now);
          if (end <= now - span) return [];
          return [{ left: ((begin - now + span) / span) * 100, width: Math.max(((end - begin) / span) * 100, 0.4), state: change[1], index }];
        }));
      },
    };
  }
}
