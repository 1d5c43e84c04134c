// What a person can have done: each with the token and a confirmation.

import { el, panel, setText } from './dom';

interface Action { action: string; symbol?: string; title: string; what: string }

/// Kept as long as this page, and nowhere else.
let token = '';

export class ActionPanel {
  readonly element: HTMLElement;
  private readonly dialog = el('dialog', { 'aria-labelledby': 'confirm-title' });
  private readonly title = el('h2', { id: 'confirm-title' });
  private readonly what = el('p', { id: 'confirm-what' });
  private readonly token = el('input', { id: 'token', type: 'password', autocomplete: 'off', required: true, spellcheck: 'false' });
  private readonly typed = el('input', { id: 'typed', type: 'text', autocomplete: 'off', required: true, spellcheck: 'false', 'aria-describedby': 'confirm-what' });
  private readonly typedLabel = el('label', { for: 'typed' });
  private readonly go = el('button', { type: 'submit', class: 'danger' }, 'Do it');
  private readonly answer = el('p', { class: 'answer', role: 'status' });
  private readonly outcome = el('p', { class: 'note', role: 'status' });
  private readonly buttons: Record<'pause' | 'resume' | 'pauseAll' | 'resumeAll' | 'kill', HTMLButtonElement>;
  private readonly why = el('p', { class: 'note' });
  private asked: Action | null = null;
  private symbol = '';

  constructor() {
    const button = (label: string, action: () => Action, danger = false): HTMLButtonElement => {
      const made = el('button', { type: 'button', class: danger ? 'danger' : undefined, disabled: true }, label);
      made.onclick = () => this.ask(action());
      return made;
    };
    this.buttons = {
      pause: button('Pause', () => ({ action: 'pause', symbol: this.symbol, title: `Pause ${this.symbol}`, what: `Its orders are cancelled at once. It quotes again only when it is resumed, also after a restart.` })),
      resume: button('Resume', () => ({ action: 'resume', symbol: this.symbol, title: `Resume ${this.symbol}`, what: 'It quotes again as soon as everything else allows it.' })),
      pauseAll: button('Cancel all and pause', () => ({ action: 'pause', title: 'Cancel all orders and pause', what: 'Every order on every symbol is cancelled at once. Nothing is quoted until it is resumed, also after a restart.' }), true),
      resumeAll: button('Resume all', () => ({ action: 'resume', title: 'Resume all symbols', what: 'All paused symbols quote again as soon as everything else allows it.' })),
      kill: button('Kill switch', () => ({ action: 'kill', title: 'Set the kill switch', what: 'Every order is cancelled and nothing is quoted, across restarts, until a person takes it away with: phoenix emergency re-arm' }), true),
    };
    const cancel = el('button', { type: 'button' }, 'Cancel');
    cancel.onclick = () => this.dialog.close();
    const form = el('form', { method: 'dialog' }, this.title, this.what,
      el('label', { for: 'token' }, 'Token'), this.token, this.typedLabel, this.typed, this.answer,
      el('div', { class: 'choices' }, cancel, this.go));
    form.onsubmit = (event) => {
      event.preventDefault();
      void this.send();
    };
    this.dialog.append(form);
    this.element = panel('actions', 'Actions',
      el('div', { class: 'choices' }, this.buttons.pause, this.buttons.resume, this.buttons.pauseAll, this.buttons.resumeAll, this.buttons.kill),
      this.why, this.outcome, this.dialog);
  }

  offer(actions: boolean, pausing: boolean): void {
    const { kill, ...rest } = this.buttons;
    kill.disabled = !actions;
    for (const button of Object.values(rest)) button.disabled = !pausing;
    setText(this.why, actions
      ? 'Each asks for the token and for a confirmation, and is written to the audit log.'
      : 'This page only shows. Actions need a maker with a token (metrics_token_file or PHOENIX_METRICS_TOKEN).');
  }

  choose(symbol: string): void {
    this.symbol = symbol;
    setText(this.buttons.pause, `Pause ${symbol}`);
    setText(this.buttons.resume, `Resume ${symbol}`);
  }

  private confirmation(a: Action): string {
    return a.symbol === undefined ? a.action : `${a.action} ${a.symbol}`;
  }

  private ask(action: Action): void {
    this.asked = action;
    setText(this.title, action.title);
    setText(this.what, action.what);
    setText(this.typedLabel, `Type “${this.confirmation(action)}” to confirm`);
    setText(this.answer, '');
    this.typed.value = '';
    this.token.value = token;
    this.dialog.showModal();
    (token === '' ? this.token : this.typed).focus();
  }

  private async send(): Promise<void> {
    const action = this.asked;
    if (action === null) return;
    if (this.typed.value.trim() !== this.confirmation(action)) {
      setText(this.answer, `Not done: type “${this.confirmation(action)}”.`);
      this.typed.focus();
      return;
    }
    try {
      const reply = await fetch('/actions', {
        method: 'POST',
        headers: { Authorization: `Bearer ${this.token.value}`, 'Content-Type': 'application/json' },
        body: JSON.stringify({ action: action.action, symbol: action.symbol ?? '', confirm: this.typed.value.trim() }),
      });
      const text = (await reply.text()).trim();
      if (!reply.ok) {
        setText(this.answer, text);
        return;
      }
      token = this.token.value;
      this.dialog.close();
      setText(this.outcome, `${action.title}: ${text}.`);
    } catch {
      setText(this.answer, 'Phoenix did not answer; whether it was done is not known.');
    }
  }
}
