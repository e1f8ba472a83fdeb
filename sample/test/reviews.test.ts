import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ConflictException } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { randomUUID } from 'node:crypto';
import { TaskQueueModule } from 'nestjs-task-queue';
import { TaskTesting } from 'nestjs-task-queue/testing';
import { Database } from '../src/database/database.js';
import { openSqliteDatabase } from '../src/database/open-database.js';
import { DatabaseModule } from '../src/database/database.module.js';
import { type Mail, Mailer, MailRefusedError } from '../src/mails/mailer.js';
import { OutsideModule } from '../src/outside/outside.module.js';
import { ReviewTasks } from '../src/reviews/review.tasks.js';
import { ReviewsController } from '../src/reviews/reviews.controller.js';
import { ReviewsModule } from '../src/reviews/reviews.module.js';

describe('reviews', () => {
  const review = { name: 'Ann', email: 'ann@example.org', stars: 5, text: 'Lovely.' };
  const id = randomUUID();
  let moduleRef: TestingModule;
  let tasks: TaskTesting;
  let reviews: ReviewsController;
  let sent: Mail[];

  beforeEach(async () => {
    sent = [];
    const builder = Test.createTestingModule({
      imports: [TaskQueueModule.forRoot(), DatabaseModule, OutsideModule, ReviewsModule],
    })
      .overrideProvider(Database)
      .useValue(openSqliteDatabase(':memory:'))
      .overrideProvider(Mailer)
      .useValue({ send: async (mail: Mail) => void sent.push(mail) });
    moduleRef = await TaskTesting.configure(builder).compile();
    tasks = moduleRef.get(TaskTesting);
    reviews = moduleRef.get(ReviewsController);
  });
  afterEach(() => moduleRef.close());

  it('the mail follows the answer', async () => {
    await reviews.write('ann', id, review);
    expect(sent).toEqual([]);
    await tasks.drain();
    expect(sent).toMatchObject([{ to: 'ann@example.org', text: expect.stringContaining('“Lovely.”') }]);
    expect(await reviews.list('ann')).toMatchObject([{ email: 'ann@example.org', mailed_at: expect.any(String) }]);
  });

  it('a form that is sent twice is one review and one mail', async () => {
    const first = await reviews.write('ann', id, review);
    const second = await reviews.write('ann', id, review);
    expect(second.id).toBe(first.id);
    await tasks.drain();
    expect(sent).toHaveLength(1);
    expect(await reviews.list('ann')).toHaveLength(1);
  });

  it('the key of another review is refused', async () => {
    await reviews.write('ann', id, review);
    await expect(reviews.write('ann', id, { ...review, text: 'Terrible.' })).rejects.toThrow(ConflictException);
    await expect(reviews.write('eve', id, review)).rejects.toThrow(ConflictException);
  });

  it('a server that is busy gets the mail later, and no attempt after the mail was sent sends another', async () => {
    tasks.failNext(ReviewTasks, 'thank', new Error('451 Come back later'));
    const handle = await reviews.write('ann', id, review);
    await tasks.drain();
    await tasks.advance('2s');
    await tasks.drain();
    expect(sent).toHaveLength(1);
    await tasks.run(ReviewTasks, 'thank', id);
    expect(sent).toHaveLength(1);
    expect(await handle.status()).toMatchObject({ state: 'succeeded', attempt: 2 });
  });

  it('a mail that the server refuses is not tried again, and can go to another address', async () => {
    tasks.failNext(ReviewTasks, 'thank', new MailRefusedError('The mail server refused the mail: 550'));
    const handle = await reviews.write('ann', id, { ...review, email: 'anm@example.org' });
    await expect(tasks.drain()).rejects.toThrow('The mail server refused the mail: 550');
    expect(await handle.status()).toMatchObject({ state: 'failed', attempt: 1 });

    await expect(reviews.readdress('eve', id, { email: 'eve@example.org' })).rejects.toThrow('no such review');
    await reviews.readdress('ann', id, { email: 'ann@example.org' });
    await tasks.drain();
    expect(sent).toMatchObject([{ to: 'ann@example.org' }]);
  });

  it('only the author sees the address of a review', async () => {
    await reviews.write('ann', id, review);
    const [seen] = await reviews.list('eve');
    expect(seen).toEqual({ ...review, id, email: undefined, written_at: expect.any(String) });
  });
});
