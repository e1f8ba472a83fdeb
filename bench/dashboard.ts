import { NestFactory } from '@nestjs/core';
import { TaskAdmin, TaskQueue } from 'nestjs-task-queue';
import { TaskDashboardModule } from 'nestjs-task-queue/dashboard';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { chromium, type Browser } from 'playwright-core';
import { CHROMIUM_FLAGS } from '../test/support/chromium.js';
import { findChromium } from '../test/support/programs.js';
import type { Course, Row } from './harness/compare.js';
import type { Contenders } from './harness/contender.js';
import { percentile, readable } from './harness/figures.js';
import { freePlace, Rival } from './harness/rival.js';
import { PAYLOAD, type Payload } from './harness/workload.js';
import { multiply } from './lists.js';
import { moduleAt } from './peers/apps.js';

export const about =
  'The dashboard on a store with very many tasks (`--tasks=1000000`), half of them waiting and half of them failed: the first view in a browser without a cache, and 100 pages that stay open for `--seconds=30`.';

const TASKS = 1_000_000;
/** First views that are measured. */
const VIEWS = 20;
/** Milliseconds that a first view may take, at the median: from the address to the charts and the queues. */
const FIRST_VIEW = 300;
const PAGES = 100;
/** Percent of a core that the process may use while the pages are open. */
const PROCESSOR = 5;
/** Reads of the store in a second. */
const READS = 1;
/** Milliseconds in which a browser comes to rest after a page. */
const REST = 500;
/** In front of the times that a page tells. */
const TOLD = 'times of this page: ';

/**
 * Runs in the page. Tells when its charts and its queues are shown and painted, and when its scripts answer to clicks: they give the charts the times of the
 * reader's clock, which no server knows.
 */
const TELL_DASHBOARD = `{
  let shown, painted;
  new PerformanceObserver((paints) => {
    painted ??= paints.getEntriesByName('first-contentful-paint')[0]?.startTime;
  }).observe({ type: 'paint', buffered: true });
  (function look() {
    const isShown = document.querySelector('.chart .plot path.line') && document.querySelector('table.cards tbody tr');
    if (isShown) shown ??= performance.now();
    if (painted && isShown && document.querySelector('.plot text[text-anchor]'))
      console.debug('${TOLD}' + shown + ' ' + painted + ' ' + performance.now());
    else requestAnimationFrame(look);
  })();
}`;
/** Runs in an icon, which is the smallest document that the dashboard has. */
const TELL_ICON = `requestAnimationFrame(() => console.debug('${TOLD}' + performance.now()))`;

export const contenders: Contenders = {
  async Dashboard(place, count) {
    const app = await NestFactory.create(
      moduleAt(
        place,
        { role: 'producer' },
        { imports: [TaskDashboardModule.forRoot({ guards: [{ canActivate: () => true }] })] },
      ),
      { logger: ['error', 'warn'] },
    );
    await app.listen(0, '127.0.0.1');
    const send = app.get(TaskQueue).of<(mail: Payload) => void>('Mails.send');
    for (const name of ['failed', 'waiting']) {
      await send.with({ queue: name }).enqueue(PAYLOAD);
      await multiply(place, name, count / 2, name === 'failed');
    }
    const admin = app.get(TaskAdmin);
    let reads = 0;
    const queues = admin.queues.bind(admin);
    Object.defineProperty(admin, 'queues', { value: () => (reads++, queues()) });
    return {
      info: (app.getHttpServer().address() as AddressInfo).port,
      round: async () => ({ reads }),
      close: () => app.close(),
    };
  },
};

/** Milliseconds from an address on, in new profiles of a browser. */
interface Views {
  /** To the frame in which the dashboard has its charts and its queues. */
  readonly shown: number[];
  /** To the paint of that frame, after the browser's own work on style, layout and pixels. */
  readonly painted: number[];
  /** To a dashboard that answers to clicks. */
  readonly answering: number[];
  /** To the first frame of an icon alone. */
  readonly icon: number[];
}

