import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { NestFactory } from '@nestjs/core';
import { Module, type INestApplication } from '@nestjs/common';
import { Task, TaskAdmin, TaskQueue, TaskQueueModule, TaskSchedules, type TaskBatch } from 'nestjs-task-queue';
import { TaskDashboardModule } from 'nestjs-task-queue/dashboard';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { CHROMIUM_FLAGS } from '../support/chromium.js';
import { fillDashboard, Holds, MailTasks, ReportTasks } from '../support/dashboard-data.js';
import { describeEachDatabase } from '../support/engines.js';
import { Gate } from '../support/gate.js';
import { findChromium } from '../support/programs.js';
import { until } from '../support/until.js';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const PATIENCE = 30_000;
jest.setTimeout(90_000);

let browser: Browser;
beforeAll(async () => {
  browser = await chromium.launch({ executablePath: findChromium(), args: CHROMIUM_FLAGS });
});
afterAll(() => browser.close());

type Filled = Awaited<ReturnType<typeof fillDashboard>>;

describeEachDatabase('the dashboard', (engine) => {
  let app: INestApplication;
  let base: string;
  let filled: Filled;
  let context: BrowserContext;
  let page: Page;
  /** Errors of scripts, and what the policy of the page has refused. */
  let problems: string[];

  beforeAll(async () => {
    @Module({
      imports: [TaskQueueModule.forRoot(await engine.place()), TaskDashboardModule.forRoot({ title: 'Lighthouse' })],
      providers: [Holds, MailTasks, ReportTasks],
    })
    class App {}
    app = await NestFactory.create(App, { logger: false });
    await app.listen(0, '127.0.0.1');
    base = `http://127.0.0.1:${(app.getHttpServer().address() as AddressInfo).port}/admin/tasks`;
    filled = await fillDashboard(app.get(TaskQueue), app.get(TaskAdmin));
  }, 120_000);

  afterAll(async () => {
    app.get(Holds).gate.open();
    await app.close();
  });

  afterEach(async () => {
    await context.close();
    expect(problems).toEqual([]);
  });

  async function open(path: string, options: Parameters<Browser['newContext']>[0] = {}): Promise<Page> {
    context = await browser.newContext({ viewport: { width: 1280, height: 900 }, reducedMotion: 'reduce', ...options });
    context.setDefaultTimeout(PATIENCE);
    page = await context.newPage();
    problems = [];
    page.on('pageerror', (error) => problems.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error' && !message.text().includes('404')) problems.push(message.text());
    });
    await page.goto(base + path);
    return page;
  }

  const text = (what: string | RegExp) => page.getByText(what).first().waitFor();

  /** What axe finds on the page as it is. Not by a script element, which the policy of the page refuses. */
  async function violations(): Promise<string> {
    const session = await context.newCDPSession(page);
    const { result } = await session.send('Runtime.evaluate', {
      expression: `${axe};axe.run().then(({ violations }) => JSON.stringify(violations.map(({ id, nodes }) => [id, nodes[0].html.slice(0, 200)])))`,
      awaitPromise: true,
      returnByValue: true,
    });
    await session.detach();
    return String(result.value);
  }

  const views = (): Record<string, readonly [path: string, shows: string | RegExp]> => ({
    overview: ['', 'Slowest by name'],
    tasks: ['/tasks?state=failed', /SmtpError: connect/],
    'a running task': [`/tasks/${filled.running.id}`, 'Sheet 12 of 18 of 2026-11'],
    'a failed task': [`/tasks/${filled.bad.id}`, 'Error of attempt 2'],
    errors: ['/errors', 'connect ECONNREFUSED'],
    workflows: ['/workflows', 'ReportTasks.index'],
    'a workflow': [`/workflows/${filled.failed.id}`, 'As a list'],
    schedules: ['/schedules', 'nightly-report'],
    workers: ['/workers', /pid \d+/],
    'nothing here': ['/tasks?name=none', 'No task matches'],
    'no such task': ['/tasks/mail.AAAAAAAAAAAAAAAAAAAAAA', 'The task is not stored'],
  });

  // The layout is the same on every engine, and axe takes its time: one shape is enough for the others.
  const isFirst = engine.name === 'redis';
  test('each view shows what is stored, fits on its screen, and has no violation of accessibility', async () => {
    const allShapes = [
      { colorScheme: 'light', viewport: { width: 1280, height: 900 } },
      { colorScheme: 'dark', viewport: { width: 360, height: 740 } },
    ] as const;
    for (const shape of isFirst ? allShapes : allShapes.slice(0, 1)) {
      await open('', shape);
      for (const [name, [path, shows]] of Object.entries(views())) {
        await page.goto(base + path);
        await text(shows);
        expect([name, shape, await page.evaluate('document.documentElement.scrollWidth')]).toEqual([
          name,
          shape,
          shape.viewport.width,
        ]);
        expect([name, shape, await violations()]).toEqual([name, shape, '[]']);
      }
      await context.close();
    }
  }, 180_000);

  test('what comes out of tasks stays text', async () => {
    await open(`/tasks/${filled.hostile.id}`);
    await text(/onerror=/);
    await page
      .getByRole('button', { name: /show all/ })
      .first()
      .click();
    await until(
      async () => (await page.locator('.tree').first().innerText()).length > 900_000,
      'the whole text is shown',
    );
    await page.goto(`${base}/tasks/${filled.running.id}`);
    await text('masked');
    expect(await page.content()).not.toContain('secret-token');
    expect(await page.evaluate('[window.hacked, document.querySelectorAll("main img, main script").length]')).toEqual(
      [null, 0].map((one) => one ?? undefined),
    );
  });

  test('a task is retried, and the page shows each state as it comes', async () => {
    await open(`/tasks/${filled.bad.id}`);
    await page.getByRole('button', { name: 'Retry' }).click();
    await text('The task is queued again.');
    await page.locator('h1 .state', { hasText: 'Failed' }).waitFor();
    await until(
      async () => (await app.get(TaskAdmin).task(filled.bad.id)).attempts.length > 2,
      'the task has run again',
    );
    await page.goto(`${base}/tasks/${filled.later.id}`);
    await page.getByRole('button', { name: 'Run now' }).click();
    await page.locator('h1 .state', { hasText: 'Succeeded' }).waitFor();
  });

  test('all tasks that match are retried after a question, with progress', async () => {
    await open('/errors');
    await page.getByRole('button', { name: /Retry all 1\d/ }).click();
    await page.getByRole('dialog').getByLabel('At most, in a second').fill('5');
    await page
      .getByRole('dialog')
      .getByRole('button', { name: /Retry 1\d tasks/ })
      .click();
    await page.getByRole('progressbar', { name: /Retry 1\d tasks/ }).waitFor();
    await page.getByRole('button', { name: 'Stop' }).waitFor();
    await text(/Done: 1\d tasks\./);
  });

  test('a declared task is enqueued by hand, and a mistake is told where it was made', async () => {
    await open('/tasks');
    await page.getByRole('button', { name: 'Enqueue a task' }).click();
    const dialog = page.getByRole('dialog');
    const enqueue = dialog.getByRole('button', { name: 'Enqueue the task' });
    expect(await dialog.locator('#enqueue-tasks option[value="MailTasks.welcome"]').count()).toBe(1);
    if (isFirst) expect(await violations()).toBe('[]');
    await dialog.getByLabel('Task', { exact: true }).fill('MailTasks.wellcome');
    await dialog.getByLabel(/Arguments/).fill('["by-hand@example.com"');
    await enqueue.click();
    await dialog.getByRole('alert').getByText('The arguments are no JSON').waitFor();
    await dialog.getByLabel(/Arguments/).fill('["by-hand@example.com"]');
    await enqueue.click();
    await dialog.getByRole('alert').getByText('No live worker declares the task "MailTasks.wellcome"').waitFor();
    await dialog.getByLabel('Task', { exact: true }).fill('MailTasks.welcome');
    await enqueue.click();
    await dialog.waitFor({ state: 'detached' });
    await text('MailTasks.welcome is enqueued.');
    await page.getByRole('link', { name: 'See the task' }).click();
    await page.locator('h1 .state', { hasText: 'Succeeded' }).waitFor();
    await text('sent to by-hand@example.com');
    await page.getByRole('button', { name: 'Enqueue again' }).click();
    expect(JSON.parse(await dialog.getByLabel(/Arguments/).inputValue())).toEqual(['by-hand@example.com']);
    await dialog.getByLabel('Starts in').fill('3h');
    await enqueue.click();
    await page.getByRole('link', { name: 'See the task' }).click();
    await page.locator('h1 .state', { hasText: 'Scheduled' }).waitFor();
    // The browser notes the refusal.
    problems = problems.filter((one) => !one.includes('400'));
  });

  test('a queue is paused and resumed, with undo', async () => {
    await open('');
    await page
      .getByRole('row', { name: /catalogue/ })
      .getByRole('button', { name: 'Pause' })
      .click();
    await page.getByRole('dialog').getByLabel(/Why/).fill('a test');
    await page.getByRole('dialog').getByRole('button', { name: 'Pause' }).click();
    await page
      .getByRole('row', { name: /catalogue/ })
      .getByText('Paused')
      .waitFor();
    await page.getByRole('button', { name: 'Undo' }).click();
    await page
      .getByRole('row', { name: /catalogue/ })
      .getByText('Consumed')
      .waitFor();
    expect((await app.get(TaskAdmin).queues()).find(({ name }) => name === 'catalogue')).toMatchObject({
      paused: false,
    });
  });

  if (!isFirst) return;

  test('filters live in the address, keys lead from view to view, and rows are chosen by them', async () => {
    await open('');
    await text('Queues');
    await page.keyboard.press('g');
    await page.keyboard.press('t');
    await page.getByRole('heading', { name: 'Tasks', exact: true }).waitFor();
    await page.keyboard.press('/');
    await page.keyboard.type('queue:mail state:failed args:9000');
    await page.keyboard.press('Enter');
    await page.waitForURL(/queue=mail/);
    expect(new URL(page.url()).searchParams.get('state')).toBe('failed');
    expect(new URL(page.url()).searchParams.get('args')).toBe('9000');
    await page
      .getByRole('row', { name: /MailTasks.receipt/ })
      .first()
      .waitFor();
    await page.locator('h1').click();
    await page.keyboard.press('j');
    await page.keyboard.press('x');
    await text('1 chosen');
    await page.goBack();
    await page.waitForURL(/tasks$/);
    await page.goForward();
    await page.getByRole('link', { name: /Remove the filter queue/ }).click();
    await page.waitForURL((url) => !url.searchParams.has('queue'));
  });

  test('a search suggests what may come next', async () => {
    await open('/tasks?state=succeeded');
    await page
      .getByRole('row', { name: /MailTasks.welcome/ })
      .first()
      .waitFor();
    const search = page.getByLabel('Search tasks');
    const suggested = () =>
      page.locator('#task-conditions option').evaluateAll((all) => all.map((one) => one.getAttribute('value') ?? ''));
    expect(await suggested()).toEqual(
      expect.arrayContaining(['name:MailTasks.welcome', 'queue:mail', 'state:failed', 'since:1h', 'header.owner:']),
    );
    await search.fill('queue:mail er');
    await page
      .locator('#task-conditions option[label^="error: SmtpError, connect"]')
      .first()
      .waitFor({ state: 'attached' });
    const all = await suggested();
    expect(all.every((one) => one.startsWith('queue:mail '))).toBe(true);
    expect(all.some((one) => one.startsWith('queue:mail queue:'))).toBe(false);
    const error = all.find((one) => one.includes('error:')) ?? '';
    await search.fill(error);
    await page.keyboard.press('Enter');
    await page.waitForURL((url) => url.searchParams.has('error') && url.searchParams.get('queue') === 'mail');
  });

  test('keys lead to each view, show their list, and open, choose and leave rows', async () => {
    await open('');
    await text('Queues');
    for (const [key, heading] of [
      ['t', 'Tasks'],
      ['e', 'Errors'],
      ['f', 'Workflows'],
      ['s', 'Schedules'],
      ['w', 'Workers'],
      ['o', 'Overview'],
    ] as const) {
      await page.keyboard.press('g');
      await page.keyboard.press(key);
      await page.getByRole('heading', { name: heading, exact: true }).waitFor();
    }
    await page.keyboard.press('?');
    await page.getByRole('dialog').getByRole('heading', { name: 'Keys' }).waitFor();
    expect(await violations()).toBe('[]');
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await page.goto(`${base}/tasks?state=succeeded`);
    await page
      .getByRole('row', { name: /MailTasks.welcome/ })
      .first()
      .waitFor();
    await page.locator('h1').click();
    for (const key of ['j', 'j', 'x', 'j', 'j', 'Shift+X']) await page.keyboard.press(key);
    await text('3 chosen');
    expect(await violations()).toBe('[]');
    await page.keyboard.press('c');
    await page.getByRole('dialog').getByRole('heading', { name: 'Cancel 3 tasks?' }).waitFor();
    await page.keyboard.press('Escape');
    await page.keyboard.press('Escape');
    await page.getByText('3 chosen').waitFor({ state: 'detached' });
    await page.locator('h1').click();
    await page.keyboard.press('j');
    await page.keyboard.press('Enter');
    await page.waitForURL(/tasks\/mail\./);
    await page.getByRole('button', { name: 'Enqueue again' }).waitFor();
  });

  test('what is changed is taken back by undo', async () => {
    const admin = app.get(TaskAdmin);
    const waits = await app.get(TaskQueue).of(MailTasks).welcome.with({ delay: '5h' }).enqueue('before@x');
    const args = async () => (await admin.task(waits.id)).args;
    await open(`/tasks/${waits.id}`);
    await page.getByRole('button', { name: 'Edit' }).click();
    await page
      .getByRole('dialog')
      .getByLabel(/Arguments/)
      .fill('["after@x"]');
    await page.getByRole('dialog').getByRole('button', { name: 'Change the task' }).click();
    await text('The task is changed.');
    expect(await args()).toEqual(['after@x']);
    await page.getByRole('button', { name: 'Undo' }).click();
    await text('The task is as before.');
    expect(await args()).toEqual(['before@x']);
    await waits.cancel();
    await page.goto(base);
    await page.getByRole('button', { name: 'Limits of catalogue' }).click();
    await page.getByRole('dialog').getByLabel('Tasks that run at once').fill('3');
    await page.getByRole('dialog').getByRole('button', { name: 'Set the limits' }).click();
    await text('The limits of catalogue are set.');
    const limit = async () =>
      (await admin.queues()).find(({ name }) => name === 'catalogue')?.globalConcurrency.override?.value ?? null;
    expect(await limit()).toBe(3);
    await page.getByRole('button', { name: 'Undo' }).click();
    await text('The limits of catalogue are as before.');
    expect(await limit()).toBeNull();
    await page.goto(`${base}/schedules`);
    await page.getByRole('button', { name: 'Pause nightly-report' }).click();
    await text('nightly-report is paused.');
    await page.getByRole('button', { name: 'Undo' }).click();
    await text('nightly-report goes on.');
    expect(await app.get(TaskSchedules).get('nightly-report')).toMatchObject({ paused: false });
  });

  test('a part that cannot be read tells what failed, and comes back without a new page', async () => {
    await open('');
    await text('Queues');
    for (const [path, what, shows] of [
      ['', 'The charts', 'Run time'],
      ['/tasks', 'The tasks', 'MailTasks.welcome'],
      [`/tasks/${filled.bad.id}`, 'The task', 'Error of attempt 2'],
      ['/errors', 'The errors', 'connect ECONNREFUSED'],
      ['/workflows', 'The workflows', 'ReportTasks.index'],
      [`/workflows/${filled.failed.id}`, 'The workflow', 'As a list'],
      ['/schedules', 'The schedules', 'nightly-report'],
    ] as const) {
      const refuse = /\/api\/(?!events)/;
      await page.route(refuse, (route) =>
        route.fulfill({ status: 400, contentType: 'application/json', body: '{"detail":"The store is away."}' }),
      );
      await page.goto(base + path);
      const notice = page.getByRole('alert').filter({ hasText: `${what} could not be read. The store is away.` });
      await notice.waitFor();
      expect(await page.getByRole('navigation', { name: 'Views' }).count()).toBe(1);
      await page.unroute(refuse);
      // Some views try again by themselves.
      const button = notice.getByRole('button', { name: 'Try now' });
      await button.click({ timeout: 2_000 }).catch(() => undefined);
      await notice.waitFor({ state: 'detached' });
      await text(shows);
    }
    await page.goto(base);
    // Until the scripts run, a link loads a page.
    await page.locator('.plot text[text-anchor]').first().waitFor();
    await page.route(/view-\w+\.js/, (route) => route.abort());
    await page.getByRole('link', { name: 'Workers', exact: true }).click();
    await text('This view could not be loaded');
    await page.getByRole('button', { name: 'Load the page again' }).waitFor();
    problems = problems.filter((one) => !/400|net::ERR/.test(one));
  });

  test('times are those of the reader, exact on hover, and nothing moves for who wants no motion', async () => {
    await open(`/tasks/${filled.running.id}`, { timezoneId: 'Asia/Tokyo', locale: 'en-GB' });
    await text('Sheet 12 of 18 of 2026-11');
    const time = page.locator('dl.facts time').first();
    const title = (await time.getAttribute('title')) ?? '';
    const at = new Date((await time.getAttribute('datetime')) ?? '');
    expect(title).toContain(at.toLocaleTimeString('en-GB', { timeZone: 'Asia/Tokyo' }));
    expect(title).toMatch(/GMT\+9|JST/);
    const movesOf = () =>
      page
        .locator('h1 .state .icon')
        .evaluate((icon) => icon.ownerDocument.defaultView?.getComputedStyle(icon).animationName);
    expect(await movesOf()).toBe('none');
    await context.close();
    await open(`/tasks/${filled.running.id}`, { reducedMotion: 'no-preference' });
    await text('Sheet 12 of 18 of 2026-11');
    expect(await movesOf()).toBe('turn');
  });

  test('a screen of 4k is used: the text is larger, and its lines are not longer', async () => {
    for (const colorScheme of ['light', 'dark'] as const) {
      await open('', { viewport: { width: 3840, height: 2160 }, colorScheme });
      for (const [name, [path, shows]] of Object.entries(views())) {
        await page.goto(base + path);
        await text(shows);
        const [scrolled, font, width, longest] = await page.evaluate<[number, number, number, number]>(`[
          document.documentElement.scrollWidth,
          parseFloat(getComputedStyle(document.body).fontSize),
          document.querySelector('main').clientWidth,
          Math.max(0, ...[...document.querySelectorAll('main p')].map((one) => one.clientWidth / parseFloat(getComputedStyle(one).fontSize))),
        ]`);
        expect([name, scrolled]).toEqual([name, 3840]);
        expect(font).toBeGreaterThan(18);
        expect(width).toBeGreaterThan(2_400);
        expect(width).toBeLessThan(2_800);
        // In units of the font: a line of 80 has about 160 letters.
        expect([name, longest <= 80]).toEqual([name, true]);
      }
      await context.close();
    }
    await open('', { viewport: { width: 3840, height: 2160 } });
    await text('Run time');
    expect((await page.locator('.plot').first().boundingBox())?.height).toBeGreaterThan(200);
  });

  test('errors are searched, and the search is a part of the address', async () => {
    await open('/errors');
    await text('connect ECONNREFUSED');
    await page.keyboard.press('/');
    await page.keyboard.type('characters left');
    await page.waitForURL(/text=characters/);
    await page.getByText('connect ECONNREFUSED').first().waitFor({ state: 'detached' });
    expect(await page.locator('.print').count()).toBeGreaterThan(0);
    await page.getByLabel('Search errors').fill('no such words');
    await text('No error matches');
    await page.getByRole('link', { name: 'Clear the search' }).click();
    await text('connect ECONNREFUSED');
  });

  test('the values of a chart are a table, and a graph is there on a phone', async () => {
    await open('');
    await page.getByText('Values of Failures').click();
    const values = page.getByRole('region', { name: /Values of Failures/ });
    await values.getByRole('columnheader', { name: 'failed', exact: true }).waitFor();
    expect(await values.getByRole('row').count()).toBeGreaterThan(50);
    const readouts = page.locator('.readout:visible');
    expect(await readouts.count()).toBe(0);
    const plots = page.getByRole('img', { name: /Throughput|Failures|depth|Wait|Run time/ });
    const places = await plots.count();
    expect(places).toBe(5);
    await plots.first().focus();
    for (const key of ['ArrowLeft', 'ArrowLeft', 'ArrowRight']) await page.keyboard.press(key);
    await until(async () => (await readouts.count()) === places, 'all charts show the values of the same time');
    await readouts
      .first()
      .getByText(/^\d\d:\d\d · succeeded [\d,]+ · enqueued [\d,]+/)
      .waitFor();
    await plots.last().hover();
    await until(
      async () => new Set((await readouts.allInnerTexts()).map((one) => one.slice(0, 5))).size === 1,
      'one time',
    );
    await context.close();
    await open(`/workflows/${filled.done.id}`, { viewport: { width: 360, height: 740 } });
    const box = await page.locator('svg.flow').boundingBox();
    expect(box?.width).toBeLessThanOrEqual(360);
    expect(box?.height).toBeGreaterThan(200);
  });

  test('a removed schedule comes back by undo, with all of its settings', async () => {
    const schedules = app.get(TaskSchedules);
    const settings = {
      task: 'MailTasks.welcome',
      args: ['x@example.com'],
      cron: '0 9 * * 1-5',
      timezone: 'Asia/Tokyo',
    };
    await schedules.upsert('greeting', { ...settings, overlap: 'skip', catchUp: 'none', limit: 7 });
    const before = await schedules.get('greeting');
    await open('/schedules');
    await page.getByRole('button', { name: 'Remove greeting' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
    await text('greeting is removed.');
    expect(await schedules.get('greeting')).toBeUndefined();
    await page.getByRole('button', { name: 'Undo' }).click();
    await text('greeting is back.');
    expect(await schedules.get('greeting')).toMatchObject({
      ...{ cron: before?.cron, timezone: before?.timezone, args: before?.args, task: before?.task },
      ...{ overlap: 'skip', catchUp: 'none', limit: 7 },
    });
    await schedules.remove('greeting');
  });

  test('chosen tasks are changed together, and the page tells which were left alone', async () => {
    const mails = app.get(TaskQueue).of(MailTasks);
    const some = await mails.welcome.with({ delay: '3h' }).enqueueMany([['a@x'], ['b@x'], ['c@x']]);
    await open('/tasks?state=scheduled');
    for (const { id } of some) await page.getByLabel(`Choose MailTasks.welcome ${id}`).click();
    await text('3 chosen');
    await some[0]?.cancel();
    await page.locator('tbody [data-state=cancelled]').waitFor();
    await page.keyboard.press('r');
    await text('1 task queued again. 2 left alone: only tasks that failed or were cancelled run again.');
    await some[0]?.result();
  });

  test('all files of the page are under 150 kB compressed', async () => {
    await open('');
    const folder = new URL('../../dist/dashboard/', import.meta.url);
    const names = readdirSync(folder).filter((name) => /\.(js|css|svg)$/.test(name));
    const sizes = names.map((name) => gzipSync(readFileSync(new URL(name, folder))).length);
    const total = sizes.reduce((sum, size) => sum + size, 0);
    expect(names.length).toBeGreaterThan(5);
    expect(total).toBeGreaterThan(30_000);
    expect(total).toBeLessThan(150_000);
  });

  test('the page tells that the connection is lost, and goes on when it is back', async () => {
    await open('');
    await text('Queues');
    await context.setOffline(true);
    await app.get(TaskAdmin).pause('reports');
    await context.route('**/api/events*', (route) => route.abort());
    await page.evaluate('void 0');
    await page.reload().catch(() => undefined);
    await context.setOffline(false);
    await page.reload();
    await text('The connection was lost.');
    await context.unroute('**/api/events*');
    await page.getByText('The connection was lost.').waitFor({ state: 'detached' });
    await page
      .getByRole('row', { name: /reports/ })
      .getByText('Paused')
      .waitFor();
    await app.get(TaskAdmin).resume('reports');
    await page
      .getByRole('row', { name: /reports/ })
      .getByText('Consumed')
      .waitFor();
    problems = problems.filter((one) => !one.includes('net::ERR'));
  });
});

describe('the dashboard of a queue with batches', () => {
  test('compares the tasks that run with the tasks that may run, and not with runs', async () => {
    const gate = new Gate();
    const full = new Gate();
    class Rows {
      @Task({ queue: 'rows', batch: { size: 10, wait: '10s' } })
      async store(rows: TaskBatch<[number]>): Promise<void> {
        if (rows.length === 10) full.open();
        await gate.opened;
      }
    }
    const queues = { rows: { concurrency: 3, globalConcurrency: 2 } };
    @Module({
      imports: [TaskQueueModule.forRoot({ connection: 'memory:', queues }), TaskDashboardModule.forRoot()],
      providers: [Rows],
    })
    class App {}
    const app = await NestFactory.create(App, { logger: false });
    await app.listen(0, '127.0.0.1');
    const tasks = Array.from({ length: 10 }, (_, row) => [row] as const);
    await app.get(TaskQueue).of(Rows).store.enqueueMany(tasks);
    await full.opened;
    const page = await browser.newPage();
    page.setDefaultTimeout(PATIENCE);
    await page.goto(`${await app.getUrl()}/admin/tasks`);
    const row = page.getByRole('row', { name: /rows/ });
    await row.getByLabel('10 of 20 places').waitFor();
    await row.getByText('2 runs at once').waitFor();
    await page.close();
    gate.open();
    await app.close();
  });
});

describe('the dashboard that is read-only', () => {
  test('has no button that changes something, in no view', async () => {
    @Module({
      imports: [TaskQueueModule.forRoot({ connection: 'memory:' }), TaskDashboardModule.forRoot({ readOnly: true })],
      providers: [Holds, MailTasks, ReportTasks],
    })
    class App {}
    const app = await NestFactory.create(App, { logger: false });
    await app.listen(0, '127.0.0.1');
    const filled = await fillDashboard(app.get(TaskQueue), app.get(TaskAdmin));
    await app.get(TaskSchedules).upsert('mine', { task: 'MailTasks.welcome', args: ['x@x'], every: '1d' });
    const page = await browser.newPage();
    page.setDefaultTimeout(PATIENCE);
    for (const [path, shows] of [
      ['', 'catalogue'],
      ['/tasks', 'MailTasks.welcome'],
      [`/tasks/${filled.bad.id}`, 'Error of attempt 2'],
      [`/tasks/${filled.later.id}`, 'Its time comes'],
      ['/errors', 'connect ECONNREFUSED'],
      [`/workflows/${filled.failed.id}`, 'As a list'],
      ['/schedules', 'mine'],
      ['/workers', /pid \d+/],
    ] as const) {
      await page.goto(`${await app.getUrl()}/admin/tasks${path}`);
      await page.getByText(shows).first().waitFor();
      const names = await page
        .locator('main')
        .getByRole('button')
        .evaluateAll((all) => all.map((one) => one.getAttribute('aria-label') ?? one.textContent));
      expect([path, names.filter((name) => !/^Copy|show all|^The list has changed/.test(name ?? ''))]).toEqual([
        path,
        [],
      ]);
      expect([path, await page.locator('main').getByRole('checkbox').count()]).toEqual([path, 0]);
    }
    await page.close();
    app.get(Holds).gate.open();
    await app.close();
  });
});

describe('the dashboard of an application without tasks', () => {
  test('tells in each view what would be there', async () => {
    @Module({
      imports: [TaskQueueModule.forRoot({ connection: 'memory:', role: 'producer' }), TaskDashboardModule.forRoot()],
    })
    class App {}
    const app = await NestFactory.create(App, { logger: false });
    await app.listen(0, '127.0.0.1');
    const page = await browser.newPage();
    page.setDefaultTimeout(PATIENCE);
    for (const [path, ...texts] of [
      ['', 'No queue yet', 'No task ran', 'No worker reports a running task'],
      ['/tasks', 'Nothing is stored yet.'],
      ['/errors', 'Failed tasks appear here, grouped by their error.'],
      ['/workflows', 'They appear here as soon as the application enqueues one.'],
      ['/schedules', 'or make one here'],
      ['/workers', 'Tasks are kept and run when one comes up.'],
    ] as const) {
      await page.goto(`${await app.getUrl()}/admin/tasks${path}`);
      for (const shown of texts) await page.getByText(shown).first().waitFor();
    }
    await page.close();
    await app.close();
  });
});
