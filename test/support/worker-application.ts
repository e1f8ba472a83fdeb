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

  /** Keeps memory. */
  @Task('Crashes.leak')
  leak(megabytes: number): number {
    kept.push(Buffer.alloc(megabytes * 1024 * 1024, 1));
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
