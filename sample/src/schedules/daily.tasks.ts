import { Schedule, Task, TaskContext, TaskProcessor } from 'nestjs-task-queue';
import { setTimeout } from 'node:timers/promises';
import { z } from 'zod';
import { madeUpPeople } from '../people/made-up-people.js';
import { QUOTES, type Topic, TOPICS } from './quotes.js';

/** The result of a run, which the page shows. */
export interface DailyResult {
  text: string;
}

/** Milliseconds of each step. They stand for a slow service, so that the progress can be watched. */
const PACE = 150;
const STEPS = 20;

@TaskProcessor({ queue: 'daily', timeout: '1m' })
export class DailyTasks {
  constructor(private readonly task: TaskContext) {}

  /** The decorator runs the task on every working day. An administrator may add schedules with other topics. */
  @Schedule('0 7 * * 1-5', { id: 'quote-of-the-day', timezone: 'Europe/Berlin', args: ['work'], overlap: 'skip' })
  @Task({ name: 'daily.quote', schema: z.tuple([z.enum(TOPICS)]) })
  async quote(topic: Topic): Promise<DailyResult> {
    await this.takeSteps();
    const quotes = QUOTES[topic];
    const today = Math.floor(Date.now() / 86_400_000);
    return { text: quotes[today % quotes.length] as string };
  }

  /** Counts people by country, as a nightly report does. */
  @Task({ name: 'daily.report', schema: z.tuple([z.int().min(1).max(100_000)]) })
  async report(people: number): Promise<DailyResult> {
    await this.takeSteps();
    const counts = new Map<string, number>();
    for (const { country } of madeUpPeople(people)) counts.set(`${country}`, (counts.get(`${country}`) ?? 0) + 1);
    const [[most, count]] = [...counts].toSorted(([, a], [, b]) => b - a) as [[string, number]];
    return { text: `${people} people from ${counts.size} countries, most of them (${count}) from ${most}.` };
  }

  private async takeSteps(): Promise<void> {
    for (let step = 0; step < STEPS; step++) {
      await this.task.progress(step, STEPS);
      await setTimeout(PACE, undefined, { signal: this.task.signal });
    }
    await this.task.progress(STEPS, STEPS);
  }
}
