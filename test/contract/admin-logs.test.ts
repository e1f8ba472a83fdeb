import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Injectable, type INestApplicationContext } from '@nestjs/common';
import {
  InvalidArgumentsError,
  Task,
  TaskAdmin,
  TaskContext,
  TaskNotFoundError,
  type LogLevel,
} from 'nestjs-task-queue';
import { boot, Gate, type Booted } from '../support/boot.js';
import { describeEachEngine } from '../support/engines.js';

/** Fewer than the default, so that a test need not write a thousand lines. */
const KEEP = 40;

describeEachEngine('TaskAdmin.logs()', (engine) => {
  let gate = new Gate();
  let written = new Gate();

  @Injectable()
  class Reports {
    constructor(private readonly task: TaskContext) {}

    @Task()
    async levels(): Promise<void> {
      await this.task.log('plain');
      for (const level of ['debug', 'warn', 'error'] as const) await this.task.log(`a ${level}`, level);
    }

    /** Waits for none of its lines. */
    @Task()
    many(count: number): void {
      for (let line = 1; line <= count; line++) void this.task.log(`line ${line}`);
    }

    @Task()
    async text(line: string): Promise<void> {
      await this.task.log(line);
    }

    @Task()
    async anything(line: unknown, level: string): Promise<string> {
      await this.task.log(line as string);
      return this.task.log('text', level as LogLevel).then(
        () => 'stored',
        (error: Error) => error.message,
      );
    }

    @Task({ retries: 1, backoff: { type: 'fixed', delay: 0 } })
    async flaky(): Promise<void> {
      await this.task.log(`attempt ${this.task.attempt}`);
      if (this.task.attempt === 1) throw new Error('once more');
    }

    @Task()
    async slow(): Promise<void> {
      await this.task.log('begun');
      written.open();
      await gate.opened;
      void this.task.log('ends');
    }

    @Task()
    silent(): void {}
  }

  let booted: Booted;
  let admin: TaskAdmin;
  let app: INestApplicationContext;

  const run = async (method: string, ...args: unknown[]): Promise<string> => {
    const handle = await booted.queue.of(`Reports.${method}`).enqueue(...args);
    await handle.result();
    return handle.id;
  };
  const texts = async (id: string, options = {}) => (await admin.logs(id, options)).map(({ text }) => text);

  beforeAll(async () => {
    booted = await boot({ ...(await engine.place()), logs: { keep: KEEP } }, [Reports]);
    ({ app } = booted);
    admin = app.get(TaskAdmin);
  });
  afterAll(() => app.close());

  it('gives each line its number, time and level', async () => {
    const before = Date.now();
    const lines = await admin.logs(await run('levels'));
    expect(lines.map(({ index, level, text }) => [index, level, text])).toEqual([
      [1, 'log', 'plain'],
      [2, 'debug', 'a debug'],
      [3, 'warn', 'a warn'],
      [4, 'error', 'a error'],
    ]);
    for (const { at } of lines) {
      // The clock of the store and the clock of this process may differ a little.
      expect(Math.abs(Date.parse(at ?? '') - before)).toBeLessThan(60_000);
      expect(at).toBe(new Date(at ?? '').toISOString());
    }
  });

  it('keeps the last lines, also of one call, and each line keeps its number', async () => {
    const id = await run('many', KEEP * 3);
    const lines = await admin.logs(id);
    expect(lines.map(({ index, text }) => `${index} ${text}`)).toEqual(
      Array.from({ length: KEEP }, (_, place) => `${KEEP * 2 + place + 1} line ${KEEP * 2 + place + 1}`),
    );
  });

  it('gives the lines behind another, up to a limit', async () => {
    const id = await run('many', KEEP + 10);
    expect(await texts(id, { limit: 2 })).toEqual(['line 11', 'line 12']);
    expect(await texts(id, { after: 12, limit: 2 })).toEqual(['line 13', 'line 14']);
    expect(await texts(id, { after: KEEP + 9 })).toEqual([`line ${KEEP + 10}`]);
    expect(await texts(id, { after: KEEP + 10 })).toEqual([]);
  });

  it('cuts a huge line with a mark', async () => {
    const [text = ''] = await texts(await run('text', 'x'.repeat(1_000_000 - 100)));
    expect(text).toHaveLength(10_000 + '… (cut: 999900 characters)'.length);
    expect(text.endsWith('… (cut: 999900 characters)')).toBe(true);
  });

  it('keeps the breaks of a text, and takes any value for a line but no other level', async () => {
    expect(await texts(await run('text', 'one\ntwo'))).toEqual(['one\ntwo']);
    const handle = await booted.queue.of('Reports.anything').enqueue({ page: 1 }, 'loud');
    await expect(handle.result()).resolves.toBe(
      'The level of a log line is "loud". Use one of: debug, log, warn, error.',
    );
    expect(await texts(handle.id)).toEqual(['{ page: 1 }']);
  });

  it('keeps the lines of earlier attempts', async () => {
    expect(await texts(await run('flaky'))).toEqual(['attempt 1', 'attempt 2']);
  });

  it('has no lines of a task that wrote none, and refuses wrong arguments', async () => {
    const id = await run('silent');
    expect(await admin.logs(id)).toEqual([]);
    await expect(admin.logs(`${id}x`)).rejects.toThrow(TaskNotFoundError);
    await expect(admin.logs('no id')).rejects.toThrow(TaskNotFoundError);
    await expect(admin.logs(id, { limit: 0 })).rejects.toThrow(
      new InvalidArgumentsError('limit is 0. Give a whole number, from 1 to 10000.'),
    );
    await expect(admin.logs(id, { after: -1 })).rejects.toThrow(
      new InvalidArgumentsError('after is -1. Give a whole number, at least 0.'),
    );
  });

  describe('followLogs()', () => {
    it('gives stored lines and those that come, and ends with the task', async () => {
      [gate, written] = [new Gate(), new Gate()];
      const handle = await booted.queue.of('Reports.slow').enqueue();
      await written.opened;
      const seen: string[] = [];
      for await (const { text } of admin.followLogs(handle.id)) {
        seen.push(text);
        if (text === 'begun') gate.open();
      }
      expect(seen).toEqual(['begun', 'ends']);
      expect((await handle.status()).state).toBe('succeeded');
    });

    it('ends when the signal is aborted', async () => {
      [gate, written] = [new Gate(), new Gate()];
      const handle = await booted.queue.of('Reports.slow').enqueue();
      await written.opened;
      const controller = new AbortController();
      const seen: string[] = [];
      for await (const { text } of admin.followLogs(handle.id, { signal: controller.signal })) {
        seen.push(text);
        setImmediate(() => controller.abort());
      }
      expect(seen).toEqual(['begun']);
      expect((await handle.status()).state).toBe('running');
      gate.open();
      await handle.result();
    });

    it('refuses an unknown task', async () => {
      const follow = async () => {
        for await (const line of admin.followLogs('default.unknown')) return line;
        return undefined;
      };
      await expect(follow()).rejects.toThrow(TaskNotFoundError);
    });
  });
});
