import { endsWithin } from '../../concurrency.js';
import { isQueueOfTasks, queueOfTask } from '../../engine/task-id.js';
import type { TaskCall, TaskRecord, TaskTree } from '../../engine/task.js';
import type { FoundRow, OutboxDatabase } from './outbox-database.js';
import { readContent, textOfId } from './outbox-format.js';

/** Milliseconds that a caller waits for the database of the outbox. */
const FIND_WITHIN = 1_000;

export interface WaitingCallsDeps {
  /** `undefined` in a process that moves nothing. */
  readonly database: () => OutboxDatabase | undefined;
  /** The option `prefix`, by which applications share a table. */
  readonly store: string;
  now(): number;
}

/** The calls of committed transactions that no relay has moved yet: the engine does not know them. */
export class WaitingCalls {
  constructor(private readonly deps: WaitingCallsDeps) {}

  /**
   * Reads what a caller sees of such a call: a task that is queued or scheduled, or a workflow that waits.
   *
   * @returns `undefined` when the call is not among the newest rows, or the database does not answer: the id is unknown then
   */
  async find(id: string): Promise<TaskRecord | undefined> {
    const database = this.deps.database();
    if (!database || !isQueueOfTasks(queueOfTask(id) ?? '')) return undefined;
    let rows: readonly FoundRow[] = [];
    const reading = database.findRows(this.deps.store, textOfId(id)).then(
      (found) => void (rows = found),
      () => undefined,
    );
    await endsWithin(reading, FIND_WITHIN);
    for (const row of rows) {
      const call = callOf(row, id);
      if (call) return toRecord(call, row.createdAt, this.deps.now());
    }
    return undefined;
  }
}

function callOf({ payload }: FoundRow, id: string): TaskCall | TaskTree | undefined {
  try {
    const content = readContent(payload);
    return ('calls' in content ? content.calls : [content.tree]).find((call) => call.id === id);
  } catch {
    return undefined;
  }
}

function toRecord(call: TaskCall | TaskTree, enqueuedAt: number, now: number): TaskRecord {
  const { id, name, queue, headers, options } = call;
  const waits = 'members' in call && call.members.length > 0;
  const isDue = options.startAt === undefined || options.startAt <= now;
  return {
    ...{ id, name, queue, headers, enqueuedAt },
    state: waits ? 'waiting' : isDue ? 'queued' : 'scheduled',
    ...{ progress: null, result: null, error: null, attempt: 0 },
    maxAttempts: Math.max(options.attempts ?? 1, 1),
    ...{ startedAt: null, finishedAt: null, expiresAt: null },
  };
}