async function firstViews(url: string): Promise<Views> {
  const iconUrl = `${url}/${/assets\/icon-\w+\.svg/.exec(await (await fetch(url)).text())?.[0]}`;
  const browser = await chromium.launch({ executablePath: findChromium(), args: CHROMIUM_FLAGS });
  const times = { shown: [] as number[], painted: [] as number[], answering: [] as number[], icon: [] as number[] };
  for (let view = -3; view < VIEWS; view++) {
    const [icon = NaN] = await firstView(browser, iconUrl, TELL_ICON);
    const [shown = NaN, painted = NaN, answering = NaN] = await firstView(browser, url, TELL_DASHBOARD);
    if (view < 0) continue;
    times.icon.push(icon);
    times.shown.push(shown);
    times.painted.push(painted);
    times.answering.push(answering);
  }
  await browser.close();
  return times;
}

/**
 * The page itself tells its times. To look into a page takes as much time as the page needs.
 *
 * @returns what the script told
 */
async function firstView(browser: Browser, url: string, script: string): Promise<number[]> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
  const page = await context.newPage();
  await sleep(REST);
  await page.addInitScript(script);
  const told = page.waitForEvent('console', (message) => message.text().startsWith(TOLD));
  await page.goto(url);
  const times = (await told).text().slice(TOLD.length).split(' ').map(Number);
  await context.close();
  return times;
}

/** Opens event streams as pages do, and resolves once each of them has an overview. */
async function openPages(url: string): Promise<() => void> {
  const stop = new AbortController();
  await Promise.all(
    Array.from({ length: PAGES }, async () => {
      const { body } = await fetch(`${url}/api/events`, { signal: stop.signal });
      const reader = (body as ReadableStream<Uint8Array>).pipeThrough(new TextDecoderStream()).getReader();
      for (let text = ''; !text.includes('event: overview');) text += (await reader.read()).value ?? '';
      void (async () => {
        while (!(await reader.read()).done);
      })().catch(() => undefined);
    }),
  );
  return () => stop.abort();
}

export async function run(course: Course): Promise<Row[]> {
  const count = course.option('tasks', TASKS);
  const seconds = course.option('seconds', 30);
  const rows: Row[] = [];
  for (const [what, store] of [
    ['Redis', 'redis'],
    ['PostgreSQL', 'postgres'],
  ] as const) {
    const rival = await Rival.start(course.file, 'Dashboard', freePlace(store, await course.server(store)), count);
    const url = `http://127.0.0.1:${rival.info as number}/admin/tasks`;
    const add = (figure: string, ours: string, must: string, met: boolean, peer = '') =>
      rows.push({
        ...{ what: `${what}, ${count.toLocaleString('en')} stored: ${figure}`, ours },
        ...{ peer, ratio: '', must, met },
      });
    const views = await firstViews(url);
    const describe = (times: readonly number[]) =>
      `${readable(percentile(times, 50))} ms p50, ${readable(percentile(times, 95))} ms p95`;
    add(
      'first view',
      describe(views.shown),
      `at most ${FIRST_VIEW} ms p50`,
      percentile(views.shown, 50) <= FIRST_VIEW,
      `an icon alone: ${describe(views.icon)}`,
    );
    add('first view, painted', describe(views.painted), '', true);
    add('answers to clicks', describe(views.answering), '', true);
    const close = await openPages(url);
    const before = { cpu: await rival.cpu(), reads: (await rival.round())['reads'] };
    await sleep(seconds * 1_000);
    const share = ((await rival.cpu()) - before.cpu) / seconds / 10;
    const reads = ((await rival.round())['reads'] - before.reads) / seconds;
    close();
    add(`${PAGES} open pages`, `${readable(share)} % of a core`, `at most ${PROCESSOR} %`, share <= PROCESSOR);
    add(`${PAGES} open pages`, `${readable(reads)} reads a second`, `at most ${READS}`, reads <= READS);
    await rival.close();
  }
  return rows;
}
