/** The application that the children of isolated tasks boot in tests, and its tasks. */
import 'reflect-metadata';
import { appendFileSync, readFileSync } from 'node:fs';
import { constants, getPriority } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  Injectable,
  Module,
  UseGuards,
  UseInterceptors,
  UsePipes,
  type CallHandler,
  type CanActivate,
  type ExecutionContext,
  type NestInterceptor,
  type PipeTransform,
} from '@nestjs/common';
import { map } from 'rxjs';
import {
  getTaskContext,
  group,
  InjectTasks,
  Task,
  TaskContext,
  TaskProcessor,
  TaskQueue,
  TaskQueueModule,
  type Tasks,
} from 'nestjs-task-queue';

/** Blocks the event loop for so many milliseconds. */
export function compute(milliseconds: number): void {
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
}

/** Adds a line to the file that `JOURNAL` names, so that a test in another process knows of it. */
function note(line: string): void {
  const file = process.env['JOURNAL'];
  if (file) appendFileSync(file, `${line}\n`);
}

@Injectable()
export class Prices {
  of(item: string): number {
    return item.length;
  }
}

class NobodyGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    return getTaskContext(context).headers['user'] !== 'nobody';
  }
}

class DoublePipe implements PipeTransform {
  transform(value: unknown): unknown {
    return typeof value === 'number' ? value * 2 : value;
  }
}

class WrapInterceptor implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler) {
    return next.handle().pipe(map((value: unknown) => ({ value })));
  }
}

/** What runs in the process itself. */
@TaskProcessor({ queue: 'plain' })
export class PlainTasks {
  @Task('plain.add')
  add(a: number, b: number): { sum: number; pid: number } {
    return { sum: a + b, pid: process.pid };
  }
}

@TaskProcessor({ queue: 'isolated', isolate: true })
export class IsolatedTasks {
  constructor(
    private readonly task: TaskContext,
    private readonly prices: Prices,
    @InjectTasks(PlainTasks) private readonly plain: Tasks<PlainTasks>,
    private readonly queue: TaskQueue,
  ) {}

  @Task('isolated.where')
  where(): { pid: number; parent: number; priority: number; variable: string | undefined } {
    return {
      pid: process.pid,
      parent: process.ppid,
      priority: getPriority() - constants.priority.PRIORITY_NORMAL,
      variable: process.env['TASK_QUEUE_ISOLATED'],
    };
  }

  @Task('isolated.price')
  price(item: string): number {
    return this.prices.of(item);
  }

  @Task('isolated.enhanced')
  @UseGuards(NobodyGuard)
  @UsePipes(DoublePipe)
  @UseInterceptors(WrapInterceptor)
  enhanced(value: number): number {
    return value + 1;
  }

  @Task('isolated.context')
  async context(): Promise<object> {
    await this.task.progress(1, 2, 'half');
    await this.task.log('a line', 'warn');
    void this.task.log('another line');
    const { id, name, queue, attempt, maxAttempts, headers, enqueuedAt, deadline } = this.task;
    return {
      id,
      name,
      queue,
      attempt,
      maxAttempts,
      headers,
      hasDate: enqueuedAt instanceof Date,
      deadline: !!deadline,
    };
  }

  @Task('isolated.enqueues')
  async enqueues(a: number, b: number): Promise<{ id: string; sum: number; pid: number; state: string }> {
    const handle = await this.plain.add.enqueue(a, b);
    const result = await handle.result({ timeout: '20s' });
    const { state } = await handle.status();
    return { id: handle.id, ...result, state };
  }

  @Task('isolated.conflict')
  async conflict(key: string): Promise<string> {
    await this.plain.add.with({ idempotencyKey: key }).enqueue(1, 2);
    try {
      await this.plain.add.with({ idempotencyKey: key }).enqueue(3, 4);
    } catch (error) {
      return (error as Error).constructor.name;
    }
    return 'no error';
  }

  /** Sends messages of its own to the parent process, as code for a process manager does. */
  @Task('isolated.chatters')
  chatters(): string {
    const messages = [
      'ready',
      5,
      true,
      [],
      { type: 'ready' },
      { type: 'call', call: 1, port: 'engine', method: 'close', args: [] },
    ];
    for (const message of [
      ...messages,
      { type: 'failed', message: 'forged' },
      { type: 'ended', run: 1, outcome: null },
    ]) {
      process.send?.(message);
    }
    return 'goes on';
  }

  /** Waits for tasks that need a child too: this many, one within the other. */
  @Task('isolated.nests')
  async nests(depth: number): Promise<number> {
    if (depth === 0) return process.pid;
    const inner = await this.queue.of('isolated.nests').enqueue(depth - 1);
    return (await inner.result({ timeout: '20s' })) as number;
  }

  /** Waits for a task that waits for another one, and begins later than that one does. */
  @Task('isolated.waits-later')
  async waitsLater(): Promise<unknown> {
    const inner = await this.queue.of('isolated.nests').enqueue(1);
    while ((await inner.status()).state !== 'running') await sleep(20);
    // The inner task runs in another process, so nothing here tells when it begins to wait.
    await sleep(500);
    return inner.result({ timeout: '20s' });
  }

