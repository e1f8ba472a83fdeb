import { effect, signal } from '@preact/signals';
import type { ComponentType, JSX } from 'preact';
import { exact } from './format.js';
import { Keys, showKeys } from './keys.js';
import { isLive, overview, storeError } from './live.js';
import { Dialog } from './parts/acts.js';
import { Bones, Card, capital, Empty, Head } from './parts/bits.js';
import { Icon } from './parts/icon.js';
import { Jobs } from './parts/jobs.js';
import { Themes } from './parts/theme.js';
import { Toasts } from './parts/toasts.js';
import { href, place } from './router.js';
import { settings } from './settings.js';
import { OverviewView } from './views/overview.js';
import { TasksView } from './views/tasks.js';

const VIEWS = ['overview', 'tasks', 'errors', 'workflows', 'schedules', 'workers'] as const;
const icon = document.querySelector<HTMLLinkElement>('link[rel=icon]')?.href ?? '';

/** Views that are loaded when a reader opens them first. */
const LAZY: Readonly<Record<string, () => Promise<ComponentType>>> = {
  task: async () => (await import('./views/task.js')).TaskViewPage,
  errors: async () => (await import('./views/errors.js')).ErrorsView,
  workflow: async () => (await import('./views/workflow.js')).WorkflowView,
  workflows: async () => (await import('./views/workflows.js')).WorkflowsView,
  schedules: async () => (await import('./views/schedules.js')).SchedulesView,
  workers: async () => (await import('./views/workers.js')).WorkersView,
};
const loaded = signal<Readonly<Record<string, ComponentType>>>({ overview: OverviewView, tasks: TasksView });

function viewName(): string {
  const [first = 'overview', id] = place.value.path;
  if (id !== undefined) return first === 'tasks' ? 'task' : first === 'workflows' ? 'workflow' : 'none';
  return first;
}

effect(() => {
  const name = viewName();
  if (loaded.peek()[name] || !LAZY[name]) return;
  LAZY[name]()
    .then((view) => (loaded.value = { ...loaded.peek(), [name]: view }))
    .catch(() => (loaded.value = { ...loaded.peek(), [name]: Outdated }));
});

effect(() => {
  const [view = 'overview', id] = place.value.path;
  document.title = `${id ?? capital(view)} · ${settings.title}`;
});

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
  if (LAZY[name])
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

function Outdated(): JSX.Element {
  return (
    <Card>
      <Empty
        icon="errors"
        title="This view could not be loaded"
        acts={
          <button type="button" class="main" onClick={() => location.reload()}>
            Load the page again
          </button>
        }
      >
        The application was restarted with another version, or it cannot be reached.
      </Empty>
    </Card>
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
        <img src={icon} alt="" width="32" height="32" />
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
