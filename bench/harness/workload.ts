import { perSecond } from './figures.js';

/** What each task is given: as small as the arguments of most tasks are. */
export const PAYLOAD = { userId: 17, template: 'welcome', locale: 'en' };
export type Payload = typeof PAYLOAD;

/** Who enqueues at the same time, each one task after the other, as web requests do. */
const CALLERS = 100;
/** Tasks that one process runs at the same time. */
export const CONCURRENCY = 20;

/** Tasks a second, when many callers enqueue `total` of them. */
export async function enqueueByMany(total: number, enqueue: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await Promise.all(
    Array.from({ length: CALLERS }, async () => {
      for (let sent = 0; sent < total / CALLERS; sent++) await enqueue();
    }),
  );
  return perSecond(total, start);
}

/** Counts tasks that run, and says how many a second the last so many were, from the first that started to the last. */
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
