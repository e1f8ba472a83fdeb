import { Injectable } from '@nestjs/common';
import { OnTask, Task, type TaskEvent } from 'nestjs-task-queue';

export abstract class Pager {
  abstract send(text: string): Promise<void>;
}

@Injectable()
export class ReportTasks {
  @Task()
  build(): void {}
}

/** Stands for the decorator of `@nestjs/schedule`. */
declare function Interval(milliseconds: number): MethodDecorator;

@Injectable()
export class Alerts {
  constructor(private readonly pager: Pager) {}

  @OnTask('failed', { task: ReportTasks })
  async onFailed({ id, name, error, attempt }: TaskEvent<'failed'>): Promise<void> {
    await this.pager.send(`${name} (${id}) failed after ${attempt} attempts: ${error.message}`);
  }

  @OnTask(['expired', 'lost'])
  async onTrouble(event: TaskEvent<'expired' | 'lost'>): Promise<void> {
    await this.pager.send(`${event.name} (${event.id}): ${event.type}. Are there enough workers?`);
  }
}

@Injectable()
export class FailureRate {
  private readonly failed = new Map<string, number>();

  constructor(private readonly pager: Pager) {}

  @OnTask('failed')
  count({ name }: TaskEvent<'failed'>): void {
    this.failed.set(name, (this.failed.get(name) ?? 0) + 1);
  }

  @Interval(60_000) // of @nestjs/schedule: each process watches what it ran itself
  async check(): Promise<void> {
    for (const [name, count] of this.failed)
      if (count > 10) await this.pager.send(`${name} failed ${count} times in a minute`);
    this.failed.clear();
  }
}
