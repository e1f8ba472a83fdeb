import {
  defineTask,
  InjectTasks,
  Task,
  TaskContext,
  TaskError,
  TaskHandle,
  TaskQueue,
  TaskQueueModule,
  Tasks,
  type Duration,
  type ProducerOf,
  type TaskContract,
  type TaskProducer,
  type TaskState,
  type TaskStatus,
} from 'nestjs-task-queue';
import type { Type } from '@nestjs/common';
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

// The imports of `Tasks` and `TaskError` are plain, as a decorated parameter needs them (TS1272).
class Crawler {
  constructor(
    @InjectTasks(Crawler) public readonly tasks: Tasks<Crawler>,
    readonly printer: Tasks<Printer>,
  ) {}

  get self(): Tasks<Crawler> {
    return this.tasks;
  }

  @Task()
  async crawl(page: string): Promise<number> {
    await this.tasks.visit.enqueue(page);
    return 1;
  }

  // The compiler infers the return types of two methods that enqueue other tasks of their class.
  @Task()
  async visit(page: string) {
    await this.tasks.crawl.enqueue(page);
    await this.printer.print.enqueue(page);
  }

  @Task()
  own(error: TaskError) {
    void this.self.own;
    return error.id;
  }
}

class Printer {
  constructor(
    @InjectTasks(Crawler) readonly crawler: Tasks<Crawler>,
    @InjectTasks(Printer) private readonly own: Tasks<Printer>,
  ) {}

  @Task()
  async print(page: string): Promise<number> {
    await this.crawler.crawl.enqueue(page);
    await this.own.print.enqueue(page);
    return 1;
  }
}

abstract class Abstract {
  @Task()
  abstractly(): void {}
}

declare const crawler: Tasks<Crawler>;
declare const printer: Tasks<Printer>;
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
    idempotencyScope: 's',
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

typeTest('ProducerOf is the producer of a contract or of a method', () => {
  type Charge = (orderId: string, cents: number) => Promise<Receipt>;
  expectType<Equal<ProducerOf<typeof charge>, TaskProducer<Charge>>>();
  const producer: ProducerOf<typeof charge> = queue.of(charge);
  void producer;
  expectType<Equal<ProducerOf<Reports['build']>, typeof reports.build>>();
});

typeTest('a class may have producers of itself and of a class that has producers of it', async () => {
  // The names of the tasks do not depend on the types of the properties.
  expectType<Equal<keyof Tasks<Crawler>, 'crawl' | 'visit' | 'own'>>();
  const handle = await crawler.crawl.enqueue('https://example.com');
  expectType<Equal<typeof handle, TaskHandle<number>>>();
  const started = await printer.print.enqueue(crawler.crawl.name);
  expectType<Equal<typeof started, TaskHandle<number>>>();
  const some: Pick<Tasks<Crawler>, 'visit'> = crawler;
  void some;
  // @ts-expect-error a page is text
  await crawler.crawl.enqueue(1);
  // @ts-expect-error producers are no tasks
  void crawler.tasks;
  // @ts-expect-error producers are no tasks
  void crawler.self;
  // @ts-expect-error a private property is no task
  void printer.own;
  // @ts-expect-error these are the tasks of another class
  const other: Tasks<Crawler> = printer;
  void other;
});

typeTest('the tasks of a type parameter and of any class have a type', () => {
  const read = <T>(tasks: Tasks<T>, name: keyof Tasks<T>) => tasks[name];
  expectType<Equal<ReturnType<typeof read<Crawler>>, Tasks<Crawler>[keyof Tasks<Crawler>]>>();
  // eslint-disable-next-line typescript/no-explicit-any -- the class is unknown
  const untyped = null as unknown as Tasks<any>;
  void untyped['anything']?.enqueue(1);
});

typeTest('producers are injected into parameters and properties that accept them', () => {
  class Controller {
    constructor(
      @InjectTasks(Reports) readonly reports: Tasks<Reports>,
      @InjectTasks(charge) private readonly hidden: TaskProducer<(orderId: string, cents: number) => Promise<Receipt>>,
      @InjectTasks(charge) protected charging: ProducerOf<typeof charge>,
      @InjectTasks(charge) readonly untyped: TaskProducer,
      @InjectTasks(Reports) readonly some: Pick<Tasks<Reports>, 'build'>,
      // eslint-disable-next-line typescript/no-explicit-any -- `any` accepts every type
      @InjectTasks(Reports) readonly open: any,
      @InjectTasks(Reports) readonly unknown: unknown,
      @InjectTasks(null as unknown as Type) readonly dynamic: Tasks<Reports>,
      @InjectTasks(Abstract) readonly ofAbstract: Tasks<Abstract>,
      @InjectTasks(Reports) readonly optional?: Tasks<Reports>,
    ) {
      void this.hidden;
    }

    @InjectTasks(Reports) readonly property!: Tasks<Reports>;
    @InjectTasks(Reports) protected readonly protectedProperty!: Tasks<Reports>;
    @InjectTasks(Reports) private readonly privateProperty!: Tasks<Reports>;
    @InjectTasks(charge) contract?: ProducerOf<typeof charge>;

    use(): void {
      void this.privateProperty;
    }
  }
  void Controller;
  class PrivateConstructor {
    private constructor(@InjectTasks(Reports) readonly reports: Tasks<Reports>) {}
    static create = (reports: Tasks<Reports>) => new PrivateConstructor(reports);
  }
  void PrivateConstructor;
  const decorators: (ParameterDecorator & PropertyDecorator)[] = [InjectTasks(Reports)];
  void decorators;
});

typeTest('producers are not injected into parameters and properties of another type', () => {
  class Controller {
    constructor(
      // @ts-expect-error these are the tasks of another class
      @InjectTasks(Reports) readonly reports: Tasks<Crawler>,
      // @ts-expect-error a private parameter is checked too
      @InjectTasks(Reports) private readonly hidden: Tasks<Crawler>,
      // @ts-expect-error cents are a number
      @InjectTasks(charge) readonly charge: TaskProducer<(orderId: string, cents: string) => Promise<Receipt>>,
      // @ts-expect-error a class gives one producer for each task
      @InjectTasks(Reports) readonly producer: TaskProducer,
      // @ts-expect-error a contract gives its producer
      @InjectTasks(charge) readonly contract: Tasks<Reports>,
      // @ts-expect-error the class itself is not injected
      @InjectTasks(Reports) readonly instance: Reports,
    ) {
      void this.hidden;
    }

    // @ts-expect-error these are the tasks of another class
    @InjectTasks(Reports) readonly property!: Tasks<Crawler>;
    // @ts-expect-error text is no source
    @InjectTasks('reports') readonly text!: Tasks<Reports>;
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
