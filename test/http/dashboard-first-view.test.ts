import { afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { Task } from 'nestjs-task-queue';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CsrfTokens } from '../../lib/dashboard/csrf-tokens.js';
import { settingsOf, startDashboard, type DashboardSetting, type StartedDashboard } from '../support/dashboard-app.js';
import { Gate } from '../support/gate.js';
import { platforms } from '../support/http-app.js';

const root = join(import.meta.dirname, '../..');
const HOSTILE = '</script><img/src=x/onerror=alert(1)>&"\'';

class Mails {
  @Task({ queue: 'mails' })
  send(): string {
    return 'sent';
  }

  @Task({ name: HOSTILE, queue: 'mails' })
  attack(): void {}
}

let server: string;
beforeAll(() => {
  server = mkdtempSync(join(tmpdir(), 'task-dashboard-server-'));
  const options = '--bundle --platform=node --format=cjs --jsx=automatic --jsx-import-source=preact --log-level=error';
  execFileSync(process.execPath, [
    ...[join(root, 'node_modules/esbuild/bin/esbuild'), join(root, 'dashboard/server.tsx'), ...options.split(' ')],
    `--outfile=${join(server, 'server/overview.cjs')}`,
  ]);
});

let started: StartedDashboard;
const start = async (platform: 'express' | 'fastify', setting: DashboardSetting = {}) => {
  started = await startDashboard(platform, { tasks: [Mails], server, ...setting });
};
afterEach(() => started?.close());

async function page(path = ''): Promise<string> {
  const response = await fetch(`${started.url}/admin/tasks${path}`);
  expect(response.status).toBe(200);
  return response.text();
}

/** The data in a page. */
function givenIn(html: string): {
  now: string;
  overview: { queues: { name: string }[] };
  series: { query: object; data: object }[];
} {
  const [, json = '{}'] = /<script type="application\/json" id="given-view">(.*?)<\/script>/s.exec(html) ?? [];
  return JSON.parse(json) as never;
}

async function runOne(name: string): Promise<void> {
  await (await started.queue.of<() => void>(name).enqueue()).result();
}

describe.each(platforms)('the document of the overview on %s', (platform) => {
  test('has queues and charts as markup, with the data that they show', async () => {
    await start(platform);
    await runOne('Mails.send');
    const html = await page();
    expect(html).toMatch(/<table class="cards"[^>]*><caption[^>]*>Queues.*<bdi>mails<\/bdi>/s);
    expect(html.match(/<figure class="chart">/g)?.length).toBe(5);
    expect(html).toMatch(/<path class="line[^"]*" d="M0,/);
    expect(html).toContain('href="./tasks/tasks?queue=mails"');
    const { overview, series } = givenIn(html);
    expect(overview.queues.map(({ name }) => name)).toEqual(['mails']);
    expect(series.map(({ query }) => query)).toEqual([{ span: 'hour' }]);
    // Nothing that the policy of the page refuses, and no time of a clock that is not the reader's.
    expect(html).not.toMatch(/ style=| on[a-z]+=/);
    expect(html).not.toMatch(/text-anchor/);
    // The logo of the page is the picture of its icon.
    const shapes = readFileSync(join(root, 'dashboard/icon.svg'), 'utf8').match(/ d="[^"]+"/g) ?? [];
    expect(shapes.length).toBe(4);
    for (const shape of shapes) expect(html).toContain(shape);
  });

  test('is that of its address: the span, the queue, the theme of a cookie, and links relative to it', async () => {
    await start(platform);
    await runOne('Mails.send');
    const html = await page('/?span=day&queue=mails');
    expect(givenIn(html).series.map(({ query }) => query)).toEqual([{ span: 'day' }, { span: 'day', queue: 'mails' }]);
    expect(html).toContain('<section class="card charts" aria-label="The last day">');
    expect(html).toContain('href="./errors"');
    expect(givenIn(await page('?span=constructor')).series[0]?.query).toEqual({ span: 'hour' });
    const themed = await fetch(`${started.url}/admin/tasks`, { headers: { cookie: 'a=b; task-dashboard-theme=dark' } });
    expect(await themed.text()).toMatch(/<html lang="en" data-theme="dark">.*value="dark" checked/s);
    expect(await page()).toContain('data-theme="auto"');
  });

  test('escapes the names of tasks, in the markup and in the data', async () => {
    await start(platform);
    await runOne(HOSTILE);
    const html = await page();
    expect(html).not.toContain('<img/');
    expect(html).toContain('&lt;/script>&lt;img/src=x/onerror=alert(1)>&amp;');
    expect(JSON.stringify(givenIn(html))).toContain(JSON.stringify(HOSTILE).slice(1, -1));
  });
});

