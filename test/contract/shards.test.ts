import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import {
  chain,
  ConfigurationError,
  group,
  InjectTasks,
  OnTask,
  Schedule,
  Task,
  TaskAdmin,
  TaskContext,
  TaskProcessor,
  TaskSchedules,
  type TaskEvent,
  type TaskQueueOptions,
  type Tasks,
} from 'nestjs-task-queue';
import { boot, type Booted } from '../support/boot.js';
import { describeEachPair, type ShardedPlace } from '../support/engines.js';
import { until } from '../support/until.js';

/** Two queues, both in the shard `media`. */
@Injectable()
@TaskProcessor({ queue: 'films' })
class Films {
  @Task()
  cut(...lengths: unknown[]): number {
    return lengths.flat().reduce<number>((sum, length) => sum + Number(length), 0);
  }

  @Task({ queue: 'limited' })
  upload(length: number): number {
    return length + 1;
  }

  @Task()
  fail(): void {
    throw new Error('no film');
  }

  @Task({ unique: { while: 'pending' } })
  once(): void {}

  @Schedule('* * * * * *', { id: 'film' })
  @Task()
  tick(): void {}
}

/** In the default shard. */
@Injectable()
@TaskProcessor({ queue: 'mail' })
class Mails {
  constructor(
    private readonly task: TaskContext,
    @InjectTasks(Films) private readonly films: Tasks<Films>,
  ) {}

  @Task()
  send(to: number): string {
    return `sent to ${to}`;
  }

  @Task()
  count(to: number): number {
    return to;
  }

  @Task()
  fail(): void {
    throw new Error('no mail');
  }

  @Task()
  becomeFilm(): void {
    this.task.replaceWith(this.films.cut.signature(1));
  }

  @Schedule('* * * * * *', { id: 'mail' })
  @Task()
  tick(): void {}
}

@Injectable()
class Listener {
  readonly heard: string[] = [];

  @OnTask('succeeded')
  onEnd({ name, id }: TaskEvent): void {
    this.heard.push(`${name} ${id}`);
  }
}

