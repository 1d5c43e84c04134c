// Numbers and times as people read them.

export const none = '–';

export function number(value: number | null | undefined, digits: number): string {
  if (value == null || !Number.isFinite(value)) return none;
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/// As many digits as the number needs, at most eight.
export function plain(value: number | null | undefined): string {
  if (value == null || !Number.isFinite(value)) return none;
  return value.toLocaleString('en-US', { maximumFractionDigits: 8 });
}

export function signed(value: number | null | undefined, digits: number): string {
  if (value == null || !Number.isFinite(value)) return none;
  const text = number(Math.abs(value), digits);
  return Number(text.replaceAll(',', '')) === 0 ? text : (value < 0 ? '−' : '+') + text;
}

export function percent(ratio: number | null | undefined, digits = 0): string {
  return ratio == null ? none : `${number(ratio * 100, digits)} %`;
}

export function bytes(count: number | null | undefined): string {
  if (count == null) return none;
  for (const [unit, size] of [['GB', 1e9], ['MB', 1e6], ['kB', 1e3]] as const) {
    if (Math.abs(count) >= size) return `${number(count / size, 1)} ${unit}`;
  }
  return `${number(count, 0)} B`;
}

export function duration(ms: number | null | undefined): string {
  if (ms == null) return none;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const s = ms / 1000;
  if (s < 60) return `${number(s, s < 10 ? 1 : 0)} s`;
  const m = Math.floor(s / 60);
  if (m < 60) return `${m} min ${Math.floor(s % 60)} s`;
  const h = Math.floor(m / 60);
  return h < 48 ? `${h} h ${m % 60} min` : `${Math.floor(h / 24)} d ${h % 24} h`;
}

const two = (n: number): string => String(n).padStart(2, '0');

/// Of the day, in the reader's own time zone.
export function clock(ms: number): string {
  const t = new Date(ms);
  return `${two(t.getHours())}:${two(t.getMinutes())}:${two(t.getSeconds())}`;
}

export function digitsOf(texts: Iterable<string>): number {
  let most = 0;
  for (const text of texts) most = Math.max(most, (text.split('.')[1] ?? '').length);
  return most;
}

export function words(name: string): string {
  return name.replaceAll('_', ' ');
}
