import { afterAll, afterEach, beforeAll, expect, jest, test } from '@jest/globals';
import { Module, type INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { TaskAdmin, TaskQueue, TaskQueueModule } from 'nestjs-task-queue';
import { TaskDashboardModule } from 'nestjs-task-queue/dashboard';
import type { AddressInfo } from 'node:net';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { CHROMIUM_FLAGS } from '../support/chromium.js';
import { fillDashboard, Holds, MailTasks, ReportTasks } from '../support/dashboard-data.js';
import { describeEachDatabase } from '../support/engines.js';
import { Gate } from '../support/gate.js';
import { findChromium } from '../support/programs.js';
import { until } from '../support/until.js';

jest.setTimeout(90_000);

let browser: Browser;
beforeAll(async () => {
  browser = await chromium.launch({ executablePath: findChromium(), args: CHROMIUM_FLAGS });
});
afterAll(() => browser.close());

describeEachDatabase('the first view of the dashboard', (engine) => {
  let app: INestApplication;
  let base: string;
  let context: BrowserContext;
  let page: Page;
  /** Errors and warnings of scripts, and what the policy of the page has refused. */
  let problems: string[];
  /** The paths of the requests of the page. */
  let requests: string[];

  beforeAll(async () => {
    @Module({
      imports: [TaskQueueModule.forRoot(await engine.place()), TaskDashboardModule.forRoot({ title: 'Lighthouse' })],
      providers: [Holds, MailTasks, ReportTasks],
    })
    class App {}
    app = await NestFactory.create(App, { logger: false });
    await app.listen(0, '127.0.0.1');
    base = `http://127.0.0.1:${(app.getHttpServer().address() as AddressInfo).port}/admin/tasks`;
    const admin = app.get(TaskAdmin);
    await fillDashboard(app.get(TaskQueue), admin);
    // A row that comes later would move what is below it.
    const reports = async () => (await admin.workers()).some(({ runningCount }) => runningCount > 0);
    await until(reports, 'the worker reports what it runs');
  }, 120_000);

  afterAll(async () => {
    app.get(Holds).gate.open();
    await app.close();
  });

  afterEach(async () => {
    await context.close();
    expect(problems).toEqual([]);
  });

  async function open(
    options: Parameters<Browser['newContext']>[0] = {},
    prepare?: () => Promise<unknown>,
  ): Promise<void> {
    context = await browser.newContext({ viewport: { width: 1280, height: 900 }, reducedMotion: 'reduce', ...options });
    context.setDefaultTimeout(30_000);
    page = await context.newPage();
    [problems, requests] = [[], []];
    page.on('pageerror', (error) => problems.push(error.message));
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) problems.push(`${message.text()} ${message.location().url}`);
    });
    page.on('request', (request) => requests.push(new URL(request.url()).pathname.replace(/^\/admin\/tasks/, '')));
    await prepare?.();
    // The first page of a process loads what renders pages, and a store on a busy machine may need longer than a page waits for it.
    await until(async () => {
      requests = [];
      const document = await page.goto(base, { waitUntil: 'commit' });
      return (await document?.text())?.includes('given-view') === true;
    }, 'the page comes with its data');
  }

  /** Opens a page without some of its scripts, which come once the gate is opened. */
  async function openWithout(scripts: RegExp): Promise<Gate> {
    const held = new Gate();
    await open({}, () =>
      page.route(scripts, async (route) => {
        await held.opened;
        await route.continue();
      }),
    );
    return held;
  }

  /** Waits until the scripts have given the charts the times of the reader's clock. */
  const started = () => page.locator('.plot text[text-anchor]').first().waitFor();

  test('is there without any script, and its links work', async () => {
    await open({ javaScriptEnabled: false });
    await page.getByRole('row', { name: /catalogue/ }).waitFor();
    expect(await page.getByRole('img', { name: /Throughput|Failures|depth|Wait|Run time/ }).count()).toBe(5);
    expect(await page.locator('.chart .plot path.line').first().getAttribute('d')).toMatch(/^M0,/);
    await page.getByRole('link', { name: 'Day' }).click();
    await page.waitForURL(/span=day/);
    // A store on a busy machine may need longer than a page waits for it.
    await until(async () => {
      if ((await page.getByRole('region', { name: 'The last day' }).count()) > 0) return true;
      await page.reload();
      return false;
    }, 'the page of a day comes with its data');
    expect(requests.filter((path) => path.startsWith('/api'))).toEqual([]);
  });

  test('is gone on with by the scripts: nothing moves, and nothing is read again', async () => {
    const held = await openWithout(/app-\w+\.js/);
    await page.getByRole('row', { name: /reports/ }).waitFor();
    const boxes = () =>
      page
        .locator('.head, .card, .chart, .plot, tbody tr, .nav a, .foot > *')
        .evaluateAll((all) => all.map((one) => JSON.stringify(one.getBoundingClientRect())));
    const before = await boxes();
    expect(await page.locator('.plot text[text-anchor]').count()).toBe(0);
    held.open();
    await started();
    expect(await boxes()).toEqual(before);
    expect(requests.filter((path) => /^\/api\/(overview|series)/.test(path))).toEqual([]);
    // Links that a server has made lead there from another view too.
    await page.getByRole('link', { name: 'Errors', exact: true }).click();
    await page.getByRole('heading', { name: 'Errors', exact: true }).waitFor();
    await page.getByRole('link', { name: 'Schedules', exact: true }).click();
    await page.waitForURL(`${base}/schedules`);
    expect(await page.getByRole('link', { name: 'Workers', exact: true }).getAttribute('href')).toBe(
      '/admin/tasks/workers',
    );
  });

  if (engine.name !== 'redis') return;

  test('needs no file but its document', async () => {
    await open({}, () => page.route(/\/assets\//, () => undefined));
    await page.getByRole('row', { name: /catalogue/ }).waitFor();
    const { width } = (await page.locator('.logo').boundingBox()) ?? {};
    expect(width).toBe(32);
    // The script that keeps what the reader does is small; the others come once the view is shown.
    expect(requests.filter((path) => !/^\/assets\/(app-\w+\.js|icon-\w+\.svg)$/.test(path))).toEqual(['']);
  });

  test('keeps what a reader does before the scripts run, and does it then', async () => {
    const held = await openWithout(/view-\w+\.js/);
    await page.waitForLoadState('domcontentloaded');
    await page.locator('.themes label', { hasText: 'Dark' }).click();
    await page.getByText('Values of Failures').click();
    await page
      .getByRole('row', { name: /catalogue/ })
      .getByRole('button', { name: 'Pause' })
      .click();
    expect(await page.getByRole('dialog').count()).toBe(0);
    held.open();
    await page.getByRole('dialog').getByLabel(/Why/).waitFor();
    expect(await page.locator('html').getAttribute('data-theme')).toBe('dark');
    expect(await page.getByRole('radio', { name: 'Dark', includeHidden: true }).isChecked()).toBe(true);
    await page.locator('.values td').first().waitFor();
  });

  test('keeps the keys that are pressed before the scripts run', async () => {
    const held = await openWithout(/view-\w+\.js/);
    await page.waitForLoadState('domcontentloaded');
    for (const key of ['g', 't']) await page.keyboard.press(key);
    held.open();
    await page.getByRole('heading', { name: 'Tasks', exact: true }).waitFor();
  });

  test('begins with the theme that was chosen', async () => {
    await open({ colorScheme: 'light' });
    await started();
    await page.locator('.themes label', { hasText: 'Dark' }).click();
    await page.goto(`${base}/workers`);
    expect(await page.locator('html').getAttribute('data-theme')).toBe('dark');
    expect(await page.getByRole('radio', { name: 'Dark' }).isChecked()).toBe(true);
    await page.goto(base);
    await started();
    expect(await page.getByRole('radio', { name: 'Dark' }).isChecked()).toBe(true);
  });
});
