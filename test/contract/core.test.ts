import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Task, TaskContext, TaskNotFoundError, type TaskStatus, type Tasks } from 'nestjs-task-queue';
import { boot, type Booted } from '../support/boot.js';
import { describeEachEngine, type Place } from '../support/engines.js';
import { Gate } from '../support/gate.js';

@Injectable()
class Reports {
  gate = new Gate();

  constructor(private readonly task: TaskContext) {}

  @Task()
  async build(month: string): Promise<{ url: string }> {
    for (let page = 1; page <= 4; page++) await this.task.progress(page, 4, 'rendering');
    return { url: `/reports/${month}.pdf` };
  }

  @Task()
  async held(): Promise<string> {
    await this.task.progress({ at: 'the gate' });
    await this.gate.opened;
    return 'through';
  }

  @Task()
  async fail(thrown: 'error' | 'string' | 'undefined' | 'frozen'): Promise<void> {
    if (thrown === 'string') throw 'just text';
    if (thrown === 'undefined') throw undefined;
    if (thrown === 'frozen') throw Object.freeze(new Error('cold'));
    throw Object.assign(new TypeError('no paper'), { code: 'E_PAPER' });
  }

  @Task()
  returns(what: 'undefined' | 'date' | 'map' | 'large' | 'null'): unknown {
    switch (what) {
      case 'date':
        return { when: new Date(0) };
      case 'map':
        return { deep: [new Map()] };
      case 'large':
        return 'x'.repeat(2_000);
      case 'null':
        return null;
      default:
        return undefined;
    }
  }

  @Task()
  async describe(): Promise<object> {
    const { id, name, queue, attempt, maxAttempts, enqueuedAt, headers, deadline } = this.task;
    await this.task.log('described');
    return {
      id,
      name,
      queue,
      attempt,
      maxAttempts,
      enqueuedAt,
      headers,
      deadline: deadline ?? null,
      aborted: this.task.signal.aborted,
    };
  }
}

