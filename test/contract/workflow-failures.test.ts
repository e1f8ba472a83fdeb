import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import {
  chain,
  chord,
  group,
  OnTask,
  Task,
  TaskAdmin,
  TaskProcessor,
  type Signature,
  type TaskError,
  type TaskEvent,
  type Tasks,
} from 'nestjs-task-queue';
import { boot, type Booted } from '../support/boot.js';
import { describeEachEngine } from '../support/engines.js';
import { Gate } from '../support/gate.js';
import { Recorder } from '../support/recorder.js';

@TaskProcessor('bank')
class Bank {
  gate = new Gate();
  isBroke = true;

  @Task()
  async charge(): Promise<number> {
    if (this.isBroke) throw new Error('card declined');
    return 1;
  }

  @Task()
  async held(value: number): Promise<number> {
    await this.gate.opened;
    return value;
  }
}

/** The queue is paused during each test. */
@TaskProcessor('mail')
class Mail {
  readonly sent: unknown[] = [];

  @Task()
  async send(value: unknown): Promise<unknown> {
    this.sent.push(value);
    return value;
  }
}

@TaskProcessor('alerts')
class Alerts {
  readonly errors = new Recorder<TaskError>();
  readonly failed = new Recorder<TaskEvent>();

  @Task()
  async alert(error: TaskError): Promise<void> {
    this.errors.record(error);
  }

  @OnTask('failed', { queue: 'mail' })
  onFailed(event: TaskEvent): void {
    this.failed.record(event);
  }
}

/** An application that only enqueues: nobody takes tasks of its own processor. */
@TaskProcessor('nowhere')
class Nowhere {
  @Task()
  async work(value: unknown): Promise<unknown> {
    return value;
  }
}

