import { signal } from '@preact/signals';
import type { JSX } from 'preact';
import { Icon } from './icon.js';

interface Toast {
  readonly key: number;
  readonly text: string;
  readonly isBad: boolean;
  readonly link?: readonly [text: string, address: string];
  readonly undo?: () => void;
}

const toasts = signal<readonly Toast[]>([]);
let keys = 0;

export function toast(text: string, more: Partial<Pick<Toast, 'isBad' | 'link' | 'undo'>> = {}): void {
  const one: Toast = { key: keys++, text, isBad: false, ...more };
  toasts.value = [...toasts.value.slice(-2), one];
  setTimeout(() => dismiss(one.key), more.isBad ? 20_000 : 10_000);
}

function dismiss(key: number): void {
  toasts.value = toasts.value.filter((one) => one.key !== key);
}

export function Toasts(): JSX.Element {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {toasts.value.map(({ key, text, isBad, link, undo }) => (
        <div key={key} class="toast">
          {isBad && <Icon name="fail" />}
          <bdi>{text}</bdi>
          {link && (
            <a href={link[1]} onClick={() => dismiss(key)}>
              {link[0]}
            </a>
          )}
          {undo && (
            <button
              type="button"
              class="tiny"
              onClick={() => {
                dismiss(key);
                undo();
              }}
            >
              Undo
            </button>
          )}
          <button type="button" class="tiny square" aria-label="Dismiss" onClick={() => dismiss(key)}>
            <Icon name="close" />
          </button>
        </div>
      ))}
    </div>
  );
}
