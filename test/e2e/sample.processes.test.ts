import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { TaskStatus } from 'nestjs-task-queue';
import type { ImportReport } from '../../sample/src/people/people.tasks.js';
import { createDatabase, startRedis } from '../support/servers.js';
import { dataFolder, type Sample, startSample } from '../support/sample.js';
import { readWorkbook } from '../support/workbook.js';

describe.each([
  ['Redis', ownRedis],
  ['PostgreSQL', ownDatabase],
])('the sample as a web and a worker process on %s', (_, openServer) => {
  let server: Awaited<ReturnType<typeof openServer>>;
  let data: Awaited<ReturnType<typeof dataFolder>>;
  let web: Sample;
  let worker: Sample;

  beforeAll(async () => {
    [server, data] = await Promise.all([openServer(), dataFolder()]);
    const env = { TASK_QUEUE_URL: server.url, SAMPLE_DATA: data.path, NODE_ENV: 'production' };
    [web, worker] = await Promise.all([
      startSample({ ...env, TASK_QUEUE_ROLE: 'producer' }),
      startSample({ ...env, TASK_QUEUE_ROLE: 'worker' }),
    ]);
  });

  afterAll(async () => {
    await Promise.all([web?.stop(), worker?.stop()]);
    await Promise.all([server?.close(), data?.remove()]);
  });

  test('a visitor uploads a file and downloads the workbook, and no other visitor can read them', async () => {
    const ada = await visitor(web.url);
    const eve = await visitor(web.url);
    const example = await ada.get('/people/example.xlsx');
    const accepted = await ada.upload('people.xlsx', await example.bytes());
    expect(accepted.status).toBe(202);
    const location = accepted.headers.get('Location') as string;

    const { state, result } = await ada.finalStatus(location);
    expect(state).toBe('succeeded');
    expect(result).toMatchObject({ imported: 113, refused: 7 });
    const { href } = (result as ImportReport).cleaned;
    const file = await ada.get(href);
    expect(file.headers.get('Content-Disposition')).toMatch(/^attachment; filename="?people-cleaned.xlsx"?$/);
    expect(await readWorkbook(await file.bytes())).toHaveLength(1 + 113);

    const strangers = [eve, { get: (path: string) => fetch(web.url + path) }];
    for (const stranger of strangers) {
      expect((await stranger.get(location)).status).toBe(404);
      expect((await stranger.get(href)).status).toBe(404);
    }
    expect((await eve.cancel(location)).status).toBe(404);
  });

  test('the error of a bad file reaches the visitor in production too', async () => {
    const ada = await visitor(web.url);
    const accepted = await ada.upload('people.csv', Buffer.from('Name\nAda\n'));
    const { state, error } = await ada.finalStatus(accepted.headers.get('Location') as string);
    expect(state).toBe('failed');
    expect(error?.message).toBe('The first row has to name the columns. Missing: email. Found: Name.');
  });

  test('an upload of 100 MB is refused', async () => {
    const ada = await visitor(web.url);
    const { status } = await ada.upload('huge.csv', Buffer.alloc(100 * 1024 * 1024, 'a'));
    expect(status).toBe(413);
  });

  test('the web process runs no queue, and the worker opens no port', () => {
    expect(web.output()).not.toContain('Running the queue');
    expect(worker.url).toBe('');
  });
});

/** A visitor with a cookie, as a browser has it. */
async function visitor(url: string) {
  const [cookie = ''] = (await fetch(url)).headers.getSetCookie();
  const headers = { cookie: cookie.split(';', 1)[0] as string };
  const get = async (path: string, more = {}) => {
    const response = await fetch(url + path, { headers: { ...headers, ...more } });
    return Object.assign(response, { bytes: async () => new Uint8Array(await response.arrayBuffer()) });
  };
  return {
    get,
    upload(name: string, content: Uint8Array) {
      const body = new FormData();
      body.append('file', new File([content], name));
      return fetch(`${url}/people/imports`, { method: 'POST', headers, body });
    },
    cancel: (path: string) => fetch(url + path, { method: 'DELETE', headers }),
    /** Waits for the final status. */
    finalStatus: async (path: string) =>
      (await (await get(path, { Prefer: 'wait=20' })).json()) as TaskStatus<ImportReport>,
  };
}

async function ownRedis() {
  const { url, close } = await startRedis();
  return { url, close };
}

async function ownDatabase() {
  const { url, drop } = await createDatabase(process.env.TEST_POSTGRES_URL as string);
  return { url, close: drop };
}
