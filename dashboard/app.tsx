import { signal } from '@preact/signals';
import type { ComponentType, JSX } from 'preact';
import { exact } from './format.js';
import { Keys, showKeys } from './keys.js';
import { isLive, overview, storeError } from './live.js';
import { Dialog } from './parts/acts.js';
import { Bones, Card, capital, Empty, Head } from './parts/bits.js';
import { Icon } from './parts/icon.js';
import { Jobs } from './parts/jobs.js';
import { Logo } from './parts/logo.js';
import { Themes } from './parts/theme.js';
import { Toasts } from './parts/toasts.js';
import { href, place } from './router.js';
import { settings } from './settings.js';
import { OverviewView } from './views/overview.js';

const VIEWS = ['overview', 'tasks', 'errors', 'workflows', 'schedules', 'workers'] as const;

/** The views that an address may name, as far as they are loaded. */
export const loaded = signal<Readonly<Record<string, ComponentType>>>({ overview: OverviewView });
const KNOWN: readonly string[] = [...VIEWS, 'task', 'workflow'];

export function viewName(): string {
  const [first = 'overview', id] = place.value.path;
  if (id !== undefined) return first === 'tasks' ? 'task' : first === 'workflows' ? 'workflow' : 'none';
  return first;
}

export function App(): JSX.Element {
  return (
    <>
      <a class="skip" href="#main">
        Skip to the content
      </a>
      <div class="shell">
        <Side />
        <main class="page" id="main" tabIndex={-1}>
          <Notices />
          <Jobs />
          <View />
        </main>
      </div>
      <Dialog />
      <Keys />
      <Toasts />
    </>
  );
}

function View(): JSX.Element {
  const name = viewName();
  const Found = loaded.value[name];
  if (Found) return <Found key={place.value.path.join('/')} />;
  if (KNOWN.includes(name))
    return (
      <Card>
        <Bones />
      </Card>
    );
  return (
    <>
      <Head title="Not here" />
      <Card>
        <Empty
          icon="search"
          title="There is no such view"
          acts={
            <a class="button" href={href([])}>
              To the overview
            </a>
          }
        >
          The address may be of another version of this page.
        </Empty>
      </Card>
    </>
  );
}

function Side(): JSX.Element {
  const [current = 'overview'] = place.value.path;
  const lost = overview.value?.workers.filter(({ state }) => state === 'lost').length ?? 0;
  const alarms: Partial<Record<string, readonly [number, string]>> = {
    overview: [overview.value?.problems.length ?? 0, 'things need you'],
    workers: [lost, 'lost'],
  };
  return (
    <header class="side">
      <a class="brand" href={href([])}>
        <Logo />
        <span>
          <b>{settings.title}</b>
          <small>{settings.readOnly ? 'tasks · read-only' : 'tasks'}</small>
        </span>
      </a>
      <nav class="nav" aria-label="Views">
        {VIEWS.map((view) => {
          const [amount, what] = alarms[view] ?? [0, ''];
          return (
            <a
              key={view}
              href={href(view === 'overview' ? [] : [view])}
              {...(current === view && { 'aria-current': 'page' as const })}
            >
              <Icon name={view} />
              {capital(view)}
              {amount > 0 && (
                <span class="count alarm">
                  {amount}
                  <span class="quiet"> {what}</span>
                </span>
              )}
            </a>
          );
        })}
      </nav>
      <div class="foot">
        <p class={`live ${isLive.value && storeError.value === undefined ? '' : 'gone'}`}>
          <span>{isLive.value && storeError.value === undefined ? 'Live' : 'Not live'}</span>
        </p>
        <p class="more">
          {settings.user && (
            <>
              <bdi>{settings.user}</bdi>
              <br />
            </>
          )}
          Times are those of your clock
        </p>
        <Themes />
        <p class="more">
          <button type="button" class="link" onClick={showKeys}>
            <kbd>?</kbd> Keys
          </button>
        </p>
      </div>
    </header>
  );
}

function Notices(): JSX.Element {
  const as = overview.value ? ` The page shows ${exact(Date.parse(overview.value.at))}.` : '';
  return (
    <div role="status" class="notices">
      {!isLive.value && (
        <div class="notice">
          <Icon name="warn" />
          <span class="grow">
            <strong>The connection was lost.</strong> Nothing on this page changes until it is back. The page tries
            again by itself.{as}
          </span>
        </div>
      )}
      {storeError.value !== undefined && (
        <div class="notice bad">
          <Icon name="fail" />
          <span class="grow">
            <strong>The store could not be read.</strong> <bdi>{storeError.value.replace(/\.?$/, '.')}</bdi> The page
            tries again every two seconds.{as}
          </span>
        </div>
      )}
    </div>
  );
}