  /** Waits for itself. */
  @Task('isolated.waits-for-itself')
  async waitsForItself(): Promise<unknown> {
    return this.queue.handle(this.task.id).result({ timeout: '20s' });
  }

  /** Waits for a group of tasks that need a child, in as many tasks at once as `depth` says. */
  @Task('isolated.gathers')
  async gathers(depth: number): Promise<number[]> {
    const { double, gathers } = this.queue.of(IsolatedTasks);
    if (depth === 0)
      return (await group([double.signature(1), double.signature(2)]).enqueue()).result({ timeout: '20s' });
    const inner = await group([gathers.signature(depth - 1)]).enqueue();
    return (await inner.result({ timeout: '20s' })).flat();
  }

  @Task('isolated.fails')
  fails(message: string): never {
    throw new TypeError(message);
  }

  @Task({ name: 'isolated.retried', retries: 2, backoff: { type: 'fixed', delay: 1, jitter: 0 } })
  retried(): number {
    if (this.task.attempt < 3) throw new Error('again');
    return this.task.attempt;
  }

  @Task('isolated.final')
  final(): never {
    return this.task.fail('The card was declined.');
  }

  @Task('isolated.later')
  later(): number {
    if (this.task.attempt === 1 && !done.has(this.task.id)) {
      done.add(this.task.id);
      this.task.retry({ in: 1 });
    }
    return process.pid;
  }

  @Task('isolated.replaced')
  replaced(a: number): never {
    return this.task.replaceWith(this.plain.add.signature(a, 1));
  }

  @Task('isolated.double')
  double(value: number): number {
    return value * 2;
  }

  @Task({ name: 'isolated.computes', timeout: '300ms' })
  computes(milliseconds: number): string {
    note(`computes ${process.pid}`);
    compute(milliseconds);
    return 'returned';
  }

  @Task({ name: 'isolated.ignores', timeout: '200ms' })
  async ignores(): Promise<void> {
    note(`ignores ${process.pid}`);
    process.on('SIGTERM', () => undefined);
    await sleep(60_000);
  }

  @Task({ name: 'isolated.listens', timeout: '200ms' })
  async listens(): Promise<void> {
    await new Promise((_resolve, reject) => {
      this.task.signal.addEventListener('abort', () => {
        reject(this.task.signal.reason as Error);
        throw new Error('a listener that throws');
      });
    });
  }

  @Task('isolated.waits')
  async waits(): Promise<void> {
    note(`waits ${process.pid}`);
    await sleep(60_000, undefined, { signal: this.task.signal });
  }

  @Task('isolated.blocks')
  blocks(milliseconds: number): number {
    note(`blocks ${process.pid}`);
    compute(milliseconds);
    return process.pid;
  }

  /** Blocks its process the first time that it runs. */
  @Task('isolated.blocks-once')
  blocksOnce(file: string): string {
    appendFileSync(file, `${process.pid}\n`);
    if (runsIn(file) === 1) compute(60_000);
    return 'ran again';
  }

  /** Computes a little, and records its begin and its end. */
  @Task('isolated.work')
  work(milliseconds: number): void {
    note(`began ${process.pid} ${this.task.id}`);
    compute(milliseconds);
    note(`finished ${process.pid} ${this.task.id}`);
  }

  /** Exits the first `times` times that it runs. */
  @Task('isolated.exits')
  exits(code: number, times: number, file: string): string {
    appendFileSync(file, `${process.pid}\n`);
    if (runsIn(file) <= times) {
      process.stdout.write('the last words\n');
      process.stderr.write('what went wrong\n');
      process.exit(code);
    }
    return 'survived';
  }

  @Task({ name: 'isolated.exits-once', delivery: 'at-most-once' })
  exitsOnce(): never {
    return process.exit(3);
  }

  @Task({ name: 'isolated.heap', isolate: { memory: '300mb' } })
  heap(): number {
    const kept: unknown[][] = [];
    for (;;) kept.push(Array.from({ length: 100_000 }, (_, index) => ({ index })));
  }

  @Task({ name: 'isolated.buffers', isolate: { memory: '300mb' } })
  async buffers(): Promise<number> {
    const kept: Buffer[] = [];
    for (;;) {
      kept.push(Buffer.alloc(20 * 1024 ** 2, 1));
      await sleep(20);
    }
  }
}
const done = new Set<string>();

function runsIn(file: string): number {
  return readFileSync(file, 'utf8').split('\n').filter(Boolean).length;
}

@TaskProcessor({ queue: 'mixed' })
export class MixedTasks {
  @Task({ name: 'mixed.blocks', isolate: true })
  blocks(milliseconds: number): number {
    note(`blocks ${process.pid}`);
    compute(milliseconds);
    return process.pid;
  }

  @Task('mixed.quick')
  quick(): number {
    return process.pid;
  }
}

export const ISOLATED_PROVIDERS = [Prices, PlainTasks, IsolatedTasks, MixedTasks];

@Module({
  imports: [TaskQueueModule.forRoot({ abandonedAfter: '2s' })],
  providers: ISOLATED_PROVIDERS,
})
export class AppModule {}