describeEachPair('shards', (pair) => {
  let place: ShardedPlace;
  let booted: Booted;
  let admin: TaskAdmin;
  let films: Tasks<Films>;
  let mails: Tasks<Mails>;

  const optionsOf = (at: ShardedPlace): TaskQueueOptions => ({
    ...at,
    queues: {
      films: { shard: 'media' },
      limited: { shard: 'media', rateLimit: { max: 1_000, per: '1s' } },
    },
  });

  beforeAll(async () => {
    place = await pair.place();
    booted = await boot(optionsOf(place), [Films, Mails, Listener]);
    admin = booted.app.get(TaskAdmin);
    films = booted.queue.of(Films);
    mails = booted.queue.of(Mails);
  });

  afterAll(() => booted.app.close());

  it('run the tasks of each queue, and each task is stored in its shard alone', async () => {
    const [film, mail] = [await films.cut.enqueue(1, 2), await mails.send.enqueue(7)];
    expect([await film.result(), await mail.result()]).toEqual([3, 'sent to 7']);
    const { heard } = booted.app.get(Listener);
    await until(() => heard.includes(`Films.cut ${film.id}`) && heard.includes(`Mails.send ${mail.id}`));
    const media = await boot({ ...place.shards.media, role: 'producer' });
    try {
      expect(await media.queue.handle(film.id).result()).toBe(3);
      await expect(media.queue.handle(mail.id).status()).rejects.toMatchObject({ code: 'TASK_NOT_FOUND' });
    } finally {
      await media.app.close();
    }
  });

  it('keep a workflow together with what looks after it', async () => {
    const uploads = group([films.upload.signature(1), films.upload.signature(2)]);
    const gathered = await uploads.enqueue();
    // A limited queue gathers its groups elsewhere: in the same shard.
    expect(gathered.id).toMatch(/^_workflows-media\./);
    expect(await gathered.result()).toEqual([2, 3]);
    expect(await booted.queue.handle(gathered.id).status()).toMatchObject({ state: 'succeeded' });
    const whole = await chain(
      films.cut.signature(1),
      group([films.cut.signature(1), films.cut.signature(2)]),
      films.cut.signature(),
    ).enqueue();
    expect(await whole.result()).toBe(5);
    expect(
      await chain(uploads, films.cut.signature())
        .enqueue()
        .then((each) => each.result()),
    ).toBe(5);
    const { heard } = booted.app.get(Listener);
    const before = heard.filter((line) => line.startsWith('Films.upload')).length;
    await films.fail.signature().onError(films.upload.signature(1).immutable()).enqueue();
    await until(() => heard.filter((line) => line.startsWith('Films.upload')).length > before);
  });

  it('fail a workflow whose member failed, also while the queue of its next step stands still', async () => {
    await admin.pause('limited');
    const whole = await chain(films.fail.signature(), films.upload.signature(1).immutable()).enqueue();
    await expect(whole.result()).rejects.toMatchObject({ cause: { message: 'no film' } });
    await admin.resume('limited');
  });

  it('refuse a workflow that spans two, and say how to go on', async () => {
    const cure =
      /spans two shards: .*"Films\.cut" \(queue "films"\) is in media.* Put both queues into the same shard/s;
    const spanning = [
      group([films.cut.signature(1), mails.count.signature(1)]),
      chain(films.cut.signature(1), mails.send.signature()),
      films.cut.signature(1).onSuccess(mails.send.signature()),
      chain(mails.count.signature(1), group([mails.count.signature(), films.cut.signature()])),
    ];
    for (const signature of spanning) {
      await expect(booted.queue.enqueue(signature as never)).rejects.toThrow(ConfigurationError);
      await expect(booted.queue.enqueue(signature as never)).rejects.toThrow(cure);
    }
    const replaced = await mails.becomeFilm.enqueue();
    await expect(replaced.result()).rejects.toMatchObject({ cause: { message: expect.stringMatching(cure) } });
    await expect(films.once.with({ queue: 'mail' }).enqueue()).rejects.toThrow(
      'with({ queue: "mail" }) is in the shard default, and the queue "films" of task "Films.once" in the shard media. A unique key stays within one shard.',
    );
    await (await films.once.with({ queue: 'limited' }).enqueue()).result();
  });

  it('are one store for administrators', async () => {
    const failures = [await films.fail.enqueue(), await mails.fail.enqueue()];
    for (const failure of failures) await failure.result().catch(() => undefined);
    const queues = await admin.queues();
    expect(queues.map(({ name, shard }) => [name, shard])).toEqual([
      ['films', 'media'],
      ['limited', 'media'],
      ['mail', 'default'],
    ]);
    expect(queues.map(({ workers }) => workers)).toEqual([1, 1, 1]);
    expect(await admin.workers()).toMatchObject([{ queues: ['films', 'mail', 'limited'].toSorted() }]);
    const ids: string[] = [];
    for (let cursor: string | null = null; ;) {
      const page = await admin.tasks({ state: 'failed' }, { limit: 1, cursor });
      ids.push(...page.items.map(({ id }) => id));
      cursor = page.cursor;
      if (cursor === null) break;
    }
    expect(ids).toEqual(expect.arrayContaining(failures.map(({ id }) => id)));
    expect(new Set(ids).size).toBe(ids.length);
    const { items } = await admin.errors();
    expect(items.map(({ message }) => message)).toEqual(expect.arrayContaining(['no film', 'no mail']));
    expect(await admin.shards()).toEqual([
      { name: 'default', reachable: true, error: null },
      { name: 'media', reachable: true, error: null },
    ]);
    const [hour] = (await admin.stats({ step: '1h' })).slice(-1);
    expect(hour?.failed).toBeGreaterThanOrEqual(2);
  });

  it('obey pauses and bulk acts wherever they are', async () => {
    await admin.pause('films', { by: 'ada', reason: 'The disk is full.' });
    const waiting = [await films.cut.enqueue(1), await mails.send.enqueue(1)];
    expect(await waiting[1]?.result()).toBe('sent to 1');
    expect(await waiting[0]?.status()).toMatchObject({ state: 'queued', blockedBy: 'paused' });
    await (await admin.cancelAll({ queue: 'films', state: 'queued' })).result();
    expect(await waiting[0]?.status()).toMatchObject({ state: 'cancelled' });
    await admin.resume('films');
    const failures = [await films.fail.enqueue(), await mails.fail.enqueue()];
    for (const failure of failures) await failure.result().catch(() => undefined);
    const { done } = await (await admin.forgetAll({ state: 'failed' })).result();
    expect(done).toBeGreaterThanOrEqual(2);
    for (const failure of failures) await expect(failure.status()).rejects.toMatchObject({ code: 'TASK_NOT_FOUND' });
  });

  it('have schedules', async () => {
    const { heard } = booted.app.get(Listener);
    const count = (name: string) => heard.filter((line) => line.startsWith(`${name}.tick `)).length;
    const before = [count('Films'), count('Mails')] as const;
    await until(() => count('Films') > before[0] && count('Mails') > before[1]);
    const schedules = booted.app.get(TaskSchedules);
    expect((await schedules.list()).map(({ id }) => id)).toEqual(['film', 'mail']);
  });
});
