import { type Duration, Task, TaskContext, TaskProcessor } from 'nestjs-task-queue';
import { Database } from '../database/database.js';
import { Network } from './network.js';

@TaskProcessor({ queue: 'posts', timeout: '10s', retries: 5, backoff: { type: 'exponential', delay: '1s', max: '1m' } })
export class PostTasks {
  constructor(
    private readonly task: TaskContext,
    private readonly database: Database,
    private readonly network: Network,
  ) {}

  /**
   * Publishes a saved post. The call carries the id of the row and nothing else: the token stays in the database. The id is also the
   * key of the call to the network, so a worker that takes over from one that was killed posts nothing twice.
   *
   * @returns the address of the post on the network
   */
  @Task()
  async publish(id: string): Promise<string> {
    const { token, text } = await this.database
      .selectFrom('post')
      .innerJoin('account', 'account.visitor', 'post.visitor')
      .select(['account.token', 'post.text'])
      .where('post.id', '=', id)
      .executeTakeFirstOrThrow();

    // What an earlier attempt was told by the network is over.
    await this.task.progress({});
    const answer = await this.network.publish({ token, text, key: id }, this.task.signal);
    if (answer.status === 429) return this.comeBack(answer.headers.get('retry-after') ?? '5');
    if (answer.status === 401) this.task.fail('The network no longer accepts your token. Connect your account again.');
    if (!answer.ok) throw new Error(`The network answered ${answer.status}.`);

    const { url } = (await answer.json()) as { url: string };
    await this.database
      .updateTable('post')
      .set({ url, published_at: new Date().toISOString() })
      .where('id', '=', id)
      .execute();
    return url;
  }

  /** The network has a limit: this is no failure, and uses up no attempt. */
  private async comeBack(seconds: string): Promise<never> {
    await this.task.progress({ wait: `The network asked to come back in ${seconds} s.` });
    this.task.retry({ in: `${seconds}s` as Duration });
  }
}
