import { signal } from '@preact/signals';
import type { JSX } from 'preact';
import { capital } from './bits.js';
import { Icon } from './icon.js';

type Theme = 'auto' | 'light' | 'dark';
const KEY = 'task-dashboard-theme';

const chosen = signal<Theme>('auto');

/** Takes the theme that the reader has chosen. The style sheet does all else. */
export function startTheme(): void {
  try {
    chosen.value = (localStorage.getItem(KEY) ?? 'auto') as Theme;
  } catch {
    // A browser may refuse to keep anything.
  }
  apply();
}

function apply(): void {
  document.documentElement.dataset['theme'] = chosen.value;
}

function choose(next: Theme): void {
  chosen.value = next;
  apply();
  try {
    localStorage.setItem(KEY, next);
  } catch {
    // The choice lasts as long as the page then.
  }
}

export function Themes(): JSX.Element {
  return (
    <fieldset class="themes">
      <legend class="quiet">Theme</legend>
      {(['auto', 'light', 'dark'] as const).map((one) => (
        <label key={one} title={one === 'auto' ? 'As the system' : capital(one)}>
          <Icon name={one} />
          <span class="quiet">{one === 'auto' ? 'As the system' : capital(one)}</span>
          <input type="radio" name="theme" value={one} checked={chosen.value === one} onChange={() => choose(one)} />
        </label>
      ))}
    </fieldset>
  );
}
