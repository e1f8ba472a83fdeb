import { Injectable } from '@nestjs/common';
import { TaskQueue, TaskQueueModule, type HttpRequest } from 'nestjs-task-queue';

@Injectable()
export class Results {
  constructor(private readonly queue: TaskQueue) {}

  async follow(id: string): Promise<unknown> {
    const handle = this.queue.handle<{ url: string }>(id);

    const { state, progress, attempt } = await handle.status();
    const { url } = await handle.result({ timeout: '30s' });
    for await (const status of handle.updates()) console.log(status.state, status.progress);
    await handle.cancel('The user left.');
    return { state, progress, attempt, url };
  }
}

type SignedIn = HttpRequest & { user: { id: string } };

export const ownedTasks = TaskQueueModule.forRoot({
  http: { authorize: (request: SignedIn, _status, headers) => headers['owner'] === request.user.id },
});
