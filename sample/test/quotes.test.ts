import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Test, type TestingModule } from '@nestjs/testing';
import { TaskQueueModule } from 'nestjs-task-queue';
import { TaskTesting } from 'nestjs-task-queue/testing';
import { Database } from '../src/database/database.js';
import { openSqliteDatabase } from '../src/database/open-database.js';
import { DatabaseModule } from '../src/database/database.module.js';
import { type Mail, Mailer } from '../src/mails/mailer.js';
import { Outside } from '../src/outside/outside.js';
import { OutsideModule } from '../src/outside/outside.module.js';
import { QuoteMails } from '../src/quotes/quote-mails.tasks.js';
import { QuoteTasks } from '../src/quotes/quote.tasks.js';
import { QuotesController } from '../src/quotes/quotes.controller.js';
import { QuotesModule } from '../src/quotes/quotes.module.js';

describe('the quote of the day', () => {
  let moduleRef: TestingModule;
  let tasks: TaskTesting;
  let quotes: QuotesController;
  let sent: Mail[];

  beforeEach(async () => {
    sent = [];
    const builder = Test.createTestingModule({
      imports: [TaskQueueModule.forRoot(), DatabaseModule, OutsideModule, QuotesModule],
    })
      .overrideProvider(Database)
      .useValue(openSqliteDatabase(':memory:'))
      .overrideProvider(Mailer)
      .useValue({ send: async (mail: Mail) => void sent.push(mail) });
    moduleRef = await TaskTesting.configure(builder).compile();
    tasks = moduleRef.get(TaskTesting);
    quotes = moduleRef.get(QuotesController);
  });
  afterEach(() => moduleRef.close());

  it('is fetched every morning at seven in Berlin, and mailed to each subscriber', async () => {
    await quotes.subscribe('ann', { email: 'ann@example.org' });
    await quotes.subscribe('bob', { email: 'bob@example.org' });
    // The kit stores the schedules of decorators with the first drain.
    await tasks.drain();
    const { nextRun } = await quotes.show('ann');
    expect(new Date(nextRun ?? '').toLocaleTimeString('sv', { timeZone: 'Europe/Berlin' })).toBe('07:00:00');

    // The tick creates the task. An isolated task runs in the process of the test.
    await tasks.advance('1d');
    await tasks.drain();
    expect(sent.map(({ to }) => to).toSorted()).toEqual(['ann@example.org', 'bob@example.org']);
    const { quote, subscribers } = await quotes.show('ann');
    expect(sent[0]?.text).toBe(`“${quote?.text}” — ${quote?.author}`);
    expect(subscribers).toEqual([{ email: 'ann@example.org' }]);
  });

  it('a second run on the same day mails nothing', async () => {
    await quotes.subscribe('ann', { email: 'ann@example.org' });
    await tasks.runTwice(await quotes.run('ann', { mood: 'awake' }));
    await tasks.drain();
    expect(sent).toHaveLength(1);
  });

  it('a new subscriber gets the latest quote at once', async () => {
    await quotes.run('ann', { mood: 'awake' });
    await tasks.drain();
    await quotes.subscribe('ann', { email: 'ann@example.org' });
    await quotes.subscribe('ann', { email: 'ann@example.org' });
    const { quote } = await quotes.show('ann');
    expect(tasks.enqueued(QuoteMails)).toHaveLength(1);
    tasks.expectEnqueued(QuoteMails, 'send', [quote?.day ?? '', 'ann@example.org']);
  });

  it('an abort of the signal ends a fetch without an answer, and nothing is stored', async () => {
    const reason = new Error('It took too long.');
    const run = tasks.context({ signal: AbortSignal.abort(reason) }, () => moduleRef.get(QuoteTasks).fetch('asleep'));
    await expect(run).rejects.toThrow('It took too long.');
    expect(await quotes.show('ann')).toMatchObject({ quote: null });
    expect(await moduleRef.get(Outside).quotes()).toMatch(/^http:/);
  });
});
