import { Body, Controller, type MessageEvent, Post, Query, Sse, SseSignal } from '@nestjs/common';
import { chain, chord, InjectTasks, type TaskHandle, TaskQueue, type Tasks } from 'nestjs-task-queue';
import { catchError, from, map, mergeMap, type Observable, of } from 'rxjs';
import { z } from 'zod';
import { Visitor } from '../visitors/visitor.js';
import { FirstSteps } from './first-steps.tasks.js';

const addition = z.object({ a: z.number(), b: z.number() });
const naps = z.object({ seconds: z.number().min(0).max(60), times: z.int().min(1).max(100) });
const listOfIds = z
  .string()
  .transform((ids) => ids.split(','))
  .pipe(z.array(z.string()).max(100));

/** A task of a workflow: its id, and the call as the page shows it. */
interface Step {
  readonly id: string;
  readonly call: string;
}

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

  /** One task after the other. Each gets the result of the one before as its first argument. */
  @Post('chain')
  async chain(): Promise<Step[]> {
    const { addSlowly } = this.steps;
    const handle = await chain(addSlowly.signature(4, 4), addSlowly.signature(8), addSlowly.signature(16)).enqueue();
    return stepsOf(await handle.children(), ['add(4, 4)', 'add(…, 8)', 'add(…, 16)']);
  }

  /** Tasks at the same time, and then one with all their results. */
  @Post('chord')
  async chord(): Promise<Step[]> {
    const { addSlowly, sum } = this.steps;
    const numbers = [1, 2, 3, 4, 5];
    const members = numbers.map((number) => addSlowly.signature(number, number));
    const handle = await chord(members, sum.signature()).enqueue();
    const [header, last] = await handle.children();
    const calls = [...numbers.map((number) => `add(${number}, ${number})`), 'sum([…])'];
    return stepsOf([...(await header!.children()), last!], calls);
  }

  /** Sends the states of many tasks in one stream, because a browser opens at most six connections to a site. */
  @Sse('tasks')
  watch(
    @Query('ids', { schema: listOfIds }) ids: string[],
    @SseSignal() signal: AbortSignal,
  ): Observable<MessageEvent> {
    const statesOf = (id: string) =>
      from(this.queue.handle(id).updates({ signal })).pipe(catchError(() => of({ id, state: 'gone', result: null })));
    return from(ids).pipe(
      mergeMap(statesOf),
      map(({ id, state, result }) => ({ data: { id, state, result } })),
    );
  }
}

function stepsOf(handles: readonly { readonly id: string }[], calls: readonly string[]): Step[] {
  return handles.map(({ id }, index) => ({ id, call: calls[index] ?? '' }));
}
