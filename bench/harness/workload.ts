import { perSecond } from './figures.js';

/** The argument of each task: small, as the arguments of most tasks are. */
export const PAYLOAD = { userId: 17, template: 'welcome', locale: 'en' };
export type Payload = typeof PAYLOAD;

/** Callers that enqueue at the same time, each one task after the other, as web requests do. */
const CALLERS = 100;
/** Tasks that one process runs at the same time. */
export const CONCURRENCY = 20;

/** Measures how many tasks a second the callers enqueue, for `total` tasks. */
export async function enqueueByMany(total: number, enqueue: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await Promise.all(
    Array.from({ length: CALLERS }, async () => {
      for (let sent = 0; sent < total / CALLERS; sent++) await enqueue();
    }),
  );
  return perSecond(total, start);
}

/** Counts running tasks, and computes their rate per second from the start of the first to the start of the last. */
export class Counter {
  private expected = 0;
  private start = 0;
  private done: ((rate: number) => void) | undefined;
  private count = 0;

  expect(count: number): Promise<number> {
    this.expected = count;
    this.count = 0;
    return new Promise((resolve) => (this.done = resolve));
  }

  readonly next = (): void => {
    if (this.count++ === 0) this.start = performance.now();
    if (this.count === this.expected) this.done?.(perSecond(this.count, this.start));
  };
}
