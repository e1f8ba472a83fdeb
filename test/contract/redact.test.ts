import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Task, TaskContext, TaskSchedules, type TaskHandle } from 'nestjs-task-queue';
import { commandsOn } from '../support/command-line.js';
import { startDashboard, type StartedDashboard } from '../support/dashboard-app.js';
import { describeEachEngine, type Place } from '../support/engines.js';
import { Gate } from '../support/gate.js';
import { until } from '../support/until.js';

/** What only `redact` hides, because its name says nothing. */
const ADDRESS = 'ann@example.com';
/** What is hidden by its name. */
const SECRET = 'hush-hush';

@Injectable()
class Mails {
  static gate = new Gate();

  constructor(private readonly task: TaskContext) {}

  @Task()
  async send(mail: { to: { email: string }[]; userPassword: string }): Promise<object> {
    await this.task.progress({ current: 1, total: 2, message: `to ${mail.to[0]?.email}` });
    await this.task.log(`password=${mail.userPassword}`);
    return { sent: mail.to, ACCESS_TOKEN: mail.userPassword };
  }

  @Task()
  async reports(mail: { email: string }): Promise<void> {
    await this.task.progress({ email: mail.email, apiKey: SECRET });
    await Mails.gate.opened;
  }

  @Task()
  async fail(mail: { email: string; secret: string }): Promise<void> {
    throw Object.assign(new Error(`refused with token=${mail.secret}`), { cause: new Error(`secret: ${mail.secret}`) });
  }
}

type Answer = 'hides' | 'throws' | 'promises' | 'rejects' | 'nonsense' | 'changes';
const answers: Readonly<Record<Answer, (value: unknown) => unknown>> = {
  hides: () => undefined,
  throws: () => {
    throw new Error('a mistake in redact');
  },
  promises: async () => 'later',
  rejects: async () => {
    throw new Error('a mistake in redact');
  },
  nonsense: () => () => 'no JSON',
  changes: (value) => `${String(value).slice(0, 1)}…`,
};
let answer: Answer = 'hides';

/** Hides every address, and the whole message of a progress report. */
function redact(path: string, value: unknown): unknown {
  // A function that changes what it gets changes nothing but what is shown.
  if (answer === 'changes' && path === 'progress') Object.assign(value as object, { added: true });
  return path.endsWith('.email') || path === 'progress.message' ? answers[answer](value) : value;
}

