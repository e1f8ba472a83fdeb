import { signal } from '@preact/signals';
import type { JSX } from 'preact';
import { capital } from './bits.js';
import { Icon, type IconName } from './icon.js';

type Theme = 'auto' | 'light' | 'dark';
const KEY = 'task-dashboard-theme';
const dark = matchMedia('(prefers-color-scheme: dark)');

const chosen = signal<Theme>(kept());
/** What is in force; changes when the reader or the system chooses another. */
export const theme = signal('');

function kept(): Theme {
  try {
    return (localStorage.getItem(KEY) ?? 'auto') as Theme;
  } catch {
    return 'auto';
  }
}

function apply(): void {
  document.documentElement.dataset['theme'] = chosen.value;
  theme.value = chosen.value === 'auto' ? (dark.matches ? 'dark' : 'light') : chosen.value;
}

export function startTheme(): void {
  apply();
  dark.addEventListener('change', apply);
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
          <Icon name={one as IconName} />
          <span class="quiet">{one === 'auto' ? 'As the system' : capital(one)}</span>
          <input type="radio" name="theme" value={one} checked={chosen.value === one} onChange={() => choose(one)} />
        </label>
      ))}
    </fieldset>
  );
}
