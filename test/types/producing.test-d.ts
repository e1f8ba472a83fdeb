import {
  defineTask,
  InjectTasks,
  Task,
  TaskContext,
  TaskHandle,
  TaskQueue,
  TaskQueueModule,
  type Duration,
  type TaskContract,
  type TaskProducer,
  type Tasks,
  type TaskState,
  type TaskStatus,
} from 'nestjs-task-queue';
import { z } from 'zod';
import { expectType, typeTest, type Equal } from '../support/type-test.js';

interface Receipt {
  readonly number: string;
}

class Reports {
  readonly title = 'a property is no task';

  @Task()
  async build(_month: string, _pages = 1): Promise<{ url: string }> {
    return { url: '' };
  }

  @Task('reports.list')
  list(..._months: string[]): string[] {
    return [];
  }

  @Task({
    retries: 3,
    backoff: { type: 'fixed', delay: '5s' },
    timeout: '5m',
    giveUpOn: [TypeError],
    unique: { while: 'running' },
  })
  ping(): void {}
}

declare const queue: TaskQueue;
declare const reports: Tasks<Reports>;
const charge = defineTask<(orderId: string, cents: number) => Promise<Receipt>>('billing.charge', { queue: 'billing' });

typeTest('a producer has the arguments and the result of the method', async () => {
  const handle = await reports.build.enqueue('2026-11');
  expectType<Equal<typeof handle, TaskHandle<{ url: string }>>>();
  const result = await handle.result();
  expectType<Equal<typeof result, { url: string }>>();
  const status = await handle.status();
  expectType<Equal<typeof status, TaskStatus<{ url: string }>>>();
  expectType<Equal<typeof status.result, { url: string } | null>>();
  expectType<Equal<typeof status.state, TaskState>>();
  for await (const update of handle.updates()) expectType<Equal<typeof update, TaskStatus<{ url: string }>>>();
});

typeTest('wrong arguments do not compile', async () => {
  await reports.build.enqueue('2026-11', 2);
  // @ts-expect-error an argument is missing
  await reports.build.enqueue();
  // @ts-expect-error a number is no month
  await reports.build.enqueue(11);
  // @ts-expect-error there is no third argument
  await reports.build.enqueue('2026-11', 2, 3);
});

typeTest('a producer supports rest parameters and methods without a result', async () => {
  expectType<Equal<Awaited<ReturnType<typeof reports.list.enqueue>>, TaskHandle<string[]>>>();
  await reports.list.enqueue('a', 'b');
  // @ts-expect-error
  await reports.list.enqueue('a', 1);
  expectType<Equal<Awaited<ReturnType<typeof reports.ping.enqueue>>, TaskHandle<void>>>();
});

typeTest('only methods are tasks', () => {
  // @ts-expect-error
  void reports.title;
  // @ts-expect-error
  void reports.nothing;
});

typeTest('enqueueMany() takes lists of the same arguments', async () => {
  const handles = await reports.build.enqueueMany([['a'], ['b', 2]]);
  expectType<Equal<typeof handles, TaskHandle<{ url: string }>[]>>();
  // @ts-expect-error
  await reports.build.enqueueMany([[1]]);
});

typeTest('with() keeps the type and knows its options', async () => {
  const later = reports.build.with({
    delay: '10m',
    expires: new Date(),
    priority: 3,
    retries: 1,
    backoff: 'fixed',
    timeout: 500,
    queue: 'slow',
    idempotencyKey: 'k',
    headers: { a: 'b' },
  });
  expectType<Equal<typeof later, typeof reports.build>>();
  // @ts-expect-error no such option
  reports.build.with({ dealy: '10m' });
  // @ts-expect-error no such unit
  reports.build.with({ delay: '10 minutes' });
  // @ts-expect-error headers are text
  reports.build.with({ headers: { a: 1 } });
});

typeTest('the queue gives producers of a class, a contract and a name', async () => {
  const tasks = queue.of(Reports);
  expectType<Equal<typeof tasks, Tasks<Reports>>>();
  const producer = queue.of(charge);
  expectType<Equal<typeof producer, TaskProducer<(orderId: string, cents: number) => Promise<Receipt>>>>();
  const receipt = await (await producer.enqueue('1', 100)).result();
  expectType<Equal<typeof receipt, Receipt>>();
  // @ts-expect-error cents are a number
  await producer.enqueue('1', '100');
  await queue.of('any.name').enqueue(1, 'two', { three: 3 });
  const typed = await queue.of<(value: number) => string>('any.name').enqueue(1);
  expectType<Equal<typeof typed, TaskHandle<string>>>();
  expectType<Equal<ReturnType<typeof queue.handle<number>>, TaskHandle<number>>>();
});

typeTest('a contract only fits methods of its type', () => {
  class Billing {
    @Task(charge)
    async right(orderId: string, cents: number): Promise<Receipt> {
      return { number: `${orderId}-${cents}` };
    }

    // @ts-expect-error cents are a number
    @Task(charge)
    async wrongArgument(_orderId: string, _cents: string): Promise<Receipt> {
      return { number: '' };
    }

    // @ts-expect-error the contract returns a receipt
    @Task(charge)
    async wrongResult(_orderId: string, _cents: number): Promise<number> {
      return 1;
    }
  }
  void Billing;
  expectType<Equal<typeof charge, TaskContract<(orderId: string, cents: number) => Promise<Receipt>>>>();
});

typeTest('producers are injected', () => {
  class Controller {
    constructor(
      @InjectTasks(Reports) readonly reports: Tasks<Reports>,
      @InjectTasks(charge) readonly charge: TaskProducer<(orderId: string, cents: number) => Promise<Receipt>>,
    ) {}
  }
  void Controller;
});

typeTest('a handle cannot be awaited by mistake', async () => {
  const handle = await reports.build.enqueue('a');
  expectType<Equal<typeof handle, TaskHandle<{ url: string }>>>();
  // @ts-expect-error
  void handle.then;
});

typeTest('the options of tasks and of the module are checked', () => {
  TaskQueueModule.forRoot();
  TaskQueueModule.forRoot({
    connection: 'redis://localhost',
    queues: { mail: { concurrency: 2, rateLimit: { max: 1, per: '1s' } } },
    http: false,
  });
  TaskQueueModule.forRootAsync({ useFactory: async () => ({ connection: 'pglite:' }) });
  Task({ schema: z.tuple([z.string()]) });
  const durations: Duration[] = [1, '250ms', '10s', '5m', '2h', '1d'];
  void durations;
  // @ts-expect-error
  Task({ retires: 3 });
  // @ts-expect-error
  Task({ timeout: 'soon' });
  // @ts-expect-error
  TaskQueueModule.forRoot({ role: 'consumer' });
  // @ts-expect-error
  Task({ retryOn: [new Error('an instance')] });
});

typeTest('TaskContext takes progress as numbers or as JSON', async () => {
  const context = null as unknown as TaskContext;
  await context.progress(1, 2);
  await context.progress(1, 2, 'message');
  await context.progress({ any: ['json'] });
  expectType<Equal<typeof context.signal, AbortSignal>>();
  expectType<Equal<typeof context.deadline, Date | undefined>>();
  const never = () => context.fail('no');
  expectType<Equal<ReturnType<typeof never>, never>>();
});
