import { bareMessage } from '../../engine/bare-error.js';
import { answerId, deduplicatedAnswer, refusedAnswer } from '../../engine/call-answer.js';
import type { Engine } from '../../engine/engine.js';
import type { Topology } from '../../engine/shards/topology.js';
import type { TaskCall, TaskTree } from '../../engine/task.js';
import { ConfigurationError, EngineUnavailableError, IdempotencyConflictError } from '../../errors.js';
import type { MovedRows, OutboxRow } from './outbox-database.js';
import { readContent } from './outbox-format.js';

/** Calls that the engine gets at once. */
const CALLS_AT_ONCE = 1_000;
/**
 * The shortest time for which the record of a moved task is kept. A relay may die after it has stored a call, and before it
 * has removed the row; the relay after it then sees by the record that the call is stored.
 */
const KEPT_AT_LEAST = 60 * 60 * 1000;

/** One call of a row, or a whole workflow. */
interface Item {
  readonly seq: string;
  readonly call: TaskCall | TaskTree;
}

interface Refusal {
  readonly seq: string;
  readonly error: unknown;
}

export interface MovedBatch extends MovedRows {
  /** Why rows are left that have to be moved later; absent when none is. */
  readonly interruption?: unknown;
}

export interface OutboxMoverDeps {
  readonly engine: Pick<Engine, 'enqueue' | 'enqueueTree' | 'find' | 'isStored' | 'now'>;
  /** How long the record of a succeeded task of this name is kept, unless its call says otherwise. */
  readonly resultTtlOf: (task: string) => number;
  readonly topology: Topology;
}

/**
 * Stores the calls of rows in the engine, in their order. A call that is stored already stays as it is, so rows may be moved
 * any number of times.
 */
export class OutboxMover {
  constructor(private readonly deps: OutboxMoverDeps) {}

  async move(rows: readonly OutboxRow[]): Promise<MovedBatch> {
    const rejected = new Map<string, string>();
    const items: Item[] = [];
    for (const { seq, payload } of rows) {
      try {
        items.push(...this.itemsOf(seq, payload));
      } catch (error) {
        rejected.set(seq, bareMessage(error));
      }
    }
    const refusals: Refusal[] = [];
    let interruption: unknown;
    let stored = 0;
    let next = 0;
    for (const part of partsOf(items)) {
      const refused: Refusal[] = [];
      try {
        stored += await this.store(part, refused);
      } catch (error) {
        interruption = error;
        break;
      }
      refusals.push(...refused);
      next += part.length;
    }
    const [first] = refusals;
    // When nothing at all could be stored, the reason is hardly in the calls.
    if (stored === 0 && first) interruption ??= new Error(`row ${first.seq}: ${bareMessage(first.error)}`);
    else for (const { seq, error } of refusals) rejected.set(seq, bareMessage(error));
    // A row that is stored in part is moved once more.
    const open = new Set([...items.slice(next), ...(stored === 0 ? refusals : [])].map(({ seq }) => seq));
    const moved = rows.flatMap(({ seq }) => (rejected.has(seq) || open.has(seq) ? [] : [seq]));
    return { moved, rejected: toList(rejected), ...(interruption !== undefined && { interruption }) };
  }

  /**
   * Stores items together. If the engine refuses them, each half is stored by itself, down to the single call that it refuses.
   *
   * @returns how many were stored, or answered
   * @throws what makes every call fail: the engine cannot be reached or used
   */
  private async store(items: readonly Item[], refusals: Refusal[]): Promise<number> {
    try {
      await this.storeTogether(items);
      return items.length;
    } catch (error) {
      if (error instanceof EngineUnavailableError || error instanceof ConfigurationError) throw error;
      const [only] = items;
      if (items.length > 1) {
        const middle = Math.ceil(items.length / 2);
        const first = await this.store(items.slice(0, middle), refusals);
        return first + (await this.store(items.slice(middle), refusals));
      }
      if (!only) return 0;
      if (error instanceof IdempotencyConflictError) {
        const { engine, topology } = this.deps;
        await engine.enqueueTree(refusedAnswer(only.call, error, engine.now(), topology));
        return 1;
      }
      refusals.push({ seq: only.seq, error });
      return 0;
    }
  }

  private async storeTogether(items: readonly Item[]): Promise<void> {
    const { engine } = this.deps;
    const [first] = items;
    if (items.length === 1 && first && isWorkflow(first.call)) {
      // A tree that is stored twice would wait for members that have ended.
      if (!(await engine.isStored(first.call))) await engine.enqueueTree(first.call);
      return;
    }
    const calls = await this.unanswered(items.map(({ call }) => call));
    const receipts = await engine.enqueue(calls);
    const now = engine.now();
    const answers = calls.flatMap((call, index) => {
      const id = receipts[index]?.id;
      return id === undefined || id === call.id ? [] : [deduplicatedAnswer(call, id, now, this.deps.topology)];
    });
    if (answers.length > 0) await engine.enqueue(answers);
  }

  /** Without the calls for which an earlier task stands since a relay moved them before. That task may have ended meanwhile. */
  private async unanswered(calls: readonly TaskCall[]): Promise<readonly TaskCall[]> {
    if (!calls.some(({ unique }) => unique)) return calls;
    const { engine, topology } = this.deps;
    const find = async ({ id, unique }: TaskCall) => (unique ? engine.find(answerId(id, topology)) : undefined);
    const answers = await Promise.all(calls.map(find));
    return calls.filter((_, index) => answers[index] === undefined);
  }

  private itemsOf(seq: string, payload: string): Item[] {
    const content = readContent(payload);
    const calls = 'tree' in content ? [content.tree] : content.calls;
    // Two relays may store the same call, when the first loses its connection to the outbox.
    return calls.map((call) => ({ seq, call: { ...call, options: this.keptLongEnough(call), isShared: true } }));
  }

  private keptLongEnough({ name, options }: TaskCall): TaskCall['options'] {
    const ttl = options.resultTtl ?? this.deps.resultTtlOf(name);
    return ttl >= KEPT_AT_LEAST ? options : { ...options, resultTtl: KEPT_AT_LEAST };
  }
}

function toList(rejected: ReadonlyMap<string, string>): MovedRows['rejected'] {
  return Array.from(rejected, ([seq, reason]) => ({ seq, reason }));
}

/** Items that are stored together, in order: a workflow by itself, and calls up to a number. */
function partsOf(items: readonly Item[]): Item[][] {
  const parts: Item[][] = [];
  let part: Item[] = [];
  for (const item of items) {
    if (part.length === CALLS_AT_ONCE || (part[0] && (isWorkflow(item.call) || isWorkflow(part[0].call)))) {
      parts.push(part);
      part = [];
    }
    part.push(item);
  }
  if (part.length > 0) parts.push(part);
  return parts;
}

function isWorkflow(call: TaskCall | TaskTree): call is TaskTree {
  return 'members' in call && call.members.length > 0;
}
