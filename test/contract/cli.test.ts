import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { chain, TaskContext, Task, TaskProcessor } from 'nestjs-task-queue';
import { randomUUID } from 'node:crypto';
import { boot, Gate, type Booted } from '../support/boot.js';
import { commandsOn, stable } from '../support/command-line.js';
import { describeEachDatabase } from '../support/engines.js';
import { until } from '../support/until.js';

let gate: Gate;

@Injectable()
@TaskProcessor({ queue: 'reports' })
class ReportTasks {
  constructor(private readonly task: TaskContext) {}

  @Task()
  build(month: string): string {
    return `${month}.pdf`;
  }

  @Task()
  fail(reason: unknown): void {
    throw new TypeError(typeof reason === 'string' ? reason : 'no text');
  }

  @Task()
  async write(): Promise<void> {
    await this.task.log('begins with token=abc');
    await this.task.log('slow \u001B[1K', 'warn');
    await gate.opened;
    await this.task.log('ends');
  }

  @Task()
  wait(): Promise<void> {
    return new Promise((_, reject) =>
      this.task.signal.addEventListener('abort', () => reject(this.task.signal.reason)),
    );
  }
}

describeEachDatabase('the command line', (engine) => {
  let booted: Booted;
  let cli: ReturnType<typeof commandsOn>;
  beforeAll(async () => {
    const place = await engine.place();
    cli = commandsOn(place);
    booted = await boot({ ...place, http: false, application: 'shop', queues: { ranked: { priorities: true } } }, [
      ReportTasks,
    ]);
  });
  afterAll(() => booted.app.close());

  const enqueue = (method: string, ...args: unknown[]) =>
    booted.queue
      .of(`ReportTasks.${method}`)
      .with({ queue: 'reports' })
      .enqueue(...args);
  const failed = async (reason: string) => {
    const handle = await enqueue('fail', reason);
    await handle.result().catch(() => undefined);
    return handle.id;
  };

  test('enqueue --wait shows the result of the task', async () => {
    const { code, out } = await cli(`enqueue ReportTasks.build --args '["2026-11"]' --wait`);
    expect(stable(out)).toBe('Task ReportTasks.build (reports.<id>) is queued.\nIt is succeeded: "2026-11.pdf"\n');
    expect(code).toBe(0);
  });

  test('enqueue --wait has exit code 1 when the task failed', async () => {
    const { code, out } = await cli(`enqueue ReportTasks.fail --queue reports --args '["no paper"]' --wait`);
    expect(out).toContain('It failed: TypeError: no paper\n');
    expect(code).toBe(1);
  });

  test('enqueue --json prints the call, --delay schedules it', async () => {
    const { out } = await cli(`enqueue ReportTasks.build --queue reports --args '["2026-12"]' --delay 1h --json`);
    const call = JSON.parse(out) as { id: string };
    expect(call).toMatchObject({ name: 'ReportTasks.build', state: 'scheduled', deduplicated: false });
    const cancelled = await cli(`cancel ${call.id}`);
    expect(cancelled).toMatchObject({ code: 0, out: `Task ReportTasks.build (${call.id}) is cancelled.\n` });
  });

  test('a task that no live worker declares is not stored, unless its queue is given', async () => {
    const { code, out, err } = await cli('enqueue ReportTasks.biuld');
    expect(err).toBe(
      'No live worker declares the task "ReportTasks.biuld". Live workers declare ReportTasks.build, ReportTasks.fail, ' +
        'ReportTasks.wait, ReportTasks.write. To store it nevertheless, give its queue.\n',
    );
    expect({ code, out }).toEqual({ code: 2, out: '' });
    const { out: json } = await cli('enqueue ReportTasks.later --queue reports --delay 1h --json');
    expect(await cli(`cancel ${(JSON.parse(json) as { id: string }).id}`)).toMatchObject({ code: 0 });
  });

  test('workers shows the process', async () => {
    const { code, out } = await cli('workers');
    expect(code).toBe(0);
    expect(stable(out).split('\n')[1]).toMatch(
      /^<uuid> +alive +\S+ +\d+ +shop +\S+ +<age> +<age> ago +.*reports \(10\)/,
    );
    const { out: json } = await cli('workers --json');
    expect(JSON.parse(json)).toMatchObject([{ state: 'alive', application: 'shop', pid: process.pid }]);
  });

  test('status shows the queues, and what is wrong', async () => {
    await booted.queue.of('Nobody.runs').with({ queue: 'orphans' }).enqueue();
    const { code, out } = await cli('status');
    expect(code).toBe(0);
    expect(stable(out)).toMatch(/^orphans +no worker +1 /m);
    expect(out).toContain('✗ Queue orphans has 1 task, and no worker takes from it.\n  → Start the application');
    const { out: json } = await cli('status --json');
    expect(JSON.parse(json)).toMatchObject({
      queues: expect.arrayContaining([expect.objectContaining({ name: 'orphans', workers: 0 })]),
      workers: [{ state: 'alive' }],
      problems: [{ check: 'workers', level: 'fail' }],
    });
    const [task] = (JSON.parse((await cli('list --queue orphans --json')).out) as { items: { id: string }[] }).items;
    await cli(`cancel ${task?.id}`);
  });

  test('status --watch shows it again and again, until Ctrl-C', async () => {
    const controller = new AbortController();
    let shown = 0;
    const onOutput = () => void (++shown === 3 && controller.abort());
    const { code, out } = await cli('status --watch --interval 100ms --json', {
      interrupt: controller.signal,
      onOutput,
    });
    expect(code).toBe(0);
    const reports = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as object);
    expect(reports).toHaveLength(3);
  });

  test('doctor finds nothing wrong with the store of the tests', async () => {
    const { code, out } = await cli('doctor --json');
    const findings = JSON.parse(out) as { check: string; level: string }[];
    const checks = findings.map(({ check }) => check);
    expect(checks).toEqual(
      expect.arrayContaining(['engine', 'versions', 'persistence', 'clock', 'workers', 'schedules']),
    );
    // The disk of the machine may be full.
    expect(findings.filter(({ check, level }) => level === 'fail' && check !== 'disk' && check !== 'workers')).toEqual(
      [],
    );
    expect([0, 1]).toContain(code);
  });

  test('logs shows the lines of a task, --follow until its end', async () => {
    gate = new Gate();
    const handle = await enqueue('write');
    await until(async () => (await handle.status()).state === 'running', 'the task runs');
    const following = cli(`logs ${handle.id} --follow`);
    gate.open();
    const { code, out } = await following;
    expect(stable(out)).toBe('<time> log   begins with token=[masked]\n<time> warn  slow  [1K\n<time> log   ends\n');
    expect(code).toBe(0);
    const { out: json } = await cli(`logs ${handle.id} --limit 1 --json`);
    expect(JSON.parse(json)).toMatchObject([{ index: 3, level: 'log', text: 'ends' }]);
    expect((await cli(`logs ${handle.id} --reveal`)).out).toContain('token=abc');
  });

  test('Ctrl-C ends --follow with exit code 0', async () => {
    const handle = await enqueue('wait');
    const controller = new AbortController();
    const following = cli(`logs ${handle.id} -f`, { interrupt: controller.signal });
    await until(async () => (await handle.status()).state === 'running', 'the task runs');
    controller.abort();
    expect(await following).toEqual({ code: 0, out: '', err: '' });
    await handle.cancel();
  });

  test('list shows the tasks that match, page by page', async () => {
    const reason = `no paper for ${randomUUID()}`;
    const ids = [await failed(reason), await failed(reason)];
    const { code, out } = await cli('list --state failed --name ReportTasks.fail --limit 1');
    expect(code).toBe(0);
    const [head, row, more] = stable(out).split('\n');
    expect(head?.split(/ {2,}/)).toEqual(['ID', 'TASK', 'STATE', 'ATTEMPT', 'AGE', 'RAN', 'ERROR']);
    expect(row?.split(/ {2,}/).slice(0, 4)).toEqual(['reports.<id>', 'ReportTasks.fail', 'failed', '1/1']);
    expect(row).toContain('TypeError: no paper for <uuid>');
    const cursor = /--cursor (\S+)/.exec(more ?? '')?.[1] as string;
    const { out: json } = await cli(`list --state failed --name ReportTasks.fail --limit 1 --cursor ${cursor} --json`);
    const page = JSON.parse(json) as { items: { id: string }[] };
    expect(ids).toContain(page.items[0]?.id);
    expect(out).toContain(ids.find((id) => id !== page.items[0]?.id));
    expect(await cli('list --queue nothing')).toMatchObject({ code: 0, out: 'No task matches.\n' });
  });

  test.each([
    ['list --state late', '--state is "late". Give one of: '],
    ['list --running-for soon', '--running-for is "soon"'],
    ['list --error x', '--error is "x". Give a fingerprint'],
    ['list --limit 5000', 'limit is 5000. Give a whole number from 1 to 1000.'],
    ['list --cursor x', 'cursor'],
    ['list --enqueued-after soon', '--enqueued-after is "soon"'],
  ])('%s is wrong usage', async (args, message) => {
    const { code, out, err } = await cli(args);
    expect(err).toContain(message);
    expect({ code, out, lines: err.trim().split('\n').length }).toEqual({ code: 2, out: '', lines: 1 });
  });

  test('show has all that is stored, with secrets masked', async () => {
    const call = booted.queue
      .of('ReportTasks.fail')
      .with({ queue: 'reports', headers: { owner: '7', 'x-api-key': 'k1' } });
    const handle = await call.enqueue({ reason: 'smtp', password: 'hush' });
    await handle.result().catch(() => undefined);
    const { code, out } = await cli(`show ${handle.id}`);
    expect(code).toBe(0);
    expect(stable(out)).toContain(
      'ReportTasks.fail\nid          reports.<id>\nqueue       reports\nstate       failed\n',
    );
    expect(out).toContain('arguments   [{"reason":"smtp","password":"[masked]"}]\n');
    expect(out).toContain('headers     {"owner":"7","x-api-key":"[masked]"}\n');
    expect(out).toContain('error       TypeError: ');
    expect(out).toMatch(/^ +at ReportTasks\.fail \(.*cli\.test/m);
    const { out: json } = await cli(`show ${handle.id} --json`);
    expect(JSON.parse(json)).toMatchObject({ state: 'failed', args: [{ reason: 'smtp', password: '[masked]' }] });
    const { out: revealed } = await cli(`show ${handle.id} --json --reveal`);
    expect(JSON.parse(revealed)).toMatchObject({ args: [{ password: 'hush' }], headers: { 'x-api-key': 'k1' } });
  });

  test('show has each attempt with its worker', async () => {
    const call = booted.queue
      .of('ReportTasks.fail')
      .with({ queue: 'reports', retries: 1, backoff: { type: 'fixed', delay: 0 } });
    const handle = await call.enqueue('twice');
    await handle.result().catch(() => undefined);
    const { out } = await cli(`show ${handle.id}`);
    const rows = stable(out)
      .split('\n')
      .filter((line) => line.includes('<uuid>'));
    expect(rows.map((row) => row.trim().split(/ {2,}/))).toEqual([
      ['1', '<time>', '<age>', 'retry', '<uuid>', 'TypeError: twice'],
      ['2', '<time>', '<age>', 'failed', '<uuid>', 'TypeError: twice'],
    ]);
  });

  test('errors groups failed tasks, and list finds those of a group', async () => {
    await Promise.all([failed('paper jam in tray 1'), failed('paper jam in tray 2')]);
    const { code, out } = await cli('errors --since 1h');
    expect(code).toBe(0);
    const [, fingerprint] = /^ *2 +(\S+) .*TypeError: paper jam in tray/m.exec(out) ?? [];
    const { out: json } = await cli(`list --error ${fingerprint} --json`);
    expect((JSON.parse(json) as { items: unknown[] }).items).toHaveLength(2);
    expect(await cli('errors --queue orphans')).toMatchObject({ code: 0, out: 'No task failed.\n' });
    expect(await cli('errors --since soon')).toMatchObject({
      code: 2,
      err: expect.stringContaining('since is "soon"'),
    });
  });

  test('retry runs a failed task again, and forget removes it', async () => {
    const id = await failed('smtp');
    expect(await cli(`retry ${id}`)).toMatchObject({ code: 0 });
    await booted.queue
      .handle(id)
      .result()
      .catch(() => undefined);
    expect(await cli(`forget ${id}`)).toMatchObject({ code: 0, out: `Task ${id} is forgotten.\n` });
    const shown = await cli(`show ${id}`);
    expect(shown).toMatchObject({ code: 1, out: '' });
    expect(shown.err).toBe(`There is no task "${id}": it never existed, was forgotten, or its result has expired.\n`);
  });

  test('cancel stops a running task', async () => {
    const handle = await enqueue('wait');
    await until(async () => (await handle.status()).state === 'running', 'the task runs');
    const { code, out } = await cli(`cancel ${handle.id} --reason 'too late'`);
    expect(code).toBe(0);
    // The task may have ended before the command read its state.
    expect([
      `Task ReportTasks.wait (${handle.id}) is told to stop; it ends when its method does.\n`,
      `Task ReportTasks.wait (${handle.id}) is cancelled.\n`,
    ]).toContain(out);
    await expect(handle.result()).rejects.toThrow('too late');
  });

  test('pause says why the queue waits, and resume ends it', async () => {
    expect(await cli("pause reports --reason 'smtp is down' --by ann")).toMatchObject({
      code: 0,
      out: 'Queue reports is paused. Its tasks wait until: resume reports\n',
    });
    const handle = await enqueue('build', '2026-11');
    const { out } = await cli('status');
    expect((await cli(`show ${handle.id}`)).out).toContain('waits for   its queue is paused; see status');
    expect(stable(out)).toMatch(/^reports +paused/m);
    expect(out).toContain('✗ Queue reports is paused');
    expect(await cli('doctor')).toMatchObject({ code: 1, out: expect.stringContaining('fail  paused') });
    expect(await cli('resume reports')).toMatchObject({ code: 0, out: 'Queue reports is open.\n' });
    await handle.result();
  });

  test('update changes the priority of a task whose queue has priorities, which the stored task shows', async () => {
    const later = (queue: string) =>
      booted.queue.of('ReportTasks.build').with({ queue, delay: '1h' }).enqueue('2026-11');
    const [ranked, plain] = await Promise.all([later('ranked'), later('reports')]);
    expect(await cli(`update ${ranked.id} --priority 9`)).toMatchObject({ code: 0 });
    expect(JSON.parse((await cli(`show ${ranked.id} --json`)).out)).toMatchObject({ options: { priority: 9 } });
    expect(await cli(`update ${plain.id} --priority 9`)).toMatchObject({
      code: 2,
      err: expect.stringContaining('its queue "reports" has no priorities'),
    });
  });

  test('promote runs a scheduled task now, and update changes one that has not started', async () => {
    const later = booted.queue.of('ReportTasks.build').with({ queue: 'reports', delay: '1h' });
    const handle = await later.enqueue('2026-11');
    const updated = await cli(`update ${handle.id} --args '["2026-12"]'`);
    expect(updated).toMatchObject({ code: 0, out: `Task ReportTasks.build (${handle.id}) is scheduled.\n` });
    expect(await cli(`promote ${handle.id}`)).toMatchObject({ code: 0 });
    expect(await handle.result()).toBe('2026-12.pdf');
    expect(await cli(`update ${handle.id} --delay 1h`)).toMatchObject({ code: 1, out: '' });
    expect(await cli(`update ${handle.id}`)).toMatchObject({
      code: 2,
      err: expect.stringContaining('Give what to change'),
    });
    expect(await cli(`update ${handle.id} --args nothing`)).toMatchObject({ code: 2 });
  });

  test('retry, cancel and forget act on all tasks that match', async () => {
    await failed('many');
    const headers = { batch: randomUUID() };
    const call = booted.queue.of('ReportTasks.fail').with({ queue: 'reports', headers });
    const handles = await Promise.all([call.enqueue('a'), call.enqueue('b')]);
    await Promise.all(handles.map((handle) => handle.result().catch(() => undefined)));
    const match = `--header batch=${headers.batch}`;
    expect(await cli(`retry ${match} --rate 100`)).toMatchObject({ code: 0, out: '2 tasks are run again.\n' });
    await Promise.all(handles.map((handle) => handle.result().catch(() => undefined)));
    const refused = await cli(`forget ${match}`);
    expect(refused.err).toMatch(
      /^This removes the records of all tasks that have ended and match header .*Nothing was done: give --yes/,
    );
    expect(refused.code).toBe(1);
    const declined = await cli(`forget ${match}`, { answers: ['no'] });
    expect(declined).toMatchObject({ code: 1, err: expect.stringMatching(/Go on\? \[y\/N\] Nothing was done\.\n$/) });
    expect(await handles[0]?.status()).toMatchObject({ state: 'failed' });
    const confirmed = await cli(`forget ${match} --json`, { answers: ['y'] });
    expect(confirmed.code).toBe(0);
    expect(JSON.parse(confirmed.out)).toMatchObject({ done: 2, refusedCount: 0 });
    const waiting = await booted.queue
      .of('ReportTasks.build')
      .with({ queue: 'reports', delay: '1h', headers })
      .enqueue('x');
    expect(await cli(`cancel ${match} --yes --reason 'no more'`)).toMatchObject({
      code: 0,
      out: '1 task is cancelled.\n',
    });
    await expect(waiting.result()).rejects.toThrow('no more');
  });

  test('purge removes what waits in a queue, and asks before', async () => {
    const call = booted.queue.of('Nobody.runs').with({ queue: 'orphans', delay: '1h' });
    const handle = await call.enqueue();
    expect(await cli('purge orphans')).toMatchObject({ code: 1, out: '' });
    const { code, out } = await cli('purge orphans --yes');
    expect(out).toMatch(/^\d+ tasks? (is|are) removed\.\n$/);
    expect(code).toBe(0);
    await expect(handle.status()).rejects.toThrow('There is no task');
  });

  test('shutdown asks before, and names an unknown worker', async () => {
    expect(await cli('shutdown nobody')).toMatchObject({ code: 1, err: expect.stringContaining('give --yes') });
    const { code, out, err } = await cli('shutdown nobody --yes');
    expect(err).toContain('nobody');
    expect({ code, out }).toEqual({ code: 1, out: '' });
  });

  test.each([
    ['retry', 'Give the id of a task, options that choose tasks'],
    ['retry reports.x --queue reports', 'Give either the id of a task or options that choose tasks, not both.'],
    ['retry --queue reports --all', '--all is for all tasks.'],
    ['retry --queue reports --rate 0', 'rate is 0. Give a number of tasks per second'],
    ['retry --queue reports --rate fast', "argument 'fast' is invalid. Give a number."],
    ['cancel --state succeeded --yes', '--state is "succeeded". cancelAll() is about'],
    ['cancel --colour red', "unknown option '--colour'"],
    ["pause 'a b'", 'a b'],
    ['purge _control --yes', '_control'],
  ])('%s is wrong usage', async (args, message) => {
    const { code, out, err } = await cli(args);
    expect(err).toContain(message);
    expect({ code, out }).toEqual({ code: 2, out: '' });
  });

  test('what cannot be done is one line and exit code 1', async () => {
    const handle = await enqueue('build', '2026-11');
    await handle.result();
    expect(await cli(`retry ${handle.id}`)).toEqual({
      code: 1,
      out: '',
      err: `Task ${handle.id} is succeeded. Only failed and cancelled tasks run again.\n`,
    });
    expect(await cli(`cancel ${handle.id}`)).toMatchObject({ code: 1 });
    expect(await cli('forget reports.nothing')).toMatchObject({ code: 1 });
    expect(await cli('retry nothing')).toMatchObject({ code: 1, err: expect.stringContaining('no task "nothing"') });
  });

  // An embedded store is in a process of the same computer, whose clock counts.
  if (engine.name !== 'embedded') {
    test('ages are those of the store, whatever the clock of the operator says', async () => {
      const id = await failed('late');
      await enqueue('build', '2026-10').then((handle) => handle.result());
      const now = Date.now.bind(Date);
      const spy = jest.spyOn(Date, 'now').mockImplementation(() => now() + 2 * 3_600_000);
      try {
        for (const command of ['workers', 'list --state failed', `show ${id}`, 'errors', 'status', 'doctor']) {
          const { out } = await cli(command);
          expect([command, out.match(/\b[12]h\b|is behind|for \d+ minutes/g)]).toEqual([command, null]);
        }
      } finally {
        spy.mockRestore();
      }
    });
  }

  test('list --workflow has whole workflows only, also one that failed while its queue is paused', async () => {
    const plain = await failed('alone');
    await cli('pause paused');
    const step = (method: string) =>
      booted.queue.of(`ReportTasks.${method}`).with({ queue: 'paused' }).signature('no paper') as never;
    const whole = await chain(booted.queue.of('ReportTasks.fail').signature('first') as never, step('build')).enqueue();
    await whole.result().catch(() => undefined);
    const { out } = await cli('list --workflow --state failed --json');
    const ids = (JSON.parse(out) as { items: { id: string }[] }).items.map(({ id }) => id);
    expect(ids).toContain(whole.id);
    expect(ids).not.toContain(plain);
    await cli('resume paused');
  });
});
