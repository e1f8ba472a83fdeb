/**
 * A program that places an order and enqueues a mail about it. It dies at the worst moment. Run as `transaction` it enqueues the mail
 * in the transaction of the order, and nothing is lost; run as `race` it enqueues the mail behind it, as one does without.
 */
import 'reflect-metadata';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import pg from 'pg';
import { InjectTasks, Task, TaskQueueModule, type Tasks } from 'nestjs-task-queue';

const [url, mode] = process.argv.slice(2) as [string, 'race' | 'transaction'];

@Injectable()
class MailTasks {
  @Task()
  async confirm(order: number): Promise<void> {
    console.log(`mail about order ${order}`);
  }
}

@Injectable()
class Orders {
  constructor(@InjectTasks(MailTasks) private readonly mails: Tasks<MailTasks>) {}

  async place(id: number): Promise<void> {
    const client = new pg.Client(url);
    await client.connect();
    await client.query('BEGIN');
    await client.query('INSERT INTO orders VALUES ($1)', [id]);
    if (mode === 'transaction') await this.mails.confirm.in(client).enqueue(id);
    await client.query('COMMIT');
    process.kill(process.pid, 'SIGKILL'); // the machine loses its power here
    await this.mails.confirm.enqueue(id);
  }
}

@Module({ imports: [TaskQueueModule.forRoot({ connection: url, role: 'producer' })], providers: [MailTasks, Orders] })
class App {}

const app = await NestFactory.createApplicationContext(App, { logger: false });
await app.get(Orders).place(1);
