import type { Engine } from '../../engine/engine.js';
import type { Json } from '../../engine/json.js';
import { CONTROL_QUEUE, newTaskId } from '../../engine/task-id.js';
import { TaskHandle } from '../../results/task-handle.js';
import type { TaskResults } from '../../results/task-results.js';
import type { ActOptions } from '../act-options.js';
import type { AdminActs } from '../admin-acts.js';
import { checkQueue } from '../queue-settings.js';
import type { TaskFilter } from '../task-filter.js';
import { checkBulkAct, type BulkActName } from './bulk-act.js';
import type { BulkResult } from './bulk-tally.js';

export interface BulkActsDeps {
  readonly engine: Pick<Engine, 'enqueue'>;
  readonly results: TaskResults;
  readonly acts: AdminActs;
}

/** Stores acts on many tasks. A worker performs them. */
export class BulkActs {
  constructor(private readonly deps: BulkActsDeps) {}

  start(
    act: BulkActName,
    filter: TaskFilter,
    { rate, ...options }: ActOptions & { readonly rate?: number },
  ): Promise<TaskHandle<BulkResult>> {
    const { acts, engine, results } = this.deps;
    return acts.perform(
      { act, filter, ...(rate !== undefined && { value: { rate } }) },
      options,
      async ({ by, reason }) => {
        const call = checkBulkAct(act, filter, rate, { by, reason });
        const id = newTaskId(CONTROL_QUEUE);
        const args = [call as unknown as Json];
        await engine.enqueue([{ id, name: act, queue: CONTROL_QUEUE, args, headers: {}, options: {} }]);
        return new TaskHandle<BulkResult>(results, { id, name: act, deduplicated: false, initialState: 'queued' });
      },
    );
  }

  async purge(queue: string, options: ActOptions): Promise<TaskHandle<BulkResult>> {
    return this.start('purge', { queue: checkQueue(queue) }, options);
  }
}
