import { afterEach, describe, expect, test } from '@jest/globals';
import { Injectable, Module, type CallHandler, type CanActivate } from '@nestjs/common';
import { APP_GUARD, APP_INTERCEPTOR } from '@nestjs/core';
import { OnAdmin, Task, TaskContext, type AdminAct } from 'nestjs-task-queue';
import { TaskDashboardModule } from 'nestjs-task-queue/dashboard';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { map } from 'rxjs';
import {
  HeaderGuard,
  settingsOf,
  startDashboard,
  type DashboardSetting,
  type StartedDashboard,
} from '../support/dashboard-app.js';
import { platforms } from '../support/http-app.js';
import { until } from '../support/until.js';
import { Acts } from '../../lib/dashboard/api/acts.js';

@Injectable()
class Mails {
  constructor(private readonly task: TaskContext) {}

  @Task({ queue: 'mail' })
  send(address: string): string {
    if (address.startsWith('no')) throw new Error(`no such address: ${address}, password=abc123`);
    return `sent ${address}`;
  }

  @Task({ queue: 'mail' })
  async report(_options: object): Promise<object> {
    await this.task.log('token=abc123 <b>bold</b>');
    return { apiKey: 'k', rows: 3 };
  }
}

@Injectable()
class Audit {
  readonly acts: AdminAct[] = [];
  @OnAdmin()
  note(act: AdminAct): void {
    this.acts.push(act);
  }
}

