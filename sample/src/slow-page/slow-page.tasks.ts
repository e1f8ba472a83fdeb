import { Task, TaskContext, TaskProcessor } from 'nestjs-task-queue';
import { setTimeout } from 'node:timers/promises';

export interface Weather {
  readonly city: string;
  readonly degrees: number;
  readonly sky: string;
}

/** Two parts of a page that stand for services which answer slowly. Neither knows of the page. */
@TaskProcessor('slow-page')
export class SlowParts {
  constructor(private readonly task: TaskContext) {}

  @Task({ timeout: '30s' })
  async weather(city: string): Promise<Weather> {
    await this.waitFor(['Asking the station', 'Reading the clouds', 'Drawing the map'], 800);
    return { city, degrees: 4 + (new Date().getDate() % 9), sky: 'light rain, later sun' };
  }

  @Task({ timeout: '30s' })
  async headlines(): Promise<string[]> {
    await this.waitFor(['Calling the agency', 'Waiting for the agency', 'Translating', 'Sorting'], 1200);
    return ['Queue found to be shorter than expected', 'Local worker takes no lunch', 'Nothing lost, says database'];
  }

  private async waitFor(steps: readonly string[], pace: number): Promise<void> {
    for (const [index, step] of steps.entries()) {
      await this.task.progress(index, steps.length, step);
      await setTimeout(pace, undefined, { signal: this.task.signal });
    }
  }
}
