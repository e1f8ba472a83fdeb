import { NestFactory } from '@nestjs/core';
import { TaskAdmin, TaskQueue } from 'nestjs-task-queue';
import { TaskDashboardModule } from 'nestjs-task-queue/dashboard';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { chromium } from 'playwright-core';
import { CHROMIUM_FLAGS } from '../test/support/chromium.js';
import { findChromium } from '../test/support/programs.js';
import type { Course, Row } from './harness/compare.js';
import type { Contenders } from './harness/contender.js';
import { percentile, readable } from './harness/figures.js';
import { freePlace, Rival } from './harness/rival.js';
import { PAYLOAD, type Payload } from './harness/workload.js';
import { failAll } from './lists.js';
import { moduleAt } from './peers/apps.js';

export const about =
  'The dashboard on a store with very many tasks (`--tasks=1000000`), half of them waiting and half of them failed: the first view in a browser without a cache, and 100 pages that stay open for `--seconds=30`.';

const TASKS = 1_000_000;
const AT_ONCE = 10_000;
/** First views that are measured. */
const VIEWS = 20;
/** Milliseconds that a first view may take, at the median: from the address to the charts and the queues. */
const FIRST_VIEW = 300;
const PAGES = 100;
/** Percent of a core that the process may use while the pages are open. */
const PROCESSOR = 5;
/** Reads of the store in a second. */
const READS = 1;

/** Runs in the page, and notes when its charts and its queues are shown. */
const NOTE_TIME = `(function note() {
  if (document.querySelector('.chart canvas') && document.querySelector('table.cards tbody tr'))
    document.documentElement.dataset.shown = performance.now();
  else requestAnimationFrame(note);
})()`;

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
      for (let left = count / 2; left > 0; left -= AT_ONCE)
        await send
          .with({ queue: name })
          .enqueueMany(Array.from({ length: Math.min(left, AT_ONCE) }, (): [Payload] => [PAYLOAD]));
      if (name === 'failed') await failAll(place, name);
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

/** Milliseconds from the address to a page that shows its charts and its queues, in new profiles of a browser. */
async function firstViews(url: string): Promise<number[]> {
  const browser = await chromium.launch({ executablePath: findChromium(), args: CHROMIUM_FLAGS });
  const times: number[] = [];
  for (let view = -3; view < VIEWS; view++) {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
    const page = await context.newPage();
    // The page itself notes the time, because the way to this process and back takes time too.
    await page.addInitScript(NOTE_TIME);
    await page.goto(url);
    const root = page.locator('html[data-shown]');
    await root.waitFor();
    if (view >= 0) times.push(Number(await root.getAttribute('data-shown')));
    await context.close();
  }
  await browser.close();
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
    const add = (figure: string, ours: string, must: string, met: boolean) =>
      rows.push({
        ...{ what: `${what}, ${count.toLocaleString('en')} stored: ${figure}`, ours },
        ...{ peer: '', ratio: '', must, met },
      });
    const times = await firstViews(url);
    const [p50, p95] = [percentile(times, 50), percentile(times, 95)];
    add(
      'first view',
      `${readable(p50)} ms p50, ${readable(p95)} ms p95`,
      `at most ${FIRST_VIEW} ms p50`,
      p50 <= FIRST_VIEW,
    );
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
