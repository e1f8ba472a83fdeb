import type { Provider } from '@nestjs/common';
import { DiscoveryService, ModuleRef } from '@nestjs/core';
import type { Engine } from '../engine/engine.js';
import { TaskResults } from '../results/task-results.js';
import type { ResolvedOptions } from '../task-queue-options.js';
import { ENGINE, OUTBOX, RESOLVED_OPTIONS } from '../task-queue-tokens.js';
import type { Outbox } from '../transactions/outbox/outbox.js';
import { TaskRegistry } from '../tasks/task-registry.js';
import { AdminActs } from './admin-acts.js';
import { AdminListeners } from './admin-listeners.js';
import { BulkActs } from './bulk/bulk-acts.js';
import { QueueSettingsAdmin } from './queue-settings.js';
import { SingleTaskActs } from './single-task-acts.js';
import { TaskAdmin } from './task-admin.js';
import { WorkerShutdown } from './worker-shutdown.js';

/** The providers of what administrators use. */
export const ADMIN_PROVIDERS: Provider[] = [
  {
    provide: AdminActs,
    inject: [ENGINE, DiscoveryService, ModuleRef],
    useFactory: (engine: Engine, discovery: DiscoveryService, moduleRef: ModuleRef) =>
      new AdminActs({ engine, listeners: new AdminListeners({ discovery, moduleRef }) }),
  },
  {
    provide: TaskAdmin,
    inject: [ENGINE, AdminActs, TaskResults, TaskRegistry, OUTBOX, RESOLVED_OPTIONS],
    useFactory: (
      engine: Engine,
      acts: AdminActs,
      results: TaskResults,
      registry: TaskRegistry,
      outbox: Outbox | undefined,
      { maxPayload, queues, topology }: ResolvedOptions,
    ) =>
      new TaskAdmin({
        engine,
        topology,
        declaredLimit: (queue) => queues.get(queue)?.rateLimit,
        outbox: async () => outbox?.figures(),
        workerShutdown: new WorkerShutdown({ engine, acts }),
        bulk: new BulkActs({ engine, results, acts }),
        settings: new QueueSettingsAdmin({ engine, acts }),
        single: new SingleTaskActs({
          ...{ engine, results, acts, maxPayload },
          definitionOf: (name) => registry.get(name)?.definition,
          hasPriorities: (queue) => queues.get(queue)?.priorities ?? false,
        }),
      }),
  },
];