describe.each(platforms)('the dashboard on %s', (platform) => {
  let started: StartedDashboard;
  const start = async (setting: DashboardSetting = {}) => {
    started = await startDashboard(platform, { tasks: [Mails], providers: [Audit], ...setting });
    return started;
  };
  afterEach(() => started?.close());

  const get = (path: string, headers: Record<string, string> = {}) => fetch(started.url + path, { headers });
  const json = async (path: string, headers: Record<string, string> = {}) => {
    const response = await get(path, headers);
    expect([path, response.status]).toEqual([path, 200]);
    return (await response.json()) as Record<string, never>;
  };
  const token = async (headers: Record<string, string> = {}) =>
    settingsOf(await (await get('/admin/tasks', headers)).text()).token;
  const post = (act: string, body: unknown, headers: Record<string, string> = {}) =>
    fetch(`${started.url}/admin/tasks/api/acts/${act}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    });

  test('serves the page of every view, with a strict policy and paths relative to its own address', async () => {
    await start({ options: { title: '<Shop> & "Co"' } });
    for (const [path, root] of [
      ['', './tasks'],
      ['/tasks', '.'],
      ['/tasks/mail.1', './..'],
      ['/errors', '.'],
      ['/workflows/x.y', './..'],
      ['/schedules', '.'],
      ['/workers', '.'],
    ] as const) {
      const response = await get(`/admin/tasks${path}`);
      expect(response.status).toBe(200);
      expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
      const policy = response.headers.get('content-security-policy') ?? '';
      expect(policy).toContain("default-src 'none'");
      expect(policy).not.toContain('unsafe');
      expect(response.headers.get('cache-control')).toContain('no-store');
      const html = await response.text();
      expect(settingsOf(html).root).toBe(root);
      expect(html).not.toContain('<Shop>');
      expect(html).not.toMatch(/<script(?! type="application\/json")(?![^>]* src=)/);
      const script = new URL(/src="([^"]+)"/.exec(html)?.[1] ?? '', response.url);
      expect(script.pathname).toBe('/admin/tasks/assets/app-1.js');
    }
  });

  test('finds its files behind a proxy that changes the path, with and without a slash at the end', async () => {
    await start();
    const proxies: readonly (readonly [from: string, to: string, views: readonly string[]])[] = [
      [
        '/ops',
        '',
        ['/admin/tasks', '/admin/tasks/', '/admin/tasks/tasks', '/admin/tasks/tasks/', '/admin/tasks/tasks/mail.1'],
      ],
      ['/jobs/', '/admin/tasks/', ['', 'tasks', 'tasks/', 'workflows/x.y']],
    ];
    for (const [from, to, views] of proxies) {
      const proxy = createServer((request, response) => {
        const path = to + (request.url ?? '').slice(from.length);
        void fetch(started.url + path).then(async (answer) => {
          const type = answer.headers.get('content-type') ?? '';
          response.writeHead(answer.status, { 'content-type': type }).end(await answer.text());
        });
      });
      await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
      try {
        const base = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}${from}`;
        for (const view of views) {
          const page = await fetch(base + view);
          expect([from, view, page.status]).toEqual([from, view, 200]);
          const html = await page.text();
          const script = await fetch(new URL(/src="([^"]+)"/.exec(html)?.[1] ?? '', page.url));
          expect([from, view, script.status]).toEqual([from, view, 200]);
          const root = new URL(settingsOf(html).root, page.url).pathname.replace(/\/$/, '');
          expect([from, view, root]).toEqual([from, view, from === '/ops' ? '/ops/admin/tasks' : '/jobs']);
        }
      } finally {
        await new Promise((resolve) => proxy.close(resolve));
      }
    }
    for (const path of ['nothing', 'nothing/', 'errors/1/', 'tasks/1/2/'])
      expect([path, (await get(`/admin/tasks/${path}`)).status]).toEqual([path, 404]);
  });

  test('takes the path that a proxy gives it from an option', async () => {
    await start({ options: { publicPath: '/jobs/' } });
    const html = await (await get('/admin/tasks/workers')).text();
    expect(settingsOf(html).root).toBe('/jobs');
    expect(html).toContain('<link rel="modulepreload" href="/jobs/assets/view-1.js">');
    expect(html).toContain('src="/jobs/assets/app-1.js"');
  });

  test('serves its files compressed and for ever, and no others', async () => {
    await start();
    for (const encoding of ['br', 'gzip', 'identity']) {
      const response = await get('/admin/tasks/assets/app-1.js', { 'accept-encoding': encoding });
      expect(response.headers.get('content-encoding')).toBe(encoding === 'identity' ? null : encoding);
      expect(response.headers.get('cache-control')).toContain('immutable');
      expect(await response.text()).toContain('app-1.js');
    }
    for (const name of ['names.json', 'style-1.css', 'other.js', '..%2fnames.json', 'a.js%00']) {
      expect((await get(`/admin/tasks/assets/${name}`)).status).toBeGreaterThanOrEqual(400);
    }
  });

  test('works below a global prefix, and past interceptors and pipes of the application', async () => {
    const envelope = {
      intercept: (_: unknown, next: CallHandler<object>) => next.handle().pipe(map((data) => ({ data }))),
    };
    await start({
      options: { path: '/ops/' },
      providers: [{ provide: APP_INTERCEPTOR, useValue: envelope }],
      prepare: (app) => app.setGlobalPrefix('api/v1'),
    });
    const page = await get('/api/v1/ops');
    expect(page.status).toBe(200);
    expect(settingsOf(await page.text()).root).toBe('./ops');
    expect(await json('/api/v1/ops/api/overview')).toMatchObject({ problems: [] });
  });

  test('shows tasks with masked secrets, and what redact() leaves', async () => {
    await start({
      options: {
        redact: (path, value) => (path.endsWith('.email') ? undefined : path === 'result.rows' ? 'some' : value),
      },
    });
    const report = started.queue.of(Mails).report;
    const handle = await report.with({ headers: { owner: '7', authorization: 'x' } }).enqueue({
      password: 'p',
      email: 'a@b.c',
      long: 'x'.repeat(1_000_000),
      html: '<b>bold</b>',
      ['__proto__']: 1,
    });
    await handle.result();
    const text = await (await get(`/admin/tasks/api/task/${handle.id}`)).text();
    expect(text.length).toBeLessThan(10_000);
    const task = JSON.parse(text) as Record<string, { value: unknown; masked: string[]; cut: Record<string, number> }>;
    expect(task['args']?.masked).toEqual(['/0/password', '/0/email']);
    expect(task['args']?.cut).toEqual({ '/0/long': 1_000_000 });
    expect(task['args']?.value).toMatchObject([
      {
        html: '<b>bold</b>',
        password: '[masked]',
      },
    ]);
    expect(task['headers']).toMatchObject({ value: { owner: '7', authorization: '[masked]' } });
    expect(task['result']).toMatchObject({ value: { apiKey: '[masked]', rows: 'some' } });
    const whole = await json(`/admin/tasks/api/value/${handle.id}?in=args&at=/0/long`);
    expect(whole['value']).toHaveLength(1_000_000);
    expect((await get(`/admin/tasks/api/value/${handle.id}?in=args&at=/0/none`)).status).toBe(400);
    expect(await json(`/admin/tasks/api/value/${handle.id}?in=args&at=/0/password`)).toEqual({ value: '[masked]' });
    const logs = await json(`/admin/tasks/api/logs/${handle.id}`);
    expect(logs['lines']).toMatchObject([{ text: 'token=[masked] <b>bold</b>' }]);
  });

  test('lists tasks by the filters of an address, and says what is wrong with a filter', async () => {
    await start();
    const mails = started.queue.of(Mails);
    const handles = await Promise.all(
      ['a@x', 'b@x', 'no@x'].map((to) => mails.send.with({ headers: { owner: to } }).enqueue(to)),
    );
    await Promise.allSettled(handles.map((handle) => handle.result()));
    const all = await json('/admin/tasks/api/tasks?queue=mail&limit=2&state=succeeded&since=1h');
    expect(all).toMatchObject({ items: [{}, {}], headers: ['owner'] });
    expect(await json('/admin/tasks/api/tasks?header.owner=no@x')).toMatchObject({ items: [{ state: 'failed' }] });
    const errors = await json('/admin/tasks/api/errors?since=1h');
    expect(errors['items']).toMatchObject([
      { count: 1, message: expect.stringContaining('password=[masked]') as never },
    ]);
    const wrong = await get('/admin/tasks/api/tasks?state=sleeping');
    expect(wrong.status).toBe(400);
    expect(wrong.headers.get('content-type')).toContain('problem+json');
    expect(await wrong.json()).toMatchObject({ detail: expect.stringContaining('sleeping') as never });
    expect((await get('/admin/tasks/api/task/mail.unknown')).status).toBe(404);
    expect((await get('/admin/tasks/api/toString')).status).toBe(404);
    const series = await json('/admin/tasks/api/series?span=day');
    expect(series['points']).toHaveLength(73);
    await json('/admin/tasks/api/overview');
    for (const query of ['', '&queue=mail'])
      expect((await json(`/admin/tasks/api/series?span=hour${query}`))['depth']).toEqual(
        expect.arrayContaining([null, { queued: 0, running: 0 }]),
      );
  });

  test('shows arguments in rows, short and masked', async () => {
    await start({ options: { redact: (path, value) => (path.endsWith('.email') ? undefined : value) } });
    const report = started.queue.of(Mails).report;
    const options = { format: 'xlsx', apiToken: 'k', email: 'a@b.c', long: 'x'.repeat(1_000_000) };
    await (await report.enqueue(options)).result();
    const rows = async (query: string) =>
      (await json(`/admin/tasks/api/tasks?${query}`))['items'] as unknown as readonly { args: string }[];
    expect((await rows('state=succeeded'))[0]?.args).toBe(
      `{"format":"xlsx","apiToken":"[masked]","email":"[masked]","long":"${'x'.repeat(60)}…"}`,
    );
    const search = await get('/admin/tasks/api/tasks?args=b.c');
    expect([search.status, await search.json()]).toMatchObject([400, { detail: expect.stringContaining('redact') }]);
    const many = await report.enqueue(Object.fromEntries(Array.from({ length: 10_000 }, (_, at) => [`key${at}`, at])));
    await many.result();
    expect((await rows('limit=1&name=Mails.report'))[0]?.args).toMatch(/^\{"key0":0,.{140,160}…$/);
  });

  test('searches errors by what is shown of them, with a histogram of each', async () => {
    await start();
    const mails = started.queue.of(Mails);
    for (const address of ['no@1', 'no@2', 'no@3']) await (await mails.send.enqueue(address)).result().catch(() => 0);
    const search = async (text: string) => {
      const found = await json(`/admin/tasks/api/errors?since=1h&text=${encodeURIComponent(text)}`);
      return found['items'] as unknown as readonly { count: number; counts: readonly number[] }[];
    };
    const [group] = await search('');
    expect(group?.count).toBe(3);
    expect(group?.counts.reduce((sum, one) => sum + one, 0)).toBe(3);
    expect(await search('SUCH address mails.send')).toHaveLength(1);
    expect(await search('other address')).toEqual([]);
    expect(await search('abc123')).toEqual([]);
  });

  test('shows the last runs of a schedule', async () => {
    await start();
    const own = { 'x-csrf-token': await token() };
    const settings = { task: 'Mails.send', args: ['no@x'], every: '1d' };
    await post('saveSchedule', { schedule: 'daily', settings }, own);
    const { id } = (await (await post('runSchedule', { schedule: 'daily' }, own)).json()) as { id: string };
    await started.queue
      .handle(id)
      .result()
      .catch(() => undefined);
    expect(await json('/admin/tasks/api/schedules')).toMatchObject({
      items: [
        {
          id: 'daily',
          recent: [{ id, state: 'failed', error: { message: 'no such address: no@x, password=[masked]' } }],
        },
      ],
    });
  });

  test('acts with a token only, and tells methods with @OnAdmin() who acted', async () => {
    await start({ options: { guards: [HeaderGuard] } });
    const ada = { 'x-user': 'ada' };
    const { acts } = started.app.get(Audit);
    const body = { queue: 'mail', reason: 'the server is down' };
    const refused = async (headers: Record<string, string>) => {
      const response = await post('pause', body, headers);
      expect(response.status).toBe(403);
      return (await response.json()) as { code?: string };
    };
    await refused({});
    expect(await refused(ada)).toMatchObject({ code: 'CSRF_TOKEN' });
    const given = await token(ada);
    expect(await refused({ ...ada, 'x-csrf-token': `${given}x` })).toMatchObject({ code: 'CSRF_TOKEN' });
    expect(await refused({ 'x-user': 'eve', 'x-csrf-token': given })).toMatchObject({ code: 'CSRF_TOKEN' });
    expect(await refused({ ...ada, 'x-csrf-token': given, 'sec-fetch-site': 'cross-site' })).toMatchObject({
      code: 'CSRF_TOKEN',
    });
    expect(await refused({ ...ada, 'x-csrf-token': given.replace(/^\w+/, '1') })).toMatchObject({ code: 'CSRF_TOKEN' });
    const plain = await fetch(`${started.url}/admin/tasks/api/acts/pause`, {
      method: 'POST',
      headers: { ...ada, 'x-csrf-token': given, 'content-type': 'text/plain' },
      body: JSON.stringify(body),
    });
    expect(plain.status).toBe(415);
    expect((await started.admin.queues()).some(({ paused }) => paused)).toBe(false);

    const own = { ...ada, 'x-csrf-token': given };
    expect((await post('pause', body, own)).status).toBe(200);
    expect((await post('nothing', body, own)).status).toBe(404);
    expect((await post('constructor', body, own)).status).toBe(404);
    expect((await post('retry', {}, own)).status).toBe(400);
    expect((await started.admin.queues())[0]).toMatchObject({
      paused: true,
      pausedBy: { by: 'ada', reason: 'the server is down' },
    });
    expect((await post('resume', { queue: 'mail' }, own)).status).toBe(200);
    await until(() => acts.some(({ act }) => act === 'resume'), 'the listener has heard the acts');
    expect(acts).toMatchObject([
      { act: 'pause', by: 'ada', queue: 'mail', reason: 'the server is down' },
      { act: 'resume', by: 'ada', queue: 'mail' },
    ]);
  });

  test('acts on schedules and on all tasks that match', async () => {
    await start();
    const own = { 'x-csrf-token': await token() };
    const settings = { task: 'Mails.send', args: ['a@x'], every: '1h' };
    expect((await post('saveSchedule', { schedule: 'hourly', settings }, own)).status).toBe(200);
    const ran = (await (await post('runSchedule', { schedule: 'hourly' }, own)).json()) as { id: string };
    expect(ran.id).toMatch(/^default\.|^mail\./);
    await post('pauseSchedule', { schedule: 'hourly' }, own);
    expect(await json('/admin/tasks/api/schedules')).toMatchObject({ items: [{ id: 'hourly', paused: true }] });
    expect(
      (await post('saveSchedule', { schedule: 'bad', settings: { ...settings, every: 'often' } }, own)).status,
    ).toBe(400);
    expect((await post('removeSchedule', { schedule: 'hourly' }, own)).status).toBe(200);
    expect((await post('removeSchedule', { schedule: 'hourly' }, own)).status).toBe(404);

    await (await started.queue.of(Mails).send.enqueue('no@x')).result().catch(() => undefined);
    const bulk = (await (await post('retryAll', { filter: { state: 'failed' } }, own)).json()) as { id: string };
    await until(
      async () => (await json(`/admin/tasks/api/task/${bulk.id}`))['state'] === 'succeeded',
      'the act on all tasks has ended',
    );
    expect((await post('retryAll', { filter: { state: 3 } }, own)).status).toBe(400);
    const { acts } = started.app.get(Audit);
    await until(() => acts.length >= 7, 'the listener has heard the acts');
    expect(acts.map(({ act }) => act)).toEqual(
      expect.arrayContaining(['saveSchedule', 'runSchedule', 'removeSchedule', 'retryAll']),
    );
    expect(acts.find(({ act, error }) => act === 'saveSchedule' && error)).toMatchObject({ schedule: 'bad' });
  });

  test('enqueues a declared task by hand, as its queue and options say', async () => {
    await start({ options: { guards: [HeaderGuard] } });
    const ada = { 'x-user': 'ada' };
    const own = { ...ada, 'x-csrf-token': await token(ada) };
    const answer = async (body: object) => {
      const response = await post('enqueue', body, own);
      return [response.status, (await response.json()) as { id: string; detail: string }] as const;
    };
    const [status, { id }] = await answer({ name: 'Mails.send', args: ['a@x'] });
    expect([status, await started.queue.handle(id).result()]).toEqual([200, 'sent a@x']);
    const [, later] = await answer({ name: 'Mails.send', args: ['b@x'], queue: 'later', delay: '1h' });
    expect(await started.admin.task(later.id)).toMatchObject({ queue: 'later', state: 'scheduled', args: ['b@x'] });
    for (const [body, message] of [
      [{ name: 'Mails.sent', args: [] }, /No live worker declares the task "Mails.sent".*Mails.send/],
      [{ name: 'Mails.send', args: 'a@x' }, /args is "a@x".*list/],
      [{ name: 'Mails.send', args: [], delay: 'soon' }, /delay/],
      [{ name: 'Mails.send', args: [], priority: 3 }, /no priorities/],
      [{ name: 'Mails.send', args: [], queue: 'a b' }, /queue/],
      [{ args: [] }, /name/],
    ] as const) {
      const [refusal, { detail }] = await answer(body);
      expect([body, refusal, detail]).toEqual([body, 400, expect.stringMatching(message)]);
    }
    const { acts } = started.app.get(Audit);
    await until(() => acts.some(({ queue }) => queue === 'later'), 'the listener has heard the acts');
    expect(acts.find(({ queue }) => queue === 'later')).toMatchObject({
      act: 'enqueue',
      by: 'ada',
      value: { name: 'Mails.send', args: ['b@x'], options: { delay: '1h', queue: 'later' } },
      result: { id: later.id },
    });
  });

  test('checks each of its acts for a token and for leave to act, and tells each to @OnAdmin()', async () => {
    let readOnly = true;
    await start({ options: { readOnly: () => readOnly } });
    const { acts } = started.app.get(Audit);
    const names = Object.keys(started.app.get(Acts)['all']);
    expect(names.length).toBeGreaterThanOrEqual(20);
    const own = { 'x-csrf-token': await token() };
    const body = { id: 'mail.none', queue: 'mail', worker: 'none', schedule: 'none', name: 'none', value: null };
    const codeOf = async (name: string, headers: Record<string, string>) => {
      const response = await post(name, { ...body, change: {}, filter: {}, settings: {} }, headers);
      return ((await response.json()) as { code?: string }).code;
    };
    for (const name of names) expect([name, await codeOf(name, {})]).toEqual([name, 'CSRF_TOKEN']);
    for (const name of names) expect([name, await codeOf(name, own)]).toEqual([name, 'READ_ONLY']);
    expect(acts).toEqual([]);
    readOnly = false;
    for (const name of names) await codeOf(name, own);
    await until(() => acts.length >= names.length, 'the listener has heard the acts');
    expect(acts.map(({ act }) => act).toSorted()).toEqual(names.toSorted());
  });

  test('changes nothing when it is read-only', async () => {
    await start({ options: { readOnly: true } });
    const response = await post('pause', { queue: 'mail' }, { 'x-csrf-token': await token() });
    expect(response.status).toBe(403);
    expect(await response.json()).toMatchObject({ code: 'READ_ONLY' });
  });

  test('is read-only for some users and not for others', async () => {
    await start({
      options: {
        guards: [HeaderGuard],
        readOnly: async ({ user }) => (user as { username: string }).username !== 'ada',
      },
    });
    for (const [name, status] of [
      ['ada', 200],
      ['eve', 403],
    ] as const) {
      const own = { 'x-user': name };
      const html = await (await get('/admin/tasks', own)).text();
      expect(settingsOf(html).readOnly).toBe(status === 403);
      const response = await post('pause', { queue: 'mail' }, { ...own, 'x-csrf-token': settingsOf(html).token });
      expect([name, response.status]).toEqual([name, status]);
    }
  });

  test('gives no page and no data when a global guard refuses', async () => {
    await start({
      providers: [Audit, { provide: APP_GUARD, useValue: { canActivate: () => false } satisfies CanActivate }],
    });
    for (const path of ['', '/tasks', '/assets/app-1.js', '/api/overview', '/api/tasks', '/api/events']) {
      expect([path, (await get(`/admin/tasks${path}`)).status]).toEqual([path, 403]);
    }
    expect((await post('pause', { queue: 'mail' })).status).toBe(403);
  });

  test('resolves guards with the imports of the module, also those that a factory returns', async () => {
    @Injectable()
    class Users {
      readonly admins = ['ada'];
    }
    @Injectable()
    class AdminGuard extends HeaderGuard {
      constructor(private readonly users: Users) {
        super();
      }
      override canActivate(context: never): boolean {
        return super.canActivate(context) && this.users.admins.length > 0;
      }
    }
    @Module({ providers: [Users], exports: [Users] })
    class AuthModule {}
    for (const module of [
      TaskDashboardModule.forRoot({ imports: [AuthModule], guards: [AdminGuard] }),
      TaskDashboardModule.forRootAsync({
        imports: [AuthModule],
        guards: [AdminGuard],
        useFactory: () => ({ path: 'admin/tasks' }),
      }),
      TaskDashboardModule.forRootAsync({ imports: [AuthModule], useFactory: async () => ({ guards: [AdminGuard] }) }),
    ]) {
      await start({ module });
      expect((await get('/admin/tasks')).status).toBe(403);
      expect((await get('/admin/tasks', { 'x-user': 'ada' })).status).toBe(200);
      await started.close();
    }
    await start();
  });

  test('streams the overview and the tasks of a page, and ends when the application closes', async () => {
    await start();
    const later = await started.queue.of(Mails).send.with({ delay: '1h' }).enqueue('a@x');
    const response = await get(`/admin/tasks/api/events?watch=${later.id}`);
    expect(response.headers.get('content-type')).toContain('text/event-stream');
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    const read = async (pattern: RegExp) => {
      while (!pattern.test(text)) {
        const { value, done } = (await reader?.read()) ?? { done: true };
        if (done) throw new Error(`The stream ended after ${text}`);
        text += value;
      }
      text = '';
    };
    await read(
      /event: overview\ndata: .*"queues"[\s\S]*event: task\ndata: .*"scheduled"|event: task\ndata: .*"scheduled"[\s\S]*event: overview/,
    );
    await started.admin.promote(later.id);
    await read(/event: task\ndata: .*"succeeded"/);
    await started.close();
    for (;;) {
      const next = await reader?.read().catch(() => ({ done: true }));
      if (next?.done ?? true) break;
    }
    await start();
  });
});

