import { InjectTasks, Schedule, Task, TaskContext, TaskProcessor, type Tasks } from 'nestjs-task-queue';
import { z } from 'zod';
import { Database } from '../database/database.js';
import { Outside } from '../outside/outside.js';
import { QuoteMails } from './quote-mails.tasks.js';

export const MOODS = ['awake', 'asleep', 'dreaming'] as const;
/** `asleep`: the service does not answer. `dreaming`: the method computes without an end, as by a mistake. */
export type Mood = (typeof MOODS)[number];

export interface Quote {
  day: string;
  text: string;
  author: string;
}

@TaskProcessor({ queue: 'quotes' })
export class QuoteTasks {
  constructor(
    private readonly task: TaskContext,
    private readonly database: Database,
    private readonly outside: Outside,
    @InjectTasks(QuoteMails) private readonly mails: Tasks<QuoteMails>,
  ) {}

  /**
   * Fetches the quote of the day and mails it to all subscribers, every morning at seven in Berlin.
   *
   * The soft limit is `timeout`: after 5 s the signal is aborted, and `fetch` ends. A method that does not end by then is killed
   * with its process 2 s later, because it is isolated: the hard limit.
   */
  @Schedule('0 7 * * *', { id: 'quote-of-the-day', timezone: 'Europe/Berlin', args: ['awake'] })
  @Task({
    isolate: true,
    timeout: '5s',
    retries: 3,
    backoff: { type: 'exponential', delay: '1m' },
    schema: z.tuple([z.enum(MOODS)]),
  })
  async fetch(mood: Mood): Promise<Quote> {
    if (mood === 'dreaming') for (;;);
    const day = new Intl.DateTimeFormat('sv', { timeZone: 'Europe/Berlin' }).format();
    const url = new URL(`/${day}${mood === 'asleep' ? '?asleep' : ''}`, await this.outside.quotes());
    const answer = await fetch(url, { signal: this.task.signal });
    if (!answer.ok) throw new Error(`The service of quotes answered ${answer.status}.`);
    const quote = { day, ...((await answer.json()) as { text: string; author: string }) };
    await this.keep(quote);
    return quote;
  }

  /** Stores the quote and enqueues its mails in one commit. A second run on the same day finds the quote, and mails nothing. */
  private async keep(quote: Quote): Promise<void> {
    await this.database.transaction().execute(async (tx) => {
      const stored = await tx
        .insertInto('quote')
        .values(quote)
        .onConflict((conflict) => conflict.doNothing())
        .executeTakeFirst();
      if (!stored.numInsertedOrUpdatedRows) return;
      const subscribers = await tx.selectFrom('subscriber').select('email').execute();
      await this.mails.send.in(tx).enqueueMany(subscribers.map(({ email }) => [quote.day, email]));
    });
  }
}
