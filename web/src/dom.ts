// Small helpers to make elements. Text goes in as text nodes only.

export type Child = Node | string | null | undefined;
type Attributes = Record<string, string | number | boolean | undefined>;

export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K, attributes: Attributes = {}, ...children: Child[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue;
    made.setAttribute(name, value === true ? '' : String(value));
  }
  for (const child of children) if (child != null) made.append(child);
  return made;
}

/// Sets only what changed, so that a reader's selection and a screen reader's place stay.
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

export function setData(element: HTMLElement, name: string, value: string): void {
  if (element.dataset[name] !== value) element.dataset[name] = value;
}

/// A section with a heading, which names it.
export function panel(id: string, title: string, ...children: Child[]): HTMLElement {
  const heading = el('h2', { id: `${id}-title` }, title);
  return el('section', { id, class: 'panel', 'aria-labelledby': `${id}-title` }, heading, ...children);
}

/// Brings the rows of a table or list to `items`: one element each, made once and updated in place.
export class Rows<T> {
  private made: { element: HTMLElement; update: (item: T) => void }[] = [];

  constructor(
    private readonly parent: HTMLElement,
    private readonly make: () => { element: HTMLElement; update: (item: T) => void },
  ) {}

  show(items: readonly T[]): void {
    while (this.made.length > items.length) this.made.pop()?.element.remove();
    while (this.made.length < items.length) {
      const row = this.make();
      this.made.push(row);
      this.parent.append(row.element);
    }
    items.forEach((item, i) => this.made[i]?.update(item));
  }
}

/// A table row of so many cells; the first is its header.
export function cells(count: number): { element: HTMLElement; cells: HTMLElement[] } {
  const made = Array.from({ length: count }, (_, i) => (i === 0 ? el('th', { scope: 'row' }) : el('td')));
  return { element: el('tr', {}, ...made), cells: made };
}

export function table(caption: string, columns: readonly string[]): { element: HTMLElement; body: HTMLElement } {
  const body = el('tbody');
  const element = el('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': caption },
    el('table', {},
      el('caption', { class: 'unseen' }, caption),
      el('thead', {}, el('tr', {}, ...columns.map((c) => el('th', { scope: 'col' }, c)))),
      body));
  return { element, body };
}