describe('the options of the dashboard', () => {
  const boot = (options: object) => startDashboard('express', { options });
  const production = async (run: () => Promise<unknown>) => {
    const before = process.env['NODE_ENV'];
    process.env['NODE_ENV'] = 'production';
    try {
      return await run();
    } finally {
      process.env['NODE_ENV'] = before;
    }
  };

  test('need a guard in production', async () => {
    await production(() => expect(boot({})).rejects.toThrow('TaskDashboardModule has no guards'));
    await production(() => expect(boot({ guards: [] })).rejects.toThrow('has no guards'));
    const started = (await production(() => boot({ guards: [HeaderGuard] }))) as StartedDashboard;
    await started.close();
  });

  test.each([
    [{ path: 'a b' }, /option path .*"a b"/],
    [{ publicPath: 'https://jobs' }, /option publicPath/],
    [{ readOnly: 'yes' }, /option readOnly/],
    [{ redact: 'all' }, /option redact/],
    [{ guard: [] }, /no option guard/],
  ])('%j is refused', async (options, message) => {
    await expect(boot(options)).rejects.toThrow(message);
  });
});

test('a hundred open pages read the store once', async () => {
  const started = await startDashboard('express', { tasks: [Mails] });
  const { admin } = started;
  let reads = 0;
  const queues = admin.queues.bind(admin);
  Object.defineProperty(admin, 'queues', { value: () => (reads++, queues()) });
  const start = performance.now();
  const pages = await Promise.all(Array.from({ length: 100 }, () => fetch(`${started.url}/admin/tasks/api/events`)));
  const first = await Promise.all(
    pages.map(async (page) => {
      const reader = page.body?.pipeThrough(new TextDecoderStream()).getReader();
      for (let text = ''; !text.includes('event: overview');) {
        const { value, done } = (await reader?.read()) ?? { done: true };
        if (done) throw new Error(`The stream ended after ${text}`);
        text += value;
      }
      return reader;
    }),
  );
  // One when the first page opens, and one every two seconds: on a slow machine the pages take longer than that to open.
  expect(reads).toBeLessThanOrEqual(2 + Math.floor((performance.now() - start) / 2_000));
  await Promise.all(first.map(async (reader) => reader?.cancel()));
  await started.close();
});
