import { ConflictException, Injectable, NotFoundException } from '@nestjs/common';
import { InjectTasks, type TaskHandle, TaskQueue, type Tasks } from 'nestjs-task-queue';
import { Database } from '../database/database.js';
import { ReviewTasks } from './review.tasks.js';

export interface Review {
  name: string;
  email: string;
  stars: number;
  text: string;
}

@Injectable()
export class Reviews {
  constructor(
    private readonly database: Database,
    private readonly queue: TaskQueue,
    @InjectTasks(ReviewTasks) private readonly tasks: Tasks<ReviewTasks>,
  ) {}

  /**
   * Saves a review and enqueues the mail of thanks, in one commit. The form chooses the key, so a form that is sent twice is one
   * review and one mail.
   */
  write(visitor: string, id: string, review: Review): Promise<TaskHandle<void>> {
    return this.database.transaction().execute(async (tx) => {
      const row = { id, visitor, ...review, written_at: new Date().toISOString() };
      await tx
        .insertInto('review')
        .values(row)
        .onConflict((conflict) => conflict.doNothing())
        .execute();
      const saved = await tx.selectFrom('review').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
      if (saved.visitor !== visitor || saved.text !== review.text || saved.email !== review.email) {
        throw new ConflictException('Another review was sent with this key.');
      }
      const once = this.tasks.thank
        .in(tx)
        .with({ idempotencyKey: id, idempotencyScope: visitor, headers: { visitor } });
      const handle = await once.enqueue(id);
      if (!saved.task) await tx.updateTable('review').set({ task: handle.id }).where('id', '=', id).execute();
      return handle;
    });
  }

  /** Sends the mail to another address, after the server has refused the first one. */
  async readdress(visitor: string, id: string, email: string): Promise<TaskHandle<void>> {
    const { task } = await this.database
      .updateTable('review')
      .set({ email })
      .where('id', '=', id)
      .where('visitor', '=', visitor)
      .where('mailed_at', 'is', null)
      .returning('task')
      .executeTakeFirstOrThrow(() => new NotFoundException('There is no such review, or its mail was sent.'));
    const handle = this.queue.handle<void>(task ?? '');
    await handle.retry();
    return handle;
  }

  list() {
    return this.database.selectFrom('review').orderBy('written_at', 'desc').limit(20);
  }
}