describeEachEngine('a workflow whose member fails while its queue stands still', (engine) => {
  let booted: Booted;
  let admin: TaskAdmin;
  let bank: Tasks<Bank>;
  let mail: Tasks<Mail>;
  let alerts: Tasks<Alerts>;
  let nowhere: Tasks<Nowhere>;
  let providers: { bank: Bank; mail: Mail; alerts: Alerts };

  beforeAll(async () => {
    const options = { ...(await engine.place()), consume: ['bank', 'mail', 'alerts'] };
    booted = await boot(options, [Bank, Mail, Alerts, Nowhere]);
    const { app, queue } = booted;
    admin = app.get(TaskAdmin);
    [bank, mail, alerts, nowhere] = [queue.of(Bank), queue.of(Mail), queue.of(Alerts), queue.of(Nowhere)];
    providers = { bank: app.get(Bank), mail: app.get(Mail), alerts: app.get(Alerts) };
  });
  beforeEach(async () => {
    providers.bank.gate = new Gate();
    providers.bank.isBroke = true;
    providers.mail.sent.length = 0;
    providers.alerts.errors.entries.length = 0;
    providers.alerts.failed.entries.length = 0;
    await admin.pause('mail');
  });
  afterAll(() => booted.app.close());

  it.each<[what: string, whole: () => Signature]>([
    ['the next step of a chain', () => chain(bank.charge.signature(), mail.send.signature())],
    ['a step far behind', () => chain(bank.charge.signature(), mail.send.signature(), mail.send.signature())],
    ['the callback of a chord', () => chord([bank.charge.signature(), mail.send.signature(1)], mail.send.signature())],
    ['a group that gathers there', () => group([mail.send.signature(1), bank.charge.signature()])],
    ['a group in a chain', () => chain(bank.charge.signature(), group([mail.send.signature()]), mail.send.signature())],
    ['a step without a worker', () => chain(bank.charge.signature(), nowhere.work.signature())],
    ['a map of items', () => chain(bank.charge.signature(), mail.send.map([1, 2]))],
  ])('fails at once: %s', async (_, whole) => {
    const handle = await whole().onError(alerts.alert.signature()).enqueue();
    await expect(handle.result({ timeout: '15s' })).rejects.toMatchObject({ cause: { message: 'card declined' } });
    const status = await handle.status();
    expect(status).toMatchObject({ state: 'failed', error: { code: 'WORKFLOW_FAILED' } });
    expect(status.finishedAt).not.toBeNull();
    await providers.alerts.errors.until(({ length }) => length === 1);
    expect(providers.alerts.errors.entries).toMatchObject([{ id: handle.id, code: 'WORKFLOW_FAILED' }]);
  });

  it('is told once, also after a worker has cleared it away', async () => {
    const whole = chain(bank.charge.signature(), mail.send.signature()).onError(alerts.alert.signature());
    const handle = await whole.enqueue();
    await handle.result({ timeout: '15s' }).catch(() => undefined);
    await providers.alerts.errors.until(({ length }) => length === 1);
    await providers.alerts.failed.until(({ length }) => length === 1);
    const before = await handle.status();
    await admin.resume('mail');
    // The worker takes the tasks of the queue in their order.
    await (await mail.send.enqueue('behind')).result({ timeout: '15s' });
    const other = await chain(bank.charge.signature(), mail.send.signature())
      .onError(alerts.alert.signature())
      .enqueue();
    await other.result({ timeout: '15s' }).catch(() => undefined);
    await providers.alerts.errors.until((errors) => errors.some(({ id }) => id === other.id));
    await providers.alerts.failed.until((events) => events.some(({ id }) => id === other.id));
    expect(providers.alerts.errors.entries.map(({ id }) => id)).toEqual([handle.id, other.id]);
    expect(providers.alerts.failed.entries.map(({ id }) => id)).toEqual([handle.id, other.id]);
    expect(await handle.status()).toEqual(before);
    expect(providers.mail.sent).toEqual(['behind']);
  });

  it('runs again after retry(), and its callbacks after another failure', async () => {
    const whole = chain(bank.charge.signature(), mail.send.signature()).onError(alerts.alert.signature());
    const handle = await whole.enqueue();
    await handle.result({ timeout: '15s' }).catch(() => undefined);
    await providers.alerts.errors.until(({ length }) => length === 1);
    await handle.retry();
    await providers.alerts.errors.until(({ length }) => length === 2);
    await expect(handle.result({ timeout: '15s' })).rejects.toMatchObject({ code: 'WORKFLOW_FAILED' });
    providers.bank.isBroke = false;
    await handle.retry();
    await admin.resume('mail');
    await expect(handle.result({ timeout: '15s' })).resolves.toBe(1);
    expect(providers.alerts.errors.entries).toHaveLength(2);
  });

  it('fails at once when a caller cancels a member that waits there', async () => {
    const members = [mail.send.signature(1), mail.send.with({ delay: '1h' }).signature(2)];
    const handle = await group(members).onError(alerts.alert.signature()).enqueue();
    const [, second] = await handle.children();
    await second!.cancel();
    await expect(handle.result({ timeout: '15s' })).rejects.toMatchObject({ code: 'WORKFLOW_FAILED' });
    await providers.alerts.errors.until(({ length }) => length === 1);
  });

  it('goes on when the group collects failures', async () => {
    const whole = group([bank.charge.signature(), bank.held.signature(1)], { onFailure: 'collect' });
    const handle = await whole.enqueue();
    const [first] = await handle.children();
    await first!.result({ timeout: '15s' }).catch(() => undefined);
    providers.bank.gate.open();
    await expect(handle.result({ timeout: '15s' })).resolves.toMatchObject([{ ok: false }, { ok: true, value: 1 }]);
  });

  const soon = { expires: 100 } as const;

  it.each<[what: string, whole: () => Signature]>([
    ['a member of a group', () => group([nowhere.work.with(soon).signature(1), mail.send.signature(2)])],
    ['a member in a paused queue', () => group([mail.send.with(soon).signature(1)])],
    ['a member of a member', () => chord([group([nowhere.work.with(soon).signature(1)])], mail.send.signature())],
    ['the first step', () => chain(nowhere.work.with(soon).signature(1), mail.send.signature())],
    ['a later step', () => chain(bank.charge.signature(), nowhere.work.with(soon).signature(), mail.send.signature())],
    [
      'a member of a later group',
      () =>
        chain(
          bank.charge.signature(),
          group([bank.charge.signature().immutable(), nowhere.work.with(soon).signature()]),
        ),
    ],
  ])('fails when a task expires there: %s', async (_, whole) => {
    providers.bank.isBroke = false;
    const handle = await whole().onError(alerts.alert.signature()).enqueue();
    await expect(handle.result({ timeout: '15s' })).rejects.toMatchObject({ cause: { code: 'TASK_EXPIRED' } });
    await providers.alerts.errors.until(({ length }) => length === 1);
    expect(providers.alerts.errors.entries).toMatchObject([{ id: handle.id, code: 'WORKFLOW_FAILED' }]);
  });

  it.each<[what: string, signature: () => Signature]>([
    ['a single task', () => nowhere.work.with(soon).signature(1).onError(alerts.alert.signature())],
    [
      'the last step of a chain',
      () => chain(bank.charge.signature(), nowhere.work.with(soon).signature()).onError(alerts.alert.signature()),
    ],
    [
      'a member of a group that collects failures',
      () => group([nowhere.work.with(soon).signature(1).onError(alerts.alert.signature())], { onFailure: 'collect' }),
    ],
    [
      'a task of a callback',
      () => bank.charge.signature().onSuccess(nowhere.work.with(soon).signature().onError(alerts.alert.signature())),
    ],
  ])('runs the onError of %s that expires there', async (_, signature) => {
    providers.bank.isBroke = false;
    await signature().enqueue();
    await providers.alerts.errors.until(({ length }) => length === 1);
    expect(providers.alerts.errors.entries).toMatchObject([{ code: 'TASK_EXPIRED', task: 'Nowhere.work' }]);
  });
});
