import { inspect } from 'node:util';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Injectable, Logger, type LoggerService } from '@nestjs/common';
import { Redis } from 'ioredis';
import pg from 'pg';
import { ConfigurationError, Task, TaskContext, type TaskQueueOptions } from 'nestjs-task-queue';
import { boot, type Booted } from '../support/boot.js';
import { Gate } from '../support/gate.js';
import { startPostgres, startRedis, type Server } from '../support/servers.js';

/** Stands in arguments, headers, results and messages of tasks, and is the password. No error and no log line has it. */
const SECRET = 'bearer-of-ada';

@Injectable()
class Work {
  static started = new Gate();
  static gate = new Gate();

  constructor(private readonly task: TaskContext) {}

  @Task()
  async send(token: string): Promise<string> {
    Work.started.open();
    await Work.gate.opened;
    await this.task.progress({ token });
    await this.task.log(token);
    return token;
  }
}

/** Keeps everything that is logged, objects too. */
class EveryLine implements LoggerService {
  readonly lines: string[] = [];
  readonly log = this.keep;
  readonly warn = this.keep;
  readonly error = this.keep;

  private keep(...all: unknown[]): void {
    this.lines.push(inspect(all, { depth: 9, showHidden: true }));
  }
}

let booted: Booted | undefined;
let server: Server;
const logger = new EveryLine();

async function start(options: TaskQueueOptions): Promise<Booted> {
  logger.lines.length = 0;
  Work.started = new Gate();
  Work.gate = new Gate();
  Logger.overrideLogger(logger);
  booted = await boot({ prefix: 'errors', enqueueTimeout: '1s', ...options }, [Work]);
  booted.app.useLogger(logger);
  return booted;
}

afterEach(async () => {
  await booted?.app.close();
  booted = undefined;
  Logger.overrideLogger(false);
  await server.close();
});

/** Enqueues while the server refuses, and ends a task that already runs. @returns the error of the enqueue, as text */
async function refusedCall(refuse: () => Promise<() => Promise<void>>): Promise<{ error: Error; text: string }> {
  const work = booted!.queue.of(Work).send.with({ headers: { token: SECRET } });
  const running = await work.enqueue(SECRET);
  await Work.started.opened;
  const allow = await refuse();
  Work.gate.open();
  const error = await work.enqueue(SECRET).then(
    () => new Error('The server has not refused the call.'),
    (thrown: unknown) => thrown as Error,
  );
  await allow();
  await running.result({ timeout: '20s' });
  return { error, text: inspect(error, { depth: 9, showHidden: true }) };
}

describe('the errors and log lines of a Redis', () => {
  it.each([
    ['OOM', 'maxmemory', '1', '0'],
    ['NOREPLICAS', 'min-replicas-to-write', '1', '0'],
  ])('that refuses writes with %s have nothing of a call', async (kind, option, refuse, allow) => {
    server = await startRedis({ password: SECRET });
    await start({ connection: server.url });
    const admin = new Redis(server.url);
    const { error, text } = await refusedCall(async () => {
      await admin.config('SET', option, refuse);
      return async () => void (await admin.config('SET', option, allow));
    });
    admin.disconnect();
    expect(error).toMatchObject({
      code: 'ENGINE_UNAVAILABLE',
      cause: { message: expect.stringContaining(kind) as unknown },
    });
    expect(text).not.toContain(SECRET);
    expect(logger.lines.join('\n')).toContain(kind);
    expect(logger.lines.join('\n')).not.toContain(SECRET);
  });

  it('with another password have no password', async () => {
    server = await startRedis({ password: 'another' });
    const url = server.url.replace('another', SECRET);
    const error: unknown = await start({ connection: url }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ConfigurationError);
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain(SECRET);
    expect(logger.lines.join('\n')).not.toContain(SECRET);
  });
});

/** SQLSTATE, and whether another attempt may help. */
const CODES: readonly [code: string, isOutage: boolean][] = [
  ['25006', true],
  ['40001', true],
  ['40P01', true],
  ['53100', true],
  ['53200', true],
  ['55P03', true],
  ['57014', true],
  ['58030', true],
  ['XX000', true],
  ['42501', true],
  ['23505', false],
  ['22P02', false],
  ['22021', false],
  ['P0001', false],
];

describe('the errors and log lines of a PostgreSQL', () => {
  it.each(CODES)(
    'that refuses jobs with %s have nothing of a call',
    async (code, isOutage) => {
      server = await startPostgres({ password: SECRET });
      await start({ connection: server.url });
      const admin = new pg.Client(server.url);
      await admin.connect();
      const { error, text } = await refusedCall(async () => {
        // As PostgreSQL itself does, the error quotes the row in its details, and a value in its message.
        await admin.query(`
        CREATE FUNCTION errors.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
          RAISE EXCEPTION 'invalid input: "%"', ${code.startsWith('22') ? 'NEW.data' : "'x'"} USING
            ERRCODE = '${code}', DETAIL = NEW.data::text, HINT = NEW.data::text, TABLE = 'job', CONSTRAINT = 'x';
        END $$;
        CREATE TRIGGER refuse BEFORE INSERT ${isOutage ? 'OR UPDATE' : ''} ON errors.job FOR EACH ROW EXECUTE FUNCTION errors.refuse()`);
        return async () => void (await admin.query('DROP TRIGGER refuse ON errors.job'));
      });
      await admin.end();
      if (isOutage) expect(error).toMatchObject({ code: 'ENGINE_UNAVAILABLE', cause: { code } });
      else expect(error).toMatchObject({ code });
      expect(text).not.toContain(SECRET);
      expect(logger.lines.join('\n')).not.toContain(SECRET);
    },
    60_000,
  );
});

describe('a PostgreSQL that refuses the success of a task for good', () => {
  it('makes it fail after one run, with an error that has nothing of the result', async () => {
    server = await startPostgres({ password: SECRET });
    await start({ connection: server.url });
    const admin = new pg.Client(server.url);
    await admin.connect();
    await admin.query(`
      CREATE FUNCTION errors.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        RAISE EXCEPTION 'too long: %', NEW.return_value USING ERRCODE = '22001', DETAIL = NEW.return_value::text;
      END $$;
      CREATE TRIGGER refuse BEFORE UPDATE ON errors.job FOR EACH ROW WHEN (NEW.state = 'completed') EXECUTE FUNCTION errors.refuse()`);
    await admin.end();
    const work = booted!.queue.of(Work).send.with({ retries: 3, backoff: { type: 'fixed', delay: 1 } });
    Work.gate.open();
    const handle = await work.enqueue(SECRET);
    const error: unknown = await handle.result({ timeout: '20s' }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      cause: { message: expect.stringContaining('the store refuses its result') as unknown, code: '22001' },
    });
    expect(await handle.status()).toMatchObject({ state: 'failed', attempt: 1 });
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain(SECRET);
  });
});
