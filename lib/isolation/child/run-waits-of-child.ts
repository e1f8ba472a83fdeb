import type { RunWait, RunWaits } from '../../results/run-waits.js';
import type { TaskContext } from '../../workers/task-context.js';
import type { ParentConnection } from './parent-connection.js';

export interface RunWaitsOfChildDeps {
  readonly context: Pick<TaskContext, 'current'>;
  readonly parent: ParentConnection;
}

/** Tells the parent process what a running task waits for. The parent knows which of its tasks can still start. */
export class RunWaitsOfChild implements RunWaits {
  private last = 0;

  constructor(private readonly deps: RunWaitsOfChildDeps) {}

  begin(id: string): RunWait | undefined {
    const { context, parent } = this.deps;
    const { run } = parent;
    if (run === undefined || !context.current()) return undefined;
    const wait = ++this.last;
    const failure = new AbortController();
    const checked = parent.call('delivery', 'beginWait', [wait, id], run).then(() => {
      parent.call('delivery', 'failureOfWait', [wait], run).catch((error: unknown) => failure.abort(error));
    });
    return {
      checked,
      signal: failure.signal,
      end: () => void parent.call('delivery', 'endWait', [wait], run).catch(() => undefined),
    };
  }
}
