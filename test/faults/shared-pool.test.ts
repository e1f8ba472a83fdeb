import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import pg from 'pg';
import { Task, type Tasks } from 'nestjs-task-queue';
import { boot, type Booted } from '../support/boot.js';
import { Recorder } from '../support/recorder.js';
import { freePrefix, startPostgres, type Server } from '../support/servers.js';
import { startProxy, type TcpProxy } from '../support/tcp-proxy.js';
import { until } from '../support/until.js';

const ran = new Recorder<string>();

@Injectable()
class Work {
  @Task()
  note(text: string): string {
    ran.record(text);
    return text;
  }
}

describe('the engine on a pool of the application without any limit for the time of a statement', () => {
  let server: Server;
  let proxy: TcpProxy;
  let pool: pg.Pool;
  let booted: Booted;
  let work: Tasks<Work>;

  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(async () => server?.close());

  beforeEach(async () => {
    proxy = await startProxy(server.port);
    const url = Object.assign(new URL(server.url), { port: `${proxy.port}` });
    pool = new pg.Pool({ connectionString: url.href, max: 10 });
    pool.on('error', () => undefined);
    booted = await boot({ connection: pool, prefix: freePrefix(), abandonedAfter: '8s' }, [Work]);
    work = booted.queue.of(Work);
  });
  afterEach(async () => {
    await booted?.app.close();
    void pool.end();
    await proxy.close();
  });

  it('goes on with new connections when the network has forgotten the old ones, while nothing runs and while much does', async () => {
    await work.note.enqueue('before');
    await ran.until((entries) => entries.includes('before'));
    proxy.forget();
    await runs('idle');
    const many = Array.from({ length: 50 }, (_, index) => `${index}`);
    const traffic = Promise.allSettled(many.map((text) => work.note.enqueue(text)));
    proxy.forget();
    await traffic;
    await runs('busy');
    expect(ran.entries).toEqual(expect.arrayContaining(['idle', 'busy']));
  }, 150_000);

  /** Enqueues until that works, as a caller would that gets an error, and waits for the task. */
  async function runs(text: string): Promise<void> {
    const enqueue = () =>
      work.note.enqueue(text).then(
        () => true,
        () => false,
      );
    await until(enqueue, 'the call is stored', 60_000);
    await until(() => ran.entries.includes(text), `the task ${text} runs`, 60_000);
  }
});
