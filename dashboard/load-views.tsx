import { effect } from '@preact/signals';
import type { ComponentType, JSX } from 'preact';
import { loaded, viewName } from './app.js';
import { Card, capital, Empty } from './parts/bits.js';
import { place } from './router.js';
import { settings } from './settings.js';
import { TasksView } from './views/tasks.js';

/** Views that are loaded when a reader opens them first. */
const LAZY: Readonly<Record<string, () => Promise<ComponentType>>> = {
  task: async () => (await import('./views/task.js')).TaskViewPage,
  errors: async () => (await import('./views/errors.js')).ErrorsView,
  workflow: async () => (await import('./views/workflow.js')).WorkflowView,
  workflows: async () => (await import('./views/workflows.js')).WorkflowsView,
  schedules: async () => (await import('./views/schedules.js')).SchedulesView,
  workers: async () => (await import('./views/workers.js')).WorkersView,
};

/** Loads the view that the address names, and gives the page its title. */
export function startViews(): void {
  loaded.value = { ...loaded.peek(), tasks: TasksView };
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
