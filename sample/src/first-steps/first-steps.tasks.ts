import { Task, TaskContext, TaskProcessor } from 'nestjs-task-queue';
import { setTimeout } from 'node:timers/promises';

@TaskProcessor('first-steps')
export class FirstSteps {
  constructor(private readonly task: TaskContext) {}

  @Task()
  add(a: number, b: number): number {
    return a + b;
  }

  @Task()
  sum(numbers: number[]): number {
    return numbers.reduce((total, number) => total + number, 0);
  }

  /** Takes a second, so that the page can draw a workflow while it runs. */
  @Task({ queue: 'naps' })
  async addSlowly(a: number, b: number): Promise<number> {
    await this.sleep(1);
    return a + b;
  }

  /** The task has a queue of its own. In the same queue, a hundred sleeping tasks would keep the additions waiting. */
  @Task({ queue: 'naps' })
  async sleep(seconds: number): Promise<void> {
    await setTimeout(seconds * 1000, undefined, { signal: this.task.signal });
  }
}