describe('a document of a store that does not answer', () => {
  const read = (run: () => Promise<never>) =>
    Object.defineProperty(started.admin, 'queues', { value: run, configurable: true });

  test('comes without data when the store fails or is slow, and with it afterwards', async () => {
    await start('express');
    const queues = started.admin.queues.bind(started.admin);
    for (const run of [() => Promise.reject(new Error('down')), () => new Promise<never>(() => undefined)]) {
      read(run);
      const tokens = started.app.get(CsrfTokens, { strict: false });
      Object.defineProperty(tokens, 'create', { value: run, configurable: true });
      const before = performance.now();
      const html = await page();
      expect(performance.now() - before).toBeLessThan(1_500);
      expect(html).toContain('<div id="app"></div>');
      expect(html).not.toContain('given-view');
    }
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    read(queues as never);
    expect(await page()).toContain('id="given-view"');
  });

  test('comes with what was read in the last five seconds, and with what was read after a change', async () => {
    await start('express');
    await runOne('Mails.send');
    const before = givenIn(await page());
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    const queues = started.admin.queues.bind(started.admin);
    read(() => new Promise<never>(() => undefined));
    const recent = givenIn(await page());
    expect(recent.overview).toEqual(before.overview);
    expect(Date.parse(recent.now)).toBeGreaterThanOrEqual(Date.parse(before.now) + 1_000);
    read(queues as never);
    const { token } = settingsOf(await page());
    const change = await fetch(`${started.url}/admin/tasks/api/acts/pause`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-csrf-token': token },
      body: JSON.stringify({ queue: 'mails' }),
    });
    expect(change.status).toBe(200);
    expect(givenIn(await page()).overview.queues).toMatchObject([{ name: 'mails', paused: true }]);
  });

  test('has sent its head by then', async () => {
    await start('express');
    const gate = new Gate();
    read(() => gate.opened as Promise<never>);
    const reader = (await fetch(`${started.url}/admin/tasks`)).body?.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    while (!text.includes('</style>')) text += (await reader?.read())?.value ?? '';
    expect(text).not.toContain('<body>');
    await reader?.cancel();
    gate.open();
  });

  test('comes without data when it could not be rendered, and the log tells why', async () => {
    await start('express', { server: tmpdir() });
    expect(await page()).toContain('<div id="app"></div>');
    expect(started.log.errors.join('\n')).toContain('overview.cjs');
  });
});

test('documents that are asked for at the same time read the store once, and do not mix', async () => {
  await start('express', { options: { readOnly: ({ headers }) => headers['x-role'] !== 'operator' } });
  await runOne('Mails.send');
  await new Promise((resolve) => setTimeout(resolve, 1_100));
  let reads = 0;
  const queues = started.admin.queues.bind(started.admin);
  Object.defineProperty(started.admin, 'queues', { value: () => (reads++, queues()) });
  const before = performance.now();
  const pages = await Promise.all(
    Array.from({ length: 20 }, async (_, place) => {
      const headers = { 'x-role': place % 2 === 0 ? 'operator' : 'guest' };
      return (await fetch(`${started.url}/admin/tasks`, { headers })).text();
    }),
  );
  expect(reads).toBeLessThanOrEqual(1 + Math.floor((performance.now() - before) / 1_000));
  expect(pages.map((html) => html.includes('Limits of mails'))).toEqual(pages.map((_, place) => place % 2 === 0));
});
