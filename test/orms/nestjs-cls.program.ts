import 'reflect-metadata';
import assert from 'node:assert/strict';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Transactional, ClsPluginTransactional, TransactionHost } from '@nestjs-cls/transactional';
import { TransactionalAdapterTypeOrm } from '@nestjs-cls/transactional-adapter-typeorm';
import { ClsModule } from 'nestjs-cls';
import {
  InjectTasks,
  Task,
  TaskSchedules,
  TaskContext,
  TaskNotFoundError,
  TaskQueueModule,
  type TaskHandle,
  type Tasks,
} from 'nestjs-task-queue';
import { openTypeOrm } from './libraries.js';

@Injectable()
class Mails {
  constructor(private readonly task: TaskContext) {}

  @Task()
  async confirm(order: number): Promise<number> {
    await this.task.log(`order ${order}`);
    return order;
  }
}

@Injectable()
class Orders {
  constructor(
    private readonly host: TransactionHost<TransactionalAdapterTypeOrm>,
    @InjectTasks(Mails) private readonly mails: Tasks<Mails>,
    private readonly schedules: TaskSchedules,
  ) {}

  @Transactional<TransactionalAdapterTypeOrm>()
  async place(id: number, { fails = false } = {}): Promise<TaskHandle[]> {
    await this.host.tx.query('INSERT INTO orders (id) VALUES ($1)', [id]);
    const handles = [await this.mails.confirm.enqueue(id), await this.mails.confirm.signature(id).enqueue()];
    handles.push(await this.mails.confirm.outside().enqueue(-id));
    placed = handles;
    for (const handle of handles.slice(0, 2)) await assert.rejects(handle.status(), TaskNotFoundError);
    if (fails) throw new Error('refused');
    return handles;
  }

  confirm(id: number): Promise<TaskHandle> {
    return this.mails.confirm.enqueue(id);
  }

  /** A schedule that is made in a transaction is there at once: what this package stores itself joins none. */
  @Transactional<TransactionalAdapterTypeOrm>()
  async schedule(): Promise<string> {
    await this.schedules.upsert('monthly', { task: 'Mails.confirm', cron: '0 0 1 1 *', args: [1] });
    const handle = await this.schedules.runNow('monthly');
    await handle.result({ timeout: '15s' });
    return 'stored';
  }
}

let placed: TaskHandle[] = [];

/** A program, because Jest cannot load nestjs-cls on Node 20. It is told the URL of an empty database, and fails with an error. */
const url = process.argv[2] as string;
const { source } = await openTypeOrm(url);
await source.query('CREATE TABLE orders (id integer PRIMARY KEY)');

@Module({ providers: [{ provide: 'SOURCE', useValue: source }], exports: ['SOURCE'] })
class Sources {}

@Module({
  imports: [
    ClsModule.forRoot({
      plugins: [
        new ClsPluginTransactional({
          imports: [Sources],
          adapter: new TransactionalAdapterTypeOrm({ dataSourceToken: 'SOURCE' }),
        }),
      ],
    }),
    TaskQueueModule.forRoot({
      connection: url,
      transaction: () => {
        const host = TransactionHost.getInstance<TransactionalAdapterTypeOrm>();
        return host.isTransactionActive() ? host.tx : undefined;
      },
    }),
  ],
  providers: [Mails, Orders],
})
class App {}

const app = await NestFactory.createApplicationContext(App, { logger: ['error'], abortOnError: false });
const orders = app.get(Orders);

// Calls join the open transaction, but for those outside.
const handles = await orders.place(1);
assert.deepEqual(await Promise.all(handles.map((handle) => handle.result({ timeout: '15s' }))), [1, 1, -1]);

// Calls go with the transaction, but for those outside.
await assert.rejects(orders.place(2, { fails: true }), /refused/);
const [one, two, outside] = placed;
await assert.rejects(one!.status(), TaskNotFoundError);
await assert.rejects(two!.status(), TaskNotFoundError);
assert.equal(await outside!.result({ timeout: '15s' }), -2);

// Without an open transaction a call is stored at once.
const alone = await orders.confirm(3);
assert.equal((await alone.status()).id, alone.id);

// What a task enqueues runs outside of the transaction in which the task was enqueued; a schedule joins none either.
const scheduled = await orders.schedule();
assert.equal(scheduled, 'stored');

await app.close();
await source.destroy();
console.log('done');
