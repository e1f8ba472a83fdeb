import { Body, Controller, Get, Post, Put } from '@nestjs/common';
import { InjectTasks, type TaskHandle, type Tasks, TaskSchedules } from 'nestjs-task-queue';
import { z } from 'zod';
import { Database } from '../database/database.js';
import { Visitor } from '../visitors/visitor.js';
import { QuoteMails } from './quote-mails.tasks.js';
import { MOODS, type Quote, QuoteTasks } from './quote.tasks.js';

const subscription = z.object({ email: z.email().max(200) });
const trial = z.object({ mood: z.enum(MOODS) });

@Controller('quotes')
export class QuotesController {
  constructor(
    private readonly database: Database,
    private readonly schedules: TaskSchedules,
    @InjectTasks(QuoteTasks) private readonly quotes: Tasks<QuoteTasks>,
    @InjectTasks(QuoteMails) private readonly mails: Tasks<QuoteMails>,
  ) {}

  /** The latest quote, the next morning, and the addresses of the visitor. */
  @Get()
  async show(@Visitor() visitor: string) {
    const schedule = await this.schedules.get('quote-of-the-day');
    return {
      quote: (await this.database.selectFrom('quote').selectAll().orderBy('day', 'desc').executeTakeFirst()) ?? null,
      cron: schedule?.cron ?? null,
      timezone: schedule?.timezone ?? null,
      nextRun: schedule?.nextRuns[0] ?? null,
      subscribers: await this.database
        .selectFrom('subscriber')
        .select('email')
        .where('visitor', '=', visitor)
        .orderBy('email')
        .execute(),
    };
  }

  /** The first mail follows at once, if there is a quote. */
  @Put('subscribers')
  async subscribe(
    @Visitor() visitor: string,
    @Body({ schema: subscription }) { email }: z.infer<typeof subscription>,
  ): Promise<void> {
    await this.database.transaction().execute(async (tx) => {
      const { numInsertedOrUpdatedRows: added } = await tx
        .insertInto('subscriber')
        .values({ email, visitor })
        .onConflict((conflict) => conflict.doNothing())
        .executeTakeFirst();
      const quote = await tx.selectFrom('quote').select('day').orderBy('day', 'desc').executeTakeFirst();
      if (added && quote) await this.mails.send.in(tx).enqueue(quote.day, email);
    });
  }

  /** Does now what the schedule does in the morning, with one attempt. */
  @Post('runs')
  run(
    @Visitor() visitor: string,
    @Body({ schema: trial }) { mood }: z.infer<typeof trial>,
  ): Promise<TaskHandle<Quote>> {
    return this.quotes.fetch.with({ retries: 0, headers: { visitor } }).enqueue(mood);
  }
}