describeEachEngine('tasks and handles', (engine) => {
  let place: Place;
  let booted: Booted;
  let reports: Tasks<Reports>;

  beforeAll(async () => {
    place = await engine.place();
    booted = await boot({ ...place, maxPayload: 1_000 }, [Reports]);
    reports = booted.queue.of(Reports);
  });
  afterAll(() => booted.app.close());

  it('a task runs, and its handle returns the result and the status', async () => {
    const handle = await reports.build.enqueue('2026-11');
    expect(handle).toMatchObject({ name: 'Reports.build', deduplicated: false, initialState: 'queued' });
    await expect(handle.result({ timeout: '10s' })).resolves.toEqual({ url: '/reports/2026-11.pdf' });
    const status = await handle.status();
    expect(status).toEqual({
      id: handle.id,
      name: 'Reports.build',
      queue: 'default',
      state: 'succeeded',
      progress: { current: 4, total: 4, message: 'rendering' },
      result: { url: '/reports/2026-11.pdf' },
      error: null,
      attempt: 1,
      maxAttempts: 1,
      enqueuedAt: expect.stringMatching(/^\d{4}-.*Z$/),
      startedAt: expect.stringMatching(/^\d{4}-.*Z$/),
      finishedAt: expect.stringMatching(/^\d{4}-.*Z$/),
      expiresAt: expect.stringMatching(/^\d{4}-.*Z$/),
      blockedBy: null,
      position: null,
      estimatedStart: null,
    });
    expect(Date.parse(status.expiresAt as string) - Date.parse(status.finishedAt as string)).toBe(24 * 60 * 60 * 1000);
  });

  it('updates() yields every change and ends with the final status', async () => {
    const { gate } = booted.app.get(Reports);
    const handle = await reports.held.enqueue();
    const seen: TaskStatus<string>[] = [];
    for await (const status of handle.updates()) {
      seen.push(status);
      if (status.state === 'running' && status.progress) gate.open();
    }
    expect(seen.map(({ state }) => state).filter((state, index, all) => state !== all[index - 1])).toEqual(
      seen[0]?.state === 'queued' ? ['queued', 'running', 'succeeded'] : ['running', 'succeeded'],
    );
    expect(seen.at(-1)).toMatchObject({ result: 'through', progress: { at: 'the gate' } });
  });

  it.each([
    ['error', { name: 'TypeError', message: 'no paper', code: 'E_PAPER' }],
    ['string', { name: 'Error', message: 'just text' }],
    ['undefined', { name: 'Error', message: 'undefined was thrown' }],
    ['frozen', { name: 'Error', message: 'cold' }],
  ] as const)('a failed task keeps what its method threw: %s', async (thrown, error) => {
    const handle = await reports.fail.enqueue(thrown);
    await expect(handle.result({ timeout: '10s' })).rejects.toMatchObject({
      name: 'TaskFailedError',
      code: 'TASK_FAILED',
      message: expect.stringContaining(error.message) as unknown,
      cause: error,
    });
    await expect(handle.status()).resolves.toMatchObject({ state: 'failed', error, attempt: 1, result: null });
  });

  it('a result comes back as JSON, and fails the task when it has no JSON form or is too large', async () => {
    const result = async (what: Parameters<Reports['returns']>[0]) =>
      (await reports.returns.enqueue(what)).result({ timeout: '10s' });
    await expect(result('undefined')).resolves.toBeNull();
    await expect(result('null')).resolves.toBeNull();
    await expect(result('date')).resolves.toEqual({ when: '1970-01-01T00:00:00.000Z' });
    await expect(result('map')).rejects.toMatchObject({
      cause: { code: 'NOT_SERIALIZABLE', message: expect.stringMatching(/^result\.deep\[0\].*Map/) as unknown },
    });
    await expect(result('large')).rejects.toMatchObject({ cause: { code: 'PAYLOAD_TOO_LARGE' } });
  });

  it('TaskContext describes the running task', async () => {
    const handle = await reports.describe.with({ headers: { tenant: 'acme' }, retries: 2, timeout: '1m' }).enqueue();
    await expect(handle.result({ timeout: '10s' })).resolves.toEqual({
      id: handle.id,
      name: 'Reports.describe',
      queue: 'default',
      attempt: 1,
      maxAttempts: 3,
      enqueuedAt: (await handle.status()).enqueuedAt,
      headers: { tenant: 'acme' },
      deadline: expect.stringMatching(/Z$/),
      aborted: false,
    });
  });

  it('handle(id) makes a handle from an id', async () => {
    const { id } = await reports.build.enqueue('2026-12');
    await expect(booted.queue.handle(id).result({ timeout: '10s' })).resolves.toEqual({ url: '/reports/2026-12.pdf' });
  });

  it.each([
    ['of no task', 'default.AAAAAAAAAAAAAAAAAAAAAA'],
    ['of an unknown queue', 'elsewhere.AAAAAAAAAAAAAAAAAAAAAA'],
    ['that is empty', ''],
    ['of a BullMQ job', '17'],
    ['that is a path', '../../etc/passwd'],
    ['that is a key', 'default.AAAAAAAAAAAAAAAAAAAAAA:lock'],
    ['in Unicode', 'default.ÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄ'],
    ['of 10 kB', 'x'.repeat(10_000)],
    ['that is NUL', '\u0000'],
  ])('a handle finds no task for an id %s', async (_which, id) => {
    const handle = booted.queue.handle(id);
    await expect(handle.status()).rejects.toBeInstanceOf(TaskNotFoundError);
    await expect(handle.result({ timeout: '10s' })).rejects.toBeInstanceOf(TaskNotFoundError);
    await expect(handle.cancel()).rejects.toBeInstanceOf(TaskNotFoundError);
    await expect(handle.forget()).resolves.toBe(false);
  });

  it('a caller stops waiting after its timeout or by its signal, and the task goes on', async () => {
    const reportsProvider = booted.app.get(Reports);
    reportsProvider.gate = new Gate();
    const handle = await reports.held.enqueue();
    await expect(handle.result({ timeout: 20 })).rejects.toMatchObject({ code: 'RESULT_TIMEOUT' });
    await expect(handle.result({ signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow('enough');
    reportsProvider.gate.open();
    await expect(handle.result({ timeout: '10s' })).resolves.toBe('through');
  });

  it('200 callers that wait for one task all get its result', async () => {
    const reportsProvider = booted.app.get(Reports);
    reportsProvider.gate = new Gate();
    const handle = await reports.held.enqueue();
    const waiting = Array.from({ length: 200 }, () => booted.queue.handle(handle.id).result({ timeout: '10s' }));
    for await (const { state } of handle.updates()) if (state === 'running') break;
    reportsProvider.gate.open();
    await expect(Promise.all(waiting)).resolves.toEqual(Array(200).fill('through'));
  });

  it('forget() removes a final task, and no other task', async () => {
    const reportsProvider = booted.app.get(Reports);
    reportsProvider.gate = new Gate();
    const handle = await reports.held.enqueue();
    await expect(handle.forget()).resolves.toBe(false);
    reportsProvider.gate.open();
    await handle.result({ timeout: '10s' });
    await expect(handle.forget()).resolves.toBe(true);
    await expect(handle.status()).rejects.toBeInstanceOf(TaskNotFoundError);
  });

  if (engine.name !== 'embedded') {
    it('a producer process reads the results of a worker process, and none of another prefix', async () => {
      const web = await boot({ ...place, role: 'producer' });
      const stranger = await boot({ ...place, prefix: `${place.prefix}_other`, role: 'producer' });
      try {
        const handle = await web.queue.of<Reports['build']>('Reports.build').enqueue('2027-01');
        await expect(handle.result({ timeout: '10s' })).resolves.toEqual({ url: '/reports/2027-01.pdf' });
        await expect(stranger.queue.handle(handle.id).status()).rejects.toBeInstanceOf(TaskNotFoundError);
      } finally {
        await web.app.close();
        await stranger.app.close();
      }
    });
  }
});
