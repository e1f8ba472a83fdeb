import { Injectable } from '@nestjs/common';
import { setTimeout as sleep } from 'node:timers/promises';
import { Schedule, Task, TaskContext } from '../../../lib/index.js';
import { note } from './journal.js';

/** The tasks of schedules. They note which tick they run for. */
@Injectable()
export class TimedWork {
  constructor(private readonly task: TaskContext) {}

  @Schedule({ every: '250ms' }, { id: 'decorated' })
  @Task()
  async tick(milliseconds = 0): Promise<string> {
    const { id, attempt, headers } = this.task;
    if (headers['schedule-tick']) note('ticked', id, `${headers['schedule']}@${headers['schedule-tick']}`);
    note('started', id, attempt);
    if (milliseconds > 0) await sleep(milliseconds);
    note('finished', id);
    return id;
  }
}
