import type { Duration } from 'nestjs-task-queue';
import { z } from 'zod';
import { COUNTED } from './counter.tasks.js';

/**
 * A counter as the page sends it. The library checks the expression, the period and the time zone, and its error messages name the
 * problem. The browser chooses what is counted, and no task: that would let it schedule any task of the application.
 */
export const counterForm = z.object({
  counts: z.enum(COUNTED),
  when: z.union([
    z.object({ cron: z.string().max(200) }),
    z.object({ every: z.custom<Duration>((value) => typeof value === 'string' && value.length <= 50) }),
  ]),
  timezone: z.string().max(100).default('UTC'),
  overlap: z.enum(['skip', 'allow']),
  catchUp: z.enum(['one', 'none']),
  endsAt: z.iso.datetime().optional(),
  limit: z.int().optional(),
});
export const newCounterForm = counterForm.extend({ id: z.string() });

export type CounterForm = z.infer<typeof counterForm>;
export type NewCounterForm = z.infer<typeof newCounterForm>;
