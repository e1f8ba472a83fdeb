import type { Provider } from '@nestjs/common';
import { Instrumentations } from '../engine/instrumentation.js';
import type { ResolvedOptions } from '../task-queue-options.js';
import { RESOLVED_OPTIONS } from '../task-queue-tokens.js';
import { TaskRegistry } from '../tasks/task-registry.js';
import { TaskExecutor } from '../workers/task-executor.js';
import { setupOf } from './application-setup.js';
import { ChildWorker } from './child/child-worker.js';
import { ParentConnection } from './child/parent-connection.js';
import { ISOLATED_WORKER, PARENT_LINK, type ParentLink } from './isolated-process.js';

/** What runs the tasks of the parent in a child process for isolated tasks; `undefined` in any other process. */
export const CHILD_PROVIDERS: Provider[] = [
  {
    provide: ParentConnection,
    inject: [{ token: PARENT_LINK, optional: true }],
    useFactory: (link?: ParentLink) => link && new ParentConnection(link),
  },
  {
    provide: ISOLATED_WORKER,
    inject: [
      ...[ParentConnection, TaskExecutor, Instrumentations, TaskRegistry, RESOLVED_OPTIONS],
      { token: PARENT_LINK, optional: true },
    ],
    useFactory: (
      parent: ParentConnection | undefined,
      executor: TaskExecutor,
      instrumentations: Instrumentations,
      registry: TaskRegistry,
      options: ResolvedOptions,
      link?: ParentLink,
    ) => {
      const setup = () => setupOf(options, registry);
      return parent && link && new ChildWorker({ link, parent, executor, instrumentations, setup });
    },
  },
];
