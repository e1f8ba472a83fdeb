import { Injectable, NotFoundException } from '@nestjs/common';
import { InjectTasks, type TaskHandle, TaskQueue, type Tasks } from 'nestjs-task-queue';
import { randomUUID } from 'node:crypto';
import { Database } from '../database/database.js';
import { PostTasks } from './post.tasks.js';

@Injectable()
export class Posts {
  constructor(
    private readonly database: Database,
    private readonly queue: TaskQueue,
    @InjectTasks(PostTasks) private readonly tasks: Tasks<PostTasks>,
  ) {}

  /** Saves a post and enqueues its publication. Both are one commit: there is no post without a task, and no task without its post. */
  save(visitor: string, text: string): Promise<TaskHandle<string>> {
    return this.database.transaction().execute(async (tx) => {
      const post = { id: randomUUID(), visitor, text, saved_at: new Date().toISOString() };
      await tx.insertInto('post').values(post).execute();
      const handle = await this.tasks.publish.in(tx).with({ headers: { visitor } }).enqueue(post.id);
      await tx.updateTable('post').set({ task: handle.id }).where('id', '=', post.id).execute();
      return handle;
    });
  }

  /** Runs the task of a post again that has failed. */
  async retry(visitor: string, id: string): Promise<TaskHandle<string>> {
    const post = await this.ofVisitor(visitor).where('id', '=', id).executeTakeFirst();
    if (!post?.task) throw new NotFoundException('There is no such post.');
    const handle = this.queue.handle<string>(post.task);
    await handle.retry();
    return handle;
  }

  ofVisitor(visitor: string) {
    return this.database
      .selectFrom('post')
      .select(['id', 'text', 'saved_at', 'task', 'url', 'published_at'])
      .where('visitor', '=', visitor);
  }
}
