/** The application that the tests of the command `worker` run. Its tasks write a journal, see faults/support/work.ts. */
import 'reflect-metadata';
import { Injectable, Module, type PipeTransform } from '@nestjs/common';
import { Task, TaskContext, TaskProcessor, TaskQueueModule } from 'nestjs-task-queue';
import { TaskMetricsModule } from 'nestjs-task-queue/metrics';
import { Work } from '../faults/support/work.js';
import { record } from '../faults/support/journal.js';

@TaskProcessor({ queue: 'other' })
class OtherWork {
  @Task('OtherWork.pid')
  pid(): number {
    return process.pid;
  }
}

@Injectable()
class Crashes {
  constructor(private readonly task: TaskContext) {}

  /** Looks like a clean end. */
  @Task({ name: 'Crashes.exit', delivery: 'at-most-once' })
  exit(): void {
    process.exit(0);
  }

  /** Keeps memory. A slow machine takes seconds for much of it, so the event loop has its turns in between. */
  @Task('Crashes.leak')
  async leak(megabytes: number): Promise<number> {
    for (let left = megabytes; left > 0; left -= PIECE) {
      kept.push(Buffer.alloc(Math.min(left, PIECE) * 1024 * 1024, 1));
      await new Promise(setImmediate);
    }
    return process.pid;
  }

  @Task('Crashes.quick')
  quick(): number {
    record('finished', this.task.id);
    return process.pid;
  }

  @Task('Crashes.echo')
  echo(value: string): string {
    return value;
  }
}
const kept: Buffer[] = [];
/** Megabytes. */
const PIECE = 25;

@Module({
  // What the command line sets takes precedence over all of these.
  imports: [
    TaskQueueModule.forRoot({
      role: 'producer',
      consume: ['default'],
      abandonedAfter: '2s',
      shutdown: { grace: '20s' },
    }),
    TaskMetricsModule.forRoot({ path: false }),
  ],
  providers: [Work, OtherWork, Crashes],
})
export class AppModule {}

class Shout implements PipeTransform {
  transform(value: unknown): unknown {
    return typeof value === 'string' ? value.toUpperCase() : value;
  }
}

/** What `main.ts` sets on the application. */
export function configureWorker(app: { useGlobalPipes(...pipes: PipeTransform[]): unknown }): void {
  if (process.env['SHOUT']) app.useGlobalPipes(new Shout());
}
