import { Injectable } from '@nestjs/common';
import { TaskAdmin } from 'nestjs-task-queue';

@Injectable()
export class NightShift {
  constructor(private readonly admin: TaskAdmin) {}

  async ask() {
    const stuck = (await this.admin.queues()).filter(({ counts, workers }) => counts.queued > 0 && workers === 0);
    const { items, cursor } = await this.admin.tasks(
      { queue: 'mail', state: 'failed', header: { owner: '7' } },
      { limit: 20 },
    );
    for (const { id } of items) {
      const { args, options, error, attempts, members } = await this.admin.task(id);
      console.log(args, options, error, attempts.length, members);
    }
    const errors = await this.admin.errors({ since: '1h' });
    return { stuck, cursor, errors };
  }

  async act(id: string, workerId: string) {
    await this.admin.pause('mail', { by: 'ada', reason: 'The mail server is down.' }); // until resume('mail')
    await this.admin.setRateLimit('mail', { max: 100, per: '1m' }, { by: 'ada' }); // null: as the code says
    await this.admin.setGlobalConcurrency('reports', 2); // at most two at once in all workers
    await this.admin.promote(id); // a scheduled or retrying task runs now
    await this.admin.update(id, { args: ['ada@example.com'], delay: '10m' }); // only before it has started
    const act = await this.admin.retryAll({ queue: 'mail', state: 'failed' }, { rate: 50 }); // a task with progress
    const { done, refused } = await act.result(); // cancelAll(), forgetAll() and purge(queue) likewise
    await this.admin.shutdown(workerId, { grace: '1m' }); // as SIGTERM there
    return { done, refused };
  }
}
