import { Injectable } from '@nestjs/common';
import { Task, TaskContext } from 'nestjs-task-queue';
import { record } from './journal.js';

/** The task of `BatchWork` as it was before it took batches. */
@Injectable()
export class SingleWork {
  constructor(private readonly task: TaskContext) {}

  @Task({ name: 'Work.row', queue: 'rows', retries: 2 })
  async row(milliseconds: number): Promise<void> {
    const { id } = this.task;
    if (typeof milliseconds !== 'number') throw new TypeError('This is not one call.');
    record('began', id, 1);
    record('started', id, 1);
    await new Promise((resolve) => setTimeout(resolve, milliseconds));
    record('finished', id);
    record('ended', id);
  }
}
