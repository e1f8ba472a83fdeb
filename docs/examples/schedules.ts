import { Injectable } from '@nestjs/common';
import { InjectTasks, Schedule, Task, TaskSchedules, type Tasks } from 'nestjs-task-queue';

@Injectable()
export class Digest {
  @Schedule('0 7 * * 1-5', { timezone: 'Europe/Berlin', args: ['daily'] })
  @Schedule({ every: '10m' }, { id: 'often', args: ['quick'], overlap: 'skip', catchUp: 'none' })
  @Task()
  async report(kind: string): Promise<string> {
    return kind;
  }
}

@Injectable()
export class DigestSettings {
  constructor(
    private readonly schedules: TaskSchedules,
    @InjectTasks(Digest) private readonly digest: Tasks<Digest>,
  ) {}

  async weeklyFor(userId: string): Promise<string | null> {
    const { nextRun } = await this.schedules.upsert(`digest-${userId}`, {
      task: this.digest.report,
      args: [userId], // typed like the arguments of the method
      cron: '0 8 * * 1', // or every: '10m'
      timezone: 'America/New_York',
      overlap: 'skip',
      endsAt: new Date('2030-01-01'), // or limit: 52
    });
    return nextRun;
  }
}
