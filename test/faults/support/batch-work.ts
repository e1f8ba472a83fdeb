import { Injectable } from '@nestjs/common';
import { Task, type TaskBatch } from 'nestjs-task-queue';
import { record } from './journal.js';

/** A task with batches. It writes the start and the end of each run and of each call into the journal. A negative number makes it throw. */
@Injectable()
export class BatchWork {
  @Task({ name: 'Work.row', queue: 'rows', batch: { size: 20, wait: '1s' }, retries: 2 })
  async row(calls: TaskBatch<[milliseconds: number]>): Promise<void> {
    const run = calls[0]?.id ?? '';
    record('began', run, calls.length);
    for (const { id } of calls) record('started', id, calls.length);
    if (calls.some(({ args: [milliseconds] }) => milliseconds < 0)) throw new Error('poison');
    await new Promise((resolve) =>
      setTimeout(resolve, Math.max(...calls.map(({ args: [milliseconds] }) => milliseconds))),
    );
    for (const { id } of calls) record('finished', id);
    record('ended', run);
  }
}
