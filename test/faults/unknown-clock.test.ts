import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { chain, Task, type TaskHandle } from 'nestjs-task-queue';
import { boot, type Booted } from '../support/boot.js';
import { freePrefix, startPostgres, startRedis, type Server } from '../support/servers.js';

@Injectable()
class Work {
  @Task()
  async echo(text: string): Promise<string> {
    return text;
  }
}

const HOUR = 3_600_000;
const hostTime = Date.now.bind(Date);

let server: Server;
let booted: Booted;

afterEach(async () => {
  jest.restoreAllMocks();
  await booted.app.close();
  await server.close();
});

describe.each([
  ['Redis', startRedis],
  ['PostgreSQL', startPostgres],
] as const)('a process with a wrong clock that starts before its %s', (_, startServer) => {
  it.each([HOUR, -HOUR])(
    'by %i ms stores its first calls with the times of the server',
    async (ahead) => {
      server = await startServer();
      await server.stop();
      jest.spyOn(Date, 'now').mockImplementation(() => hostTime() + ahead);
      booted = await boot({ connection: server.url, prefix: freePrefix(), enqueueTimeout: '20s' }, [Work]);
      const { echo } = booted.queue.of(Work);
      const timed = echo.with({ delay: 300, expires: '1m' });
      const calls: Promise<TaskHandle<string>>[] = [
        echo.enqueue('without times'),
        timed.enqueue('one'),
        timed.enqueueMany([['many']]).then(([handle]) => handle as TaskHandle<string>),
        timed.signature('signature').enqueue(),
        chain(timed.signature('first'), echo.signature()).enqueue(),
        // A moment is no duration: the clock of this process does not concern it.
        echo.with({ delay: new Date(hostTime() + 300), expires: new Date(hostTime() + 60_000) }).enqueue('moment'),
      ];
      await server.restart();
      const handles = await Promise.all(calls);
      const results = await Promise.all(handles.map((handle) => handle.result({ timeout: '20s' })));
      expect(results).toEqual(['without times', 'one', 'many', 'signature', 'first', 'moment']);
      jest.restoreAllMocks();
      for (const { enqueuedAt, startedAt } of await Promise.all(handles.map((handle) => handle.status())))
        for (const time of [enqueuedAt, startedAt])
          expect(Math.abs(Date.parse(time as string) - hostTime())).toBeLessThan(60_000);
    },
    60_000,
  );
});
