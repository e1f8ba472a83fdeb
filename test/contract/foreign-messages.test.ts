import { afterAll, afterEach, beforeAll, expect, it, jest } from '@jest/globals';
import { Injectable, Logger } from '@nestjs/common';
import { Task, TaskContext, type Tasks } from 'nestjs-task-queue';
import { ChangeFeed } from '../../lib/engine/bullmq/changes/change-feed.js';
import { CancelPoll } from '../../lib/engine/bullmq/consumer/cancel-poll.js';
import { SUCCESS_FIELDS } from '../../lib/engine/bullmq/jobs/job-success.js';
import type { MessageBus } from '../../lib/engine/bullmq/message-bus.js';
import { boot, type Booted } from '../support/boot.js';
import { describeEachDatabase } from '../support/engines.js';
import { Gate } from '../support/gate.js';
import { until } from '../support/until.js';

@Injectable()
class Work {
  static gate = new Gate();

  constructor(private readonly task: TaskContext) {}

  @Task()
  async echo(value: string): Promise<string> {
    await Work.gate.opened;
    await this.task.progress(1, 1);
    return value;
  }

  @Task()
  async endless(): Promise<void> {
    await new Promise((_, reject) =>
      this.task.signal.addEventListener('abort', () => reject(this.task.signal.reason as Error)),
    );
  }
}

const MALFORMED = [
  ...['', 'not json', 'null', 'true', '5', '"text"', '[]', '[null]', '{', '{}', '{"type":"watch"}', '{"type":null}'],
  ...['{"type":"watch","ids":null,"inbox":"inbox:1","endOnly":true}', '{"type":"watch","ids":[{}],"inbox":5}'],
  ...['{"type":"cancel"}', '{"type":"cancel","id":{}}', '{"ids":5}', '{"ids":[null,{}]}', '{"successes":{}}'],
  ...['{"successes":[null]}', '{"successes":[["x"]]}', '{"repeat":"yes"}', `{"ids":["${'x'.repeat(5_000)}"]}`],
];

interface Feed {
  readonly replyChannel: string;
  readonly bus: { readonly bus: MessageBus };
}

/** Any client of the database may publish any text on the channels of this package. */
describeEachDatabase('messages that this package did not send', (engine) => {
  let web: Booted;
  let worker: Booted;
  let work: Tasks<Work>;
  let bus: MessageBus;
  const inboxes = new Set<string>();
  const warnings: string[] = [];

  beforeAll(async () => {
    jest.spyOn(Logger.prototype, 'warn').mockImplementation((line: string) => void warnings.push(line));
    // The names of the reply channels are random, so they are read from the feeds.
    const watch = ChangeFeed.prototype.watch;
    jest.spyOn(ChangeFeed.prototype, 'watch').mockImplementation(function (this: ChangeFeed, ...args) {
      const feed = this as unknown as Feed;
      inboxes.add(feed.replyChannel);
      bus = feed.bus.bus;
      return Reflect.apply(watch, this, args);
    });
    const options = await engine.place();
    worker = await boot(options, [Work]);
    web = engine.name === 'embedded' ? worker : await boot({ ...options, role: 'producer' });
    work = web.queue.of(Work);
  });
  afterEach(() => void (warnings.length = 0));
  afterAll(async () => {
    jest.restoreAllMocks();
    await Promise.all([web.app.close(), worker.app.close()]);
  });

  it('malformed messages are dropped with a few warnings, and tasks and watchers go on', async () => {
    Work.gate = new Gate();
    const handle = await work.echo.enqueue('hello');
    const result = handle.result({ timeout: '15s' });
    const updates = handle.updates();
    await updates.next();
    const channels = ['workers', 'watchers', 'schedules', ...inboxes];
    const told = (channel: string) => warnings.some((line) => line.includes(`"${channel}" was dropped`));
    await until(
      // Each round sends all of them again: a watcher may have its first record before it has subscribed.
      async () => {
        for (const channel of channels) for (const text of MALFORMED) await bus.publish(channel, text);
        return channels.every(told);
      },
      () => `a warning for each of ${channels.join()}: ${warnings.join('\n')}`,
    );
    Work.gate.open();
    expect(await result).toBe('hello');
    for await (const { state } of updates) if (state === 'succeeded') break;
    expect(await (await work.echo.enqueue('still here')).result({ timeout: '15s' })).toBe('still here');
    // Two faults for each channel: no JSON, and JSON of another form.
    expect(warnings.length).toBeLessThanOrEqual(2 * channels.length);
    expect(warnings.join()).not.toContain('xxx');
  });

  it('a success that cannot be read makes the watcher fetch the task', async () => {
    Work.gate = new Gate();
    const handle = await work.echo.enqueue('hello');
    const updates = handle.updates();
    await updates.next();
    const rest = (async () => {
      const states: string[] = [];
      for await (const { state, result } of updates) states.push(`${state} ${String(result)}`);
      return states;
    })();
    const readable = ['Work.echo', '{"args":[]}', '{}', '0', '1', '2', '1', '1', `${Date.now()}`, '"forged"'];
    for (const field of SUCCESS_FIELDS) {
      const success = readable.map((text, index) => (SUCCESS_FIELDS[index] === field ? '{' : text));
      // The name may be any text.
      if (field === 'name') success[0] = '';
      for (const inbox of inboxes) await bus.publish(inbox, JSON.stringify({ successes: [[handle.id, success]] }));
    }
    Work.gate.open();
    expect((await rest).at(-1)).toBe('succeeded hello');
    expect(await rest).not.toContain('succeeded forged');
    expect(warnings).toEqual([]);
  });

  it('a forged request to cancel cancels nothing', async () => {
    const handle = await work.endless.enqueue();
    for await (const { state } of handle.updates()) if (state === 'running') break;
    const check = jest.spyOn(CancelPoll.prototype, 'check');
    for (let n = 0; n < 50; n++) {
      await bus.publish('workers', JSON.stringify({ type: 'cancel', id: handle.id, reason: 'forged' }));
    }
    await until(() => check.mock.calls.filter(([id]) => id === handle.id).length === 50);
    expect(await handle.status()).toMatchObject({ state: 'running' });
    await handle.cancel('true');
    await expect(handle.result({ timeout: '15s' })).rejects.toMatchObject({ message: 'true' });
    check.mockRestore();
  });

  it('a reason to cancel that is too large for a message reaches the task', async () => {
    const handle = await work.endless.enqueue();
    for await (const { state } of handle.updates()) if (state === 'running') break;
    await handle.cancel('ä'.repeat(10_000));
    // The worker stores the first characters of the reason.
    const message = expect.stringMatching(/^ä{1000}/);
    await expect(handle.result({ timeout: '15s' })).rejects.toMatchObject({ code: 'TASK_CANCELLED', message });
  });
});
