import { Injectable } from '@nestjs/common';
import { setTimeout as sleep } from 'node:timers/promises';
import { Schedule, Task, TaskContext } from 'nestjs-task-queue';
import { record } from './journal.js';

/** The task of the schedules. It writes its tick into the journal. */
@Injectable()
export class TimedWork {
  constructor(private readonly task: TaskContext) {}

  @Schedule({ every: '250ms' }, { id: 'decorated' })
  @Task()
  async tick(milliseconds = 0): Promise<string> {
    const { id, attempt, headers } = this.task;
    if (headers['schedule-tick']) record('ticked', id, `${headers['schedule']}@${headers['schedule-tick']}`);
    record('started', id, attempt);
    if (milliseconds > 0) await sleep(milliseconds);
    record('finished', id);
    return id;
  }
}
