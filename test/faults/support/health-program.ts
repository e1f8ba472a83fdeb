/** An application with probes on the place of the environment variable `PLACE`. A message lets a task block the event loop. */
import 'reflect-metadata';
import { Task } from 'nestjs-task-queue';
import { startHealthApp } from '../../support/health-app.js';

class Blocking {
  @Task({ queue: 'mail' })
  block(milliseconds: number): void {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
  }
}

const { url, queue } = await startHealthApp(JSON.parse(process.env['PLACE'] ?? '{}'), [Blocking]);
process.on('message', (milliseconds: number) => void queue.of(Blocking).block.enqueue(milliseconds));
process.send?.(url);
