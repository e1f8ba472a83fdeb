import { Injectable } from '@nestjs/common';
import { TaskAdmin } from 'nestjs-task-queue';

@Injectable()
export class StuckQueues {
  constructor(private readonly admin: TaskAdmin) {}

  async warn(): Promise<string[]> {
    const queues = await this.admin.queues();
    return queues.filter(({ counts, workers }) => counts.queued > 0 && workers === 0).map(({ name }) => name);
  }
}
