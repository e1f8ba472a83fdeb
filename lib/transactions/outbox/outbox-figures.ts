import type { OutboxDatabase } from './outbox-database.js';

/** The calls of one queue that wait in the outbox. */
export interface OutboxOfQueue {
  /** Calls whose transaction has committed, and that no relay has moved yet. A workflow counts as one. */
  readonly depth: number;
  /** Milliseconds since the insert of the oldest; 0 when none waits. */
  readonly age: number;
}

/** What waits in the outbox of the application. */
export interface OutboxFigures extends OutboxOfQueue {
  /** Rows that can never be moved. They stay in the table, with the reason. */
  readonly rejected: number;
  readonly queues: ReadonlyMap<string, OutboxOfQueue>;
}

/** Milliseconds for which figures are used again: counting a million rows takes a while. */
const FRESH_FOR = 2_000;

/** Reads how much waits in the outbox, for lists, health and metrics. */
export class OutboxFiguresReader {
  private last: { readonly at: number; readonly figures: Promise<OutboxFigures> } | undefined;

  constructor(
    private readonly database: () => OutboxDatabase | undefined,
    private readonly store: string,
  ) {}

  /**
   * @returns `undefined` in a process that has no outbox
   * @throws the error of the driver when the database cannot be reached
   */
  async read(): Promise<OutboxFigures | undefined> {
    const database = this.database();
    if (!database) return undefined;
    const now = performance.now();
    if (!this.last || now - this.last.at > FRESH_FOR) {
      const last = { at: now, figures: readFigures(database, this.store) };
      this.last = last;
      last.figures.catch(() => {
        if (this.last === last) this.last = undefined;
      });
    }
    return this.last.figures;
  }
}

async function readFigures(database: OutboxDatabase, store: string): Promise<OutboxFigures> {
  const { queues, rejected } = await database.figures(store);
  return {
    depth: queues.reduce((sum, { calls }) => sum + calls, 0),
    age: Math.max(0, ...queues.map(({ age }) => age)),
    rejected,
    queues: new Map(queues.map(({ queue, calls, age }) => [queue, { depth: calls, age }])),
  };
}