describeEachEngine('what the option redact hides', (engine) => {
  let place: Place;
  let started: StartedDashboard;

  beforeAll(async () => {
    place = await engine.place();
    started = await startDashboard('express', { options: { redact }, tasks: [Mails], queue: place });
  });
  afterAll(() => started?.close());

  const read = async (path: string): Promise<string> => {
    const response = await fetch(`${started.url}/admin/tasks/api/${path}`);
    const text = await response.text();
    expect([path, response.status]).toEqual([path, 200]);
    return text;
  };
  const mail = { to: [{ email: ADDRESS }, { email: ADDRESS }], userPassword: SECRET };
  async function sent(): Promise<TaskHandle> {
    const handle = await started.queue
      .of(Mails)
      .send.with({ headers: { email: ADDRESS, 'x-api-key': SECRET } })
      .enqueue(mail);
    await handle.result({ timeout: '15s' });
    return handle;
  }
  /** Equal requests within a second share one read, so each case has a task of its own. */
  const viewsOf = async ({ id }: TaskHandle) =>
    Promise.all([
      read(`task/${id}`),
      read(`tasks?name=Mails.send&limit=1`),
      ...['args', 'result', 'progress', 'headers'].map((part) => read(`value/${id}?in=${part}`)),
      read(`logs/${id}`),
    ]);

  it.each(['hides', 'throws', 'promises', 'rejects', 'nonsense'] as const)(
    'is masked in every view when redact %s for it, and secrets are masked anyway',
    async (how) => {
      answer = how;
      const handle = await sent();
      const views = (await viewsOf(handle)).join('\n');
      expect(views).not.toContain(ADDRESS);
      expect(views).not.toContain(SECRET);
      const task = JSON.parse(await read(`task/${handle.id}`)) as Record<string, { masked: string[] }>;
      expect(task).toMatchObject({
        args: { masked: ['/0/to/0/email', '/0/to/1/email', '/0/userPassword'] },
        headers: { masked: expect.arrayContaining(['/email', '/x-api-key']) as never },
        result: { masked: ['/sent/0/email', '/sent/1/email', '/ACCESS_TOKEN'] },
        progress: { current: 1, total: 2, message: '[masked]' },
      });
      // What is stored stays as it is.
      expect((await started.admin.task(handle.id)).args).toEqual([mail]);
    },
  );

  it('is what redact returns in its place', async () => {
    answer = 'changes';
    const handle = await sent();
    const views = (await viewsOf(handle)).join('\n');
    expect(views).not.toContain(ADDRESS);
    expect(JSON.parse(await read(`value/${handle.id}?in=args&at=/0/to/1/email`))).toEqual({ value: 'a…' });
  });

  it('is hidden in a progress report, and the application itself gets the report as it is', async () => {
    answer = 'changes';
    Mails.gate = new Gate();
    const handle = await started.queue.of(Mails).reports.enqueue({ email: ADDRESS });
    const reports: unknown[] = [];
    const updates = (async () => {
      for await (const { progress } of handle.updates()) reports.push(progress);
    })();
    const events = await fetch(`${started.url}/admin/tasks/api/events?watch=${handle.id}`);
    expect(events.status).toBe(200);
    await until(async () => (await handle.status()).progress !== null, 'there is a report');
    const view = await read(`task/${handle.id}`);
    expect(JSON.parse(view)).toMatchObject({ report: { value: { email: 'a…', apiKey: '[masked]' } } });
    expect(view).not.toContain(ADDRESS);
    Mails.gate.open();
    await updates;
    expect(reports.filter((report) => report !== null)).toContainEqual({ email: ADDRESS, apiKey: SECRET });
    expect(JSON.stringify(reports)).not.toContain('added');
    await events.body?.cancel();
  });

  it('is hidden in the arguments of schedules', async () => {
    answer = 'hides';
    const schedules = started.app.get(TaskSchedules);
    await schedules.upsert('daily', { task: 'Mails.send', every: '24h', args: [mail] });
    const text = await read('schedules');
    expect(text).toContain('/0/to/0/email');
    expect(text).not.toContain(ADDRESS);
    expect(text).not.toContain(SECRET);
    await schedules.remove('daily');
  });

  it('cannot be searched for', async () => {
    const response = await fetch(`${started.url}/admin/tasks/api/tasks?args=ann`);
    expect([response.status, await response.text()]).toEqual([400, expect.stringContaining('redact')]);
  });

  it('is not in messages of errors: secrets are masked there by their names', async () => {
    answer = 'hides';
    const handle = await started.queue.of(Mails).fail.enqueue({ email: ADDRESS, secret: SECRET });
    await handle.result({ timeout: '15s' }).catch(() => undefined);
    const views = [await read(`task/${handle.id}`), await read('tasks?state=failed'), await read('errors')];
    for (const view of views) {
      expect(view).toContain('refused with token=[masked]');
      expect(view).not.toContain(SECRET);
      expect(view).not.toContain(ADDRESS);
    }
  });

  if (engine.name !== 'memory') {
    it('is nothing that the command line knows of: it masks by names, unless --reveal is given', async () => {
      const handle = await sent();
      const failed = await started.queue.of(Mails).fail.enqueue({ email: ADDRESS, secret: SECRET });
      await failed.result({ timeout: '15s' }).catch(() => undefined);
      const cli = commandsOn(place);
      for (const command of [
        `show ${handle.id}`,
        `show ${handle.id} --json`,
        `logs ${handle.id}`,
        `show ${failed.id}`,
        'list --state failed',
        'errors',
      ]) {
        const { code, out, err } = await cli(command);
        expect([command, code, err]).toEqual([command, 0, '']);
        expect([command, out.includes(SECRET)]).toEqual([command, false]);
      }
      expect((await cli(`show ${handle.id}`)).out).toContain(ADDRESS);
      for (const command of [`show ${handle.id} --reveal`, `logs ${handle.id} --reveal`, `show ${failed.id} --reveal`])
        expect([command, (await cli(command)).out.includes(SECRET)]).toEqual([command, true]);
    });
  }
});
