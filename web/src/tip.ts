// The one tooltip of the page, for the pointer and for the keyboard. Escape puts it away.

import { setText } from './dom';

const tip = (): HTMLElement => document.getElementById('tip')!;

export function showTip(text: string, x: number, y: number): void {
  const element = tip();
  setText(element, text);
  element.hidden = false;
  const { width, height } = element.getBoundingClientRect();
  const room = document.documentElement.clientWidth - width - 8;
  element.style.left = `${Math.max(8, Math.min(x + 12, room))}px`;
  element.style.top = `${y + height + 24 > innerHeight ? Math.max(8, y - height - 12) : y + 16}px`;
}

export function hideTip(): void {
  tip().hidden = true;
}

export function watchTip(): void {
  addEventListener('keydown', (event) => {
    if (event.key === 'Escape') hideTip();
  });
  addEventListener('scroll', hideTip, { passive: true });
}
