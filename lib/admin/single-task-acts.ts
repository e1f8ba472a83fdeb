import type { Engine } from '../engine/engine.js';
import type { TaskRecord } from '../engine/task.js';
import { InvalidArgumentsError, TaskNotFoundError } from '../errors.js';
import { checkCallChange, type CallChange } from '../producers/call-change.js';
import type { TaskResults } from '../results/task-results.js';
import { toStatus, type TaskStatus } from '../results/task-status.js';
import type { TaskDefinition } from '../tasks/task-definition.js';
import type { ActOptions } from './act-options.js';
import type { AdminActs } from './admin-acts.js';

export interface SingleTaskActsDeps {
  readonly engine: Pick<Engine, 'find' | 'promote' | 'update' | 'now'>;
  readonly results: Pick<TaskResults, 'cancel' | 'retry' | 'forget'>;
  readonly acts: AdminActs;
  /** The definition of a task, if this process declares it. */
  readonly definitionOf: (name: string) => TaskDefinition | undefined;
  /** Bytes of JSON of the arguments of a task. */
  readonly maxPayload: number;
  readonly hasPriorities: (queue: string) => boolean;
}

/** Acts on one task. */
export class SingleTaskActs {
  constructor(private readonly deps: SingleTaskActsDeps) {}

  retry(id: string, options: ActOptions): Promise<TaskStatus> {
    return this.perform('retry', id, options, () => this.deps.results.retry(id));
  }

  cancel(id: string, options: ActOptions): Promise<TaskStatus> {
    return this.perform('cancel', id, options, (reason) => this.deps.results.cancel(id, reason ?? undefined));
  }

  forget(id: string, options: ActOptions): Promise<boolean> {
    return this.deps.acts.perform({ act: 'forget', id }, options, () => this.deps.results.forget(checkId(id)));
  }

  promote(id: string, options: ActOptions): Promise<TaskStatus> {
    return this.perform('promote', id, options, () => this.deps.engine.promote(id));
  }

  update(id: string, change: CallChange, options: ActOptions): Promise<TaskStatus> {
    return this.perform(
      'update',
      id,
      options,
      async () => {
        if (typeof change !== 'object' || change === null || !KEYS.some((key) => change[key] !== undefined))
          throw new InvalidArgumentsError(`The change of task ${id} is empty. Give args, delay or priority.`);
        const { engine, definitionOf, maxPayload, hasPriorities } = this.deps;
        const record = await engine.find(id);
        if (!record) return undefined;
        const { name, queue, note, isOrdered } = record;
        // Of these tasks only a part of the arguments is stored, or a list of argument lists.
        const definition = note?.piped || note?.each ? undefined : definitionOf(name);
        // The command line does not know the options of the application, but the stored task shows them.
        const mayHavePriority = isOrdered === true || hasPriorities(queue);
        const context = { name, queue, definition, maxPayload, mayHavePriority, now: engine.now() };
        return engine.update(id, await checkCallChange(change, context));
      },
      change,
    );
  }

  private perform(
    act: string,
    id: string,
    options: ActOptions,
    run: (reason: string | null) => Promise<TaskRecord | undefined>,
    value?: unknown,
  ): Promise<TaskStatus> {
    return this.deps.acts.perform({ act, id, ...(value !== undefined && { value }) }, options, async ({ reason }) => {
      checkId(id);
      const record = await run(reason);
      if (!record) throw new TaskNotFoundError(id);
      return toStatus(record);
    });
  }
}

const KEYS = ['args', 'delay', 'priority'] as const;

function checkId(id: unknown): string {
  if (typeof id === 'string') return id;
  throw new InvalidArgumentsError(`id is ${String(id)}. Give the id of a task.`);
}
