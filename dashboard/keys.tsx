import { signal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { go, href } from './router.js';

const VIEWS: Readonly<Record<string, readonly [address: () => string, text: string]>> = {
  o: [() => href([]), 'overview'],
  t: [() => href(['tasks']), 'tasks'],
  e: [() => href(['errors']), 'errors'],
  f: [() => href(['workflows']), 'workflows'],
  s: [() => href(['schedules']), 'schedules'],
  w: [() => href(['workers']), 'workers'],
};

/** Keys that press a button of the view: those that can be undone, or that ask first. */
const PRESSES = ['r', 'c', 'Escape'];

/** What takes letters, or other keys than those of a link and a button. */
const FIELD = 'input:not([type=checkbox]), select, textarea, [contenteditable]';

const isShown = signal(false);
const KEY = 'task-dashboard-keys';
export const areKeysOn = signal(true);

function areKept(): boolean {
  try {
    return localStorage.getItem(KEY) !== 'off';
  } catch {
    return true;
  }
}

/** Single keys work outside of fields only, and none of them does what cannot be undone. */
export function startKeys(): void {
  areKeysOn.value = areKept();
  let before = '';
  addEventListener('keydown', (event) => {
    // A key that is repeated may have been pressed after one that leads to a field.
    const isField = [event.target as HTMLElement, document.activeElement].some((one) => one?.matches(FIELD));
    if (event.ctrlKey || event.metaKey || event.altKey || isField || document.querySelector('dialog[open]')) return;
    const { key } = event;
    if (key === '?') isShown.value = true;
    if (!areKeysOn.value) return;
    const view = before === 'g' ? VIEWS[key] : undefined;
    before = key;
    if (view) go(view[0]());
    else if (key === '/') focus(event, document.querySelector<HTMLElement>('[data-search]'));
    else if (key === 'j' || key === 'k') focus(event, neighbour(key === 'j' ? 1 : -1));
    else if (key === 'x' || key === 'X') tick(event.shiftKey);
    else if (PRESSES.includes(key)) press(key);
  });
}

function focus(event: Event, element: HTMLElement | null | undefined): void {
  event.preventDefault();
  element?.focus();
}

function rows(): HTMLElement[] {
  return [...document.querySelectorAll<HTMLElement>('main tbody tr, main .print')];
}

function currentRow(): HTMLElement | null {
  return document.activeElement?.closest<HTMLElement>('main tbody tr, main .print') ?? null;
}

function neighbour(by: number): HTMLElement | null | undefined {
  const all = rows();
  const current = currentRow();
  const next = all[current ? all.indexOf(current) + by : by > 0 ? 0 : all.length - 1];
  return next?.querySelector<HTMLElement>('a');
}

function press(key: string): void {
  document.querySelector<HTMLButtonElement>(`main [data-key="${key}"]:not(:disabled)`)?.click();
}

function tick(upTo: boolean): void {
  const box = currentRow()?.querySelector<HTMLInputElement>('input[type=checkbox]');
  box?.dispatchEvent(new MouseEvent('click', { bubbles: true, cancelable: true, shiftKey: upTo }));
}

export function Keys(): JSX.Element | null {
  return isShown.value ? <KeyList /> : null;
}

function KeyList(): JSX.Element {
  const element = useRef<HTMLDialogElement>(null);
  useEffect(() => element.current?.showModal(), []);
  const list: readonly (readonly [keys: readonly string[], text: string])[] = [
    [['/'], 'search'],
    ...Object.entries(VIEWS).map(([key, [, text]]) => [['g', key], text] as const),
    [['j', 'k'], 'next and previous row'],
    [['x'], 'choose the row, with Shift all up to it'],
    [['Enter'], 'open the row'],
    [['r'], 'retry the task, or what is chosen'],
    [['c'], 'cancel it, after a question'],
    [['Esc'], 'close, or choose none'],
  ];
  return (
    <dialog ref={element} class="modal" aria-labelledby="keys" onClose={() => (isShown.value = false)}>
      <form method="dialog" class="stack">
        <h2 id="keys">Keys</h2>
        <dl class="facts keys">
          {list.map(([keys, text]) => (
            <>
              <dt>
                {keys.map((key) => (
                  <kbd key={key}>{key}</kbd>
                ))}
              </dt>
              <dd>{text}</dd>
            </>
          ))}
        </dl>
        <label class="row">
          <input
            type="checkbox"
            checked={areKeysOn.value}
            onChange={(event) => {
              areKeysOn.value = event.currentTarget.checked;
              localStorage.setItem(KEY, areKeysOn.value ? 'on' : 'off');
            }}
          />
          Single keys are on
        </label>
        <p class="row">
          <button
            type="submit"
            class="main"
            onClick={(event) => {
              event.preventDefault();
              element.current?.close();
            }}
          >
            Close
          </button>
        </p>
      </form>
    </dialog>
  );
}

export function showKeys(): void {
  isShown.value = true;
}
