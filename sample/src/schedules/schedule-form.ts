import type { Duration } from 'nestjs-task-queue';
import { z } from 'zod';

/** The only tasks that a browser may schedule. A browser must not choose any task of the application. */
const TASKS = ['daily.quote', 'daily.report'] as const;

/**
 * A schedule as the page sends it. The library checks the expression, the period, the time zone and the arguments, and
 * its error messages name the problem.
 */
export const scheduleForm = z.object({
  task: z.enum(TASKS),
  args: z.array(z.json()),
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
export const newScheduleForm = scheduleForm.extend({ id: z.string() });

export type ScheduleForm = z.infer<typeof scheduleForm>;
export type NewScheduleForm = z.infer<typeof newScheduleForm>;
