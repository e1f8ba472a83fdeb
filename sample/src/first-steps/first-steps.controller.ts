import { Body, Controller, type MessageEvent, Post, Query, Sse, SseSignal } from '@nestjs/common';
import { InjectTasks, type TaskHandle, TaskQueue, type Tasks } from 'nestjs-task-queue';
import { catchError, from, map, mergeMap, type Observable, of } from 'rxjs';
import { z } from 'zod';
import { Visitor } from '../visitors/visitor.js';
import { FirstSteps } from './first-steps.tasks.js';

const addition = z.object({ a: z.number(), b: z.number() });
const naps = z.object({ seconds: z.number().min(0).max(60), times: z.int().min(1).max(100) });

@Controller('first-steps')
export class FirstStepsController {
  constructor(
    @InjectTasks(FirstSteps) private readonly steps: Tasks<FirstSteps>,
    private readonly queue: TaskQueue,
  ) {}

  /** Enqueues one task. The answer is `202 Accepted` with the address of the task. */
  @Post('add')
  async add(
    @Visitor() visitor: string,
    @Body({ schema: addition }) { a, b }: z.infer<typeof addition>,
  ): Promise<TaskHandle<number>> {
    return this.steps.add.with({ headers: { visitor } }).enqueue(a, b);
  }

  /** Stores many tasks in one step. */
  @Post('naps')
  async nap(
    @Visitor() visitor: string,
    @Body({ schema: naps }) { seconds, times }: z.infer<typeof naps>,
  ): Promise<TaskHandle<void>[]> {
    return this.steps.sleep.with({ headers: { visitor } }).enqueueMany(Array.from({ length: times }, () => [seconds]));
  }

  /** Sends the states of many tasks in one stream, because a browser opens at most six connections to a site. */
  @Sse('naps')
  watch(@Query('ids') ids: string, @SseSignal() signal: AbortSignal): Observable<MessageEvent> {
    const statesOf = (id: string) =>
      from(this.queue.handle(id).updates({ signal })).pipe(catchError(() => of({ id, state: 'gone' })));
    return from(ids.split(',')).pipe(
      mergeMap(statesOf),
      map(({ id, state }) => ({ data: { id, state } })),
    );
  }
}
