import type { Provider } from '@nestjs/common';
import type { Engine } from '../../engine/engine.js';
import type { ResolvedOptions } from '../../task-queue-options.js';
import { ENGINE, OUTBOX, RESOLVED_OPTIONS } from '../../task-queue-tokens.js';
import { TaskRegistry } from '../../tasks/task-registry.js';
import { Outbox } from './outbox.js';

/** The outbox of the application; `undefined` without the option `outbox`. */
export const OUTBOX_PROVIDERS: Provider[] = [
  {
    provide: OUTBOX,
    inject: [ENGINE, TaskRegistry, RESOLVED_OPTIONS],
    useFactory: (
      engine: Engine,
      registry: TaskRegistry,
      { outbox, prefix, retention, topology, isChild }: ResolvedOptions,
    ) =>
      outbox &&
      new Outbox({
        // A child process for isolated tasks stores calls, and leaves it to its parent to move them on.
        options: isChild ? { ...outbox, open: undefined } : outbox,
        engine,
        store: prefix,
        topology,
        resultTtlOf: (task) => registry.get(task)?.definition.resultTtl ?? retention.ttl,
      }),
  },
];
