// The two charts over time: price with own quotes and fills, position with the result.

import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { el, panel } from './dom';
import { clock, number, plain } from './format';
import type { LiveEvent, Sample } from './messages';

const samplesMax = 900;
const sampleInterval = 1000;
const windows = [['2 min', 120], ['5 min', 300], ['15 min', 900]] as const;

function color(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

const axes = (left: (value: number) => string): uPlot.Axis[] => {
  const common = { stroke: color('quiet-text'), grid: { stroke: color('line'), width: 1 }, ticks: { show: false }, font: '11px system-ui, sans-serif' };
  return [{ ...common, space: 80, values: (_, values) => values.map((s) => clock(s * 1000)) }, { ...common, size: 74, values: (_, values) => values.map(left) }];
};

/// While the newest second moves, so often at most.
const drawInterval = 500;

const stepped = uPlot.paths.stepped!({ align: 1 });

class Chart {
  readonly element: HTMLElement;
  private plot: uPlot | null = null;
  private shown: uPlot.AlignedData = [[]];

  constructor(label: string, private readonly height: number, private readonly options: () => Omit<uPlot.Options, 'width' | 'height'>) {
    this.element = el('div', { class: 'chart', role: 'img', 'aria-label': label });
    new ResizeObserver(() => this.resize()).observe(this.element);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.remake());
  }

  show(data: uPlot.AlignedData): void {
    this.shown = data;
    if (this.plot === null) this.remake();
    else this.plot.setData(data);
  }

  private resize(): void {
    const width = this.element.clientWidth;
    if (width > 0 && this.plot !== null && this.plot.width !== width) this.plot.setSize({ width, height: this.height });
  }

  private remake(): void {
    this.plot?.destroy();
    const width = this.element.clientWidth;
    this.plot = width === 0 ? null : new uPlot({ ...this.options(), width, height: this.height }, this.shown, this.element);
  }
}

export class Charts {
  readonly price: HTMLElement;
  readonly result: HTMLElement;
  private samples: Sample[] = [];
  private fills: LiveEvent[] = [];
  private span: number = windows[1][1];
  private digits = 2;
  private drawnAt = 0;
  private readonly priceChart: Chart;
  private readonly resultChart: Chart;

  constructor() {
    this.priceChart = new Chart('Mid price, own best bid and ask, and own fills over time', 260, () => ({
      cursor: { y: false, points: { size: 6 } },
      legend: { live: false },
      scales: { x: { time: true } },
      axes: axes((v) => number(v, this.digits)),
      series: [
        {},
        { label: 'mid', stroke: color('ink'), width: 1.5, points: { show: false } },
        { label: 'own bid', stroke: color('bid'), width: 1.5, paths: stepped, points: { show: false } },
        { label: 'own ask', stroke: color('ask'), width: 1.5, paths: stepped, points: { show: false } },
      ],
      hooks: { draw: [(plot) => this.drawFills(plot)] },
    }));
    this.resultChart = new Chart('Position and net result over time', 150, () => ({
      cursor: { y: false, points: { size: 6 } },
      legend: { live: false },
      scales: { x: { time: true }, result: {} },
      axes: [
        ...axes(plain),
        { scale: 'result', side: 1, size: 60, stroke: color('quiet-text'), grid: { show: false }, ticks: { show: false }, font: '11px system-ui, sans-serif', values: (_, values) => values.map((v) => number(v, 2)) },
      ],
      series: [
        {},
        { label: 'position', stroke: color('accent'), width: 1.5, paths: stepped, points: { show: false } },
        { label: 'net result', scale: 'result', stroke: color('quiet'), width: 1.5, points: { show: false } },
      ],
    }));
    const choices = windows.map(([label, seconds]) => {
      const button = el('button', { type: 'button', 'aria-pressed': String(seconds === this.span) }, label);
      button.onclick = () => {
        this.span = seconds;
        choices.forEach((c) => c.setAttribute('aria-pressed', String(c === button)));
        this.draw();
      };
      return button;
    });
    this.price = panel('price', 'Price, own quotes and fills',
      el('div', { class: 'choices', role: 'group', 'aria-label': 'Time shown' }, ...choices), this.priceChart.element,
      el('p', { class: 'note' }, 'Triangles are own fills: up bought, down sold.'));
    this.result = this.resultChart.element;
  }

  clear(): void {
    this.samples = [];
    this.fills = [];
  }

  history(samples: Sample[]): void {
    this.samples = samples;
    this.draw();
  }

  /// The newest second moves until it is over.
  add(sample: Sample): void {
    const before = this.samples.at(-2);
    if (before !== undefined && sample[0] - before[0] < sampleInterval) this.samples.pop();
    this.samples.push(sample);
    if (this.samples.length > samplesMax) this.samples.shift();
    if (performance.now() - this.drawnAt >= drawInterval) this.draw();
  }

  showFills(fills: LiveEvent[], digits: number): void {
    this.fills = fills;
    this.digits = digits;
  }

  private draw(): void {
    this.drawnAt = performance.now();
    const newest = this.samples.at(-1)?.[0] ?? 0;
    const rows = this.samples.filter((s) => newest - s[0] <= this.span * 1000);
    const times = rows.map((s) => s[0] / 1000);
    this.priceChart.show([times, rows.map((s) => s[1]), rows.map((s) => s[2]), rows.map((s) => s[3])]);
    this.resultChart.show([times, rows.map((s) => s[4]), rows.map((s) => s[5])]);
  }

  private drawFills(plot: uPlot): void {
    const { ctx, bbox } = plot;
    const size = 5 * devicePixelRatio;
    const [bought, sold, edge] = [color('bid'), color('ask'), color('panel')];
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    const from = plot.scales['x']?.min ?? 0;
    for (const fill of this.fills) {
      if (fill.at_ms / 1000 < from) continue;
      const x = plot.valToPos(fill.at_ms / 1000, 'x', true);
      const y = plot.valToPos(Number(fill.price), 'y', true);
      const up = fill.side === 'bid' ? 1 : -1;
      ctx.beginPath();
      ctx.moveTo(x, y - up * size);
      ctx.lineTo(x - size, y + up * size);
      ctx.lineTo(x + size, y + up * size);
      ctx.closePath();
      ctx.fillStyle = fill.side === 'bid' ? bought : sold;
      ctx.strokeStyle = edge;
      ctx.lineWidth = devicePixelRatio;
      ctx.fill();
      ctx.stroke();
    }
    ctx.restore();
  }
}
