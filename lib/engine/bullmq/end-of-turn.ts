/** Milliseconds. What comes within this time after the last call of the action waits for the end of the turn. */
const BUSY_FOR = 1;

/**
 * Calls an action once for all that comes in one turn of the event loop. What comes alone does not wait for the end of the turn: the
 * action follows as soon as the callback that brought it has run, with the promises that it settled.
 */
export class EndOfTurn {
  private isScheduled = false;
  private lastAt = -Infinity;

  constructor(private readonly action: () => void) {}

  schedule(): void {
    if (this.isScheduled) return;
    this.isScheduled = true;
    if (performance.now() - this.lastAt < BUSY_FOR) setImmediate(this.run);
    else process.nextTick(this.run);
  }

  private readonly run = (): void => {
    this.isScheduled = false;
    this.lastAt = performance.now();
    this.action();
  };
}
