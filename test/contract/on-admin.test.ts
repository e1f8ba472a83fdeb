import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { Inject, Injectable, Scope } from '@nestjs/common';
import { REQUEST } from '@nestjs/core';
import { OnAdmin, Task, TaskAdmin, type AdminAct } from 'nestjs-task-queue';
import { boot, type Booted } from '../support/boot.js';
import { describeEachEngine } from '../support/engines.js';
import { Recorder } from '../support/recorder.js';

let acts: Recorder<AdminAct>;
let scoped: Recorder<AdminAct>;

@Injectable()
class Mail {
  @Task({ queue: 'mail' })
  send(): void {}
}

@Injectable()
class Audit {
  private readonly recorder = () => acts;

  @OnAdmin()
  note(act: AdminAct): void {
    this.recorder().record(act);
  }

  @OnAdmin()
  throws(): never {
    throw new Error('The audit log is full.');
  }

  @OnAdmin()
  hangs(): Promise<void> {
    return new Promise(() => undefined);
  }
}

@Injectable({ scope: Scope.REQUEST })
class ScopedAudit {
  constructor(@Inject(REQUEST) private readonly act: AdminAct) {}

  @OnAdmin()
  note(act: AdminAct): void {
    if (act === this.act) scoped.record(act);
  }
}

describeEachEngine('@OnAdmin()', (engine) => {
  let booted: Booted;
  let admin: TaskAdmin;

  beforeAll(async () => {
    booted = await boot(await engine.place(), [Mail, Audit, ScopedAudit]);
    admin = booted.app.get(TaskAdmin);
  });
  beforeEach(() => {
    [acts, scoped] = [new Recorder(), new Recorder()];
  });
  afterAll(() => booted.app.close());

  it('gets every act: who, what, on what, why, and the result or the error', async () => {
    const by = { by: 'ada', reason: 'Why not.' };
    await admin.pause('mail', by);
    await admin.setGlobalConcurrency('mail', 2, by);
    await admin.setRateLimit('mail', { max: 1, per: '1s' });
    await admin.setRateLimit('mail', null);
    await admin.setGlobalConcurrency('mail', null);
    await admin.resume('mail');
    const { id } = await booted.queue.of(Mail).send.with({ delay: '1h' }).enqueue();
    await admin.update(id, { delay: '2h' });
    await admin.cancel(id, by);
    await expect(admin.promote(id)).rejects.toThrow('is not promoted');
    const bulk = await admin.forgetAll({ queue: 'mail' }, by);
    await bulk.result();
    await expect(admin.shutdown('nobody')).rejects.toThrow('nobody');
    await expect(admin.pause('no name', by)).rejects.toThrow('is no queue name');
    await acts.until(({ length }) => length === 12);
    const at = expect.stringMatching(/^\d{4}-.*Z$/) as unknown as string;
    expect(acts.entries).toEqual([
      { act: 'pause', queue: 'mail', ...by, at, result: null },
      { act: 'setGlobalConcurrency', queue: 'mail', value: 2, ...by, at, result: null },
      expect.objectContaining({ act: 'setRateLimit', value: { max: 1, per: '1s' }, by: 'unknown', reason: null }),
      expect.objectContaining({ act: 'setRateLimit', value: null }),
      expect.objectContaining({ act: 'setGlobalConcurrency', value: null }),
      expect.objectContaining({ act: 'resume', queue: 'mail' }),
      expect.objectContaining({ act: 'update', id, value: { delay: '2h' } }),
      expect.objectContaining({ act: 'cancel', id, ...by, result: expect.objectContaining({ state: 'cancelled' }) }),
      expect.objectContaining({ act: 'promote', id, error: expect.objectContaining({ code: 'ACT_REFUSED' }) }),
      expect.objectContaining({ act: 'forgetAll', filter: { queue: 'mail' }, result: { id: bulk.id } }),
      expect.objectContaining({ act: 'shutdown', worker: 'nobody' }),
      expect.objectContaining({
        act: 'pause',
        queue: 'no name',
        error: expect.objectContaining({ name: 'InvalidArgumentsError' }),
      }),
    ]);
    await scoped.until(({ length }) => length === 12);
  });
});

it('@OnAdmin() refuses a static method', () => {
  const declare = () => {
    class Wrong {
      @OnAdmin()
      static note(): void {}
    }
    return Wrong;
  };
  expect(declare).toThrow(/decorates Wrong\.note, which is static/);
});
