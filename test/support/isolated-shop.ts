/** An application whose isolated tasks use what an application has: a database, events, schedules, the administration. Children boot it too. */
import 'reflect-metadata';
import { appendFileSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable, Module } from '@nestjs/common';
import {
  chord,
  group,
  InjectTasks,
  OnTask,
  QueueFullError,
  Task,
  TaskAdmin,
  TaskContext,
  TaskProcessor,
  TaskQueueModule,
  TaskSchedules,
  type TaskEvent,
  type TaskQueueOptions,
  type Tasks,
} from 'nestjs-task-queue';
import pg from 'pg';

/** Ends of the transaction of {@link Payments.pay}. */
export type Ending = 'commit' | 'rollback' | 'commit and throw' | 'commit and exit' | 'exit' | 'without BEGIN';

/** What a child process may do to the file that `JOURNAL` names. */
function note(line: string): void {
  appendFileSync(process.env['JOURNAL'] as string, `${line}\n`);
}

@TaskProcessor({ queue: 'mail' })
export class Mails {
  @Task('mail.send')
  send(order: number): number {
    note(`mail ${order}`);
    return order;
  }

  @Task('mail.total')
  total(orders: number[]): number {
    return orders.reduce((sum, order) => sum + order, 0);
  }

  @Task('mail.fail')
  fail(): never {
    throw new TypeError('no address');
  }
}

@TaskProcessor({ queue: 'payments', isolate: true })
export class Payments {
  constructor(
    private readonly task: TaskContext,
    @InjectTasks(Mails) private readonly mails: Tasks<Mails>,
    private readonly admin: TaskAdmin,
    private readonly schedules: TaskSchedules,
  ) {}

  /** Stores an order and its mail in one transaction. */
  @Task('payments.order')
  async order(order: number, ending: Ending): Promise<string> {
    return this.transact(order, ending, async (client) => {
      const { id } = await this.mails.send.in(client).enqueue(order);
      const many = await this.mails.send.in(client).enqueueMany([[order], [order]]);
      const members = [1, 2].map((one) => this.mails.send.signature(one));
      const all = await chord(group(members), this.mails.total.signature()).in(client).enqueue();
      return [id, ...many.map((handle) => handle.id), all.id].join(' ');
    });
  }

  /** Stores an effect and the end of its task in one transaction. */
  @Task({ name: 'payments.pay', retries: 2, backoff: { type: 'fixed', delay: 10, jitter: 0 } })
  async pay(order: number, ending: Ending): Promise<string> {
    note(`pay ${order} ${this.task.attempt}`);
    return this.transact(order, ending, async (client) => {
      await this.task.completeIn(client, `completed ${order}`);
      return 'returned';
    });
  }

  /** Ends once it runs in two processes at the same time. */
  @Task('payments.meets')
  async meets(): Promise<void> {
    note(`meets ${process.pid}`);
    while (!/meets [^]*meets /.test(readFileSync(process.env['JOURNAL'] as string, 'utf8'))) await sleep(20);
  }

  /** Fills a queue that is bounded. */
  @Task('payments.fills')
  async fills(): Promise<string> {
    const bounded = this.mails.send.with({ queue: 'bounded', delay: '1h' });
    await bounded.enqueueMany([[1], [2]]);
    return bounded.enqueue(3).then(
      () => 'stored',
      (error: unknown) => (error instanceof QueueFullError ? 'full' : String(error)),
    );
  }

  private async transact(order: number, ending: Ending, work: (client: pg.Client) => Promise<string>): Promise<string> {
    const client = new pg.Client(process.env['SHOP_DATABASE']);
    client.on('error', () => undefined);
    await client.connect();
    try {
      if (ending !== 'without BEGIN') await client.query('BEGIN');
      await client.query('INSERT INTO orders VALUES ($1)', [order]);
      const value = await work(client);
      if (ending === 'exit') process.exit(7);
      await client.query(ending === 'rollback' ? 'ROLLBACK' : 'COMMIT');
      if (ending === 'commit and exit') process.exit(7);
      if (ending === 'commit and throw') throw new Error('after the commit');
      return value;
    } finally {
      await client.end();
    }
  }

  /** Acts on other tasks, as a controller does. */
  @Task('payments.acts')
  async acts(): Promise<object> {
    const later = await this.mails.send.with({ delay: '1h' }).enqueue(1);
    const { state: cancelled } = await later.cancel('not needed');
    const failed = await this.mails.fail.enqueue();
    const reason = await failed.result({ timeout: '20s' }).catch((error: Error) => error.message);
    const { items } = await this.admin.tasks({ queue: 'mail', state: 'failed' });
    const { attempts } = await this.admin.task(failed.id);
    const errors = await this.admin.errors({ queue: 'mail' });
    const stats = await this.admin.stats();
    const graph = await this.admin.workflow(failed.id);
    const lines = await this.admin.logs(failed.id);
    const retried = await (await this.admin.retryAll({ queue: 'mail', state: 'failed' })).result({ timeout: '20s' });
    await failed.result({ timeout: '20s' }).catch(() => undefined);
    await this.schedules.upsert('monthly', { task: this.mails.send, args: [9], every: '1h' });
    const ran = await (await this.schedules.runNow('monthly')).result({ timeout: '20s' });
    const schedules = (await this.schedules.list()).map(({ id }) => id);
    await this.schedules.remove('monthly');
    await this.admin.pause('unused');
    await this.admin.resume('unused');
    const queues = (await this.admin.queues()).map(({ name }) => name);
    const workers = (await this.admin.workers()).length;
    return {
      ...{ cancelled, reason, listed: items.length, attempts: attempts.length, retried: retried.done, ran, schedules },
      ...{ errors: errors.items.length, tasks: graph.tasks.length, lines: lines.length, counted: stats.length > 0 },
      ...{ queues: queues.includes('mail'), workers, state: (await later.status()).state },
    };
  }
}

/** Hears what happens to tasks, in every process that boots the application. */
@Injectable()
export class Audit {
  @OnTask(['enqueued', 'started', 'succeeded', 'cancelled'])
  on({ type, name, id }: TaskEvent<'enqueued' | 'started' | 'succeeded' | 'cancelled'>): void {
    note(`event ${process.pid} ${type} ${name} ${id}`);
  }
}

export const SHOP_PROVIDERS = [Mails, Payments, Audit];

/** The options that the application has in both processes. */
export const shopOptions = (env: NodeJS.ProcessEnv): TaskQueueOptions => ({
  queues: { bounded: { maxQueued: 2 } },
  ...(env['SHOP_OUTBOX'] && { outbox: { connection: env['SHOP_OUTBOX'] } }),
});

@Module({ imports: [TaskQueueModule.forRoot(shopOptions(process.env))], providers: SHOP_PROVIDERS })
export class AppModule {}
