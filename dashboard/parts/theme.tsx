import { signal } from '@preact/signals';
import type { JSX } from 'preact';
import type { Theme } from '../../lib/dashboard/page.js';
import { capital } from './bits.js';
import { Icon } from './icon.js';

/** Seconds for which a choice is kept. */
const KEPT = 365 * 86_400;

const chosen = signal<Theme>('auto');

/** Takes the theme that the reader has chosen before. */
export function takeTheme(theme: Theme): void {
  chosen.value = theme;
}

/**
 * The style sheet does all else. A cookie keeps the choice, so that the server knows it and the next page begins with it. Other pages of the
 * same host may read it too.
 */
function choose(theme: Theme): void {
  chosen.value = theme;
  document.documentElement.dataset['theme'] = theme;
  document.cookie = `task-dashboard-theme=${theme}; path=/; max-age=${KEPT}; samesite=lax`;
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
