import type { QueueInfo } from '../../admin/queue-overview.js';
import type { Depth, Span } from '../api/api-types.js';
import { SPANS } from './spans.js';

/** Stands for all queues together. No queue has this name. */
const ALL = '';

type Step = Map<string, Depth>;

/**
 * Remembers how many tasks waited and ran at the times at which this process has looked. The store counts what happens to tasks, and
 * keeps no history of how many of them there were.
 */
export class DepthHistory {
  /** For each span, the steps by their beginnings. */
  private readonly spans = new Map<Span, Map<number, Step>>(
    (Object.keys(SPANS) as Span[]).map((span) => [span, new Map<number, Step>()]),
  );

  note(queues: readonly Pick<QueueInfo, 'name' | 'counts'>[], now: number): void {
    const found = queues.map(({ name, counts: { queued, running } }) => [name, { queued, running }] as const);
    const sum = (of: keyof Depth) => found.reduce((total, [, depth]) => total + depth[of], 0);
    const seen = [...found, [ALL, { queued: sum('queued'), running: sum('running') }] as const];
    for (const [span, steps] of this.spans) {
      const { length, step } = SPANS[span];
      const at = now - (now % step);
      const most = steps.get(at) ?? new Map<string, Depth>();
      for (const [name, depth] of seen) most.set(name, larger(depth, most.get(name)));
      steps.set(at, most);
      for (const old of steps.keys()) if (old < now - length - step) steps.delete(old);
    }
  }

  /**
   * @param times the beginnings of the steps
   * @param queue default: all queues together
   */
  read(span: Span, times: readonly number[], queue = ALL): (Depth | null)[] {
    const steps = this.spans.get(span);
    return times.map((at) => steps?.get(at)?.get(queue) ?? null);
  }
}

function larger(one: Depth, other: Depth = one): Depth {
  return { queued: Math.max(one.queued, other.queued), running: Math.max(one.running, other.running) };
}
