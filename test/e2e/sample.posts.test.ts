import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import pg from 'pg';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { type Memory, openMemory } from '../../sample/src/outside/memory.js';
import { startSocialNetwork } from '../../sample/src/outside/social-network.js';
import type { StandIn } from '../../sample/src/outside/stand-in.js';
import { CHROMIUM_FLAGS } from '../support/chromium.js';
import { findChromium } from '../support/programs.js';
import { dataFolder, type Sample, startSample } from '../support/sample.js';
import { createDatabase, startRedis } from '../support/servers.js';
import { until } from '../support/until.js';

let browser: Browser;

beforeAll(async () => {
  browser = await chromium.launch({ executablePath: findChromium(), args: CHROMIUM_FLAGS });
});
afterAll(() => browser?.close());

describe.each([
  ['an embedded database', embedded],
  ['Redis', ownRedis],
  ['PostgreSQL', ownDatabase],
])('posts on %s', (_, openStore) => {
  let data: Awaited<ReturnType<typeof dataFolder>>;
  let store: Awaited<ReturnType<typeof openStore>>;
  let memory: Memory;
  let network: StandIn;
  let sample: Sample;
  let visit: BrowserContext;
  let page: Page;
  /** Called once when the network has stored a message, before it answers. */
  let whenStored: (() => Promise<void>) | undefined;

  beforeAll(async () => {
    data = await dataFolder();
    store = await openStore(data.path);
    memory = openMemory(join(data.path, 'network.db'));
    network = await startSocialNetwork(memory, {
      delay: 20,
      failsEvery: 3,
      limit: 4,
      window: 3_000,
      onStored: async () => {
        const hook = whenStored;
        whenStored = undefined;
        await hook?.();
      },
    });
    sample = await start();
  });
  afterAll(async () => {
    await sample?.stop();
    await network?.close();
    memory?.close();
    await store?.close();
    await data?.remove();
  });
  beforeEach(async () => {
    visit = await browser.newContext();
    visit.setDefaultTimeout(15_000);
    page = await visit.newPage();
  });
  afterEach(() => visit.close());

  const start = () =>
    startSample({
      TASK_QUEUE_URL: store.url,
      SAMPLE_DATA: join(data.path, 'data'),
      NETWORK_URL: network.url,
      SAMPLE_ABANDONED_AFTER: '2s',
    });
  const cards = () => page.getByRole('list', { name: 'Your posts' }).getByRole('listitem');
  const messages = () => page.getByRole('list', { name: 'Messages on the network' }).getByRole('listitem');

  async function attempts(): Promise<number[]> {
    const { posts } = (await (await page.request.get(`${sample.url}/posts`)).json()) as { posts: { task: string }[] };
    const statuses = posts.map(async ({ task }) => (await page.request.get(`${sample.url}/tasks/${task}`)).json());
    return ((await Promise.all(statuses)) as { attempt: number }[]).map(({ attempt }) => attempt);
  }

  async function connect(name: string): Promise<void> {
    await page.goto(`${sample.url}/features/posts`);
    await page.getByLabel('Name on the network').fill(name);
    await page.getByRole('button', { name: 'Connect' }).click();
    await page.getByLabel('Text').waitFor();
  }

  test('every post is published once, through errors and the limit of the network, and the token stays in the database', async () => {
    await connect('Ada');
    await page.getByRole('button', { name: 'Post five at once' }).click();
    await cards().getByText('The network asked to come back in').first().waitFor();
    await until(async () => (await cards().getByRole('status').filter({ hasText: 'Done' }).count()) === 5);
    await until(async () => (await messages().count()) === 5);
    expect(new Set(await messages().allInnerTexts()).size).toBe(5);
    // The network was out of order now and then, which takes an attempt. Its limit takes none.
    expect(Math.max(...(await attempts()))).toBeGreaterThan(1);

    const tokens = memory.prepare('SELECT token FROM member').all() as { token: string }[];
    const stored = await store.content();
    expect(stored).toContain('PostTasks.publish');
    for (const { token } of tokens) expect(stored).not.toContain(token);
  });

  test('a process that is killed after the network has stored a post, and before it answers, posts nothing twice', async () => {
    await connect('Grace');
    const killed = new Promise<void>((resolve, reject) => {
      whenStored = () => sample.kill().then(resolve, reject);
    });
    await page.getByLabel('Text').fill('Only once');
    await page.getByRole('button', { name: 'Post', exact: true }).click();
    await killed;
    sample = await start();
    await page.goto(`${sample.url}/features/posts`);
    await cards().getByRole('status').filter({ hasText: 'Done' }).waitFor();
    await messages().getByText('Only once').waitFor();
    expect(await messages().count()).toBe(1);
  });
});

async function embedded(folder: string) {
  const path = join(folder, 'engine');
  return {
    url: `pglite:${path}`,
    async content() {
      const files = await readdir(path, { recursive: true, withFileTypes: true });
      const contents = await Promise.all(
        files.filter((file) => file.isFile()).map((file) => readFile(join(file.parentPath, file.name), 'latin1')),
      );
      return contents.join('\n');
    },
    close: async () => undefined,
  };
}

async function ownRedis() {
  const server = await startRedis();
  return {
    url: server.url,
    async content() {
      const client = new Redis(server.url);
      const keys = await client.keys('*');
      const contents = await Promise.all(
        keys.map(async (key) => [
          key,
          await ((await client.type(key)) === 'hash' ? client.hgetall(key) : client.dump(key)),
        ]),
      );
      client.disconnect();
      return JSON.stringify(contents);
    },
    close: server.close,
  };
}

async function ownDatabase() {
  const { url, drop } = await createDatabase(process.env.TEST_POSTGRES_URL as string);
  return {
    url,
    async content() {
      const client = new pg.Client({ connectionString: url });
      await client.connect();
      const { rows } = await client.query<{ name: string }>(
        `SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) AS name FROM pg_tables WHERE schemaname = 'tasks'`,
      );
      const contents: unknown[] = [];
      for (const { name } of rows) contents.push((await client.query(`SELECT * FROM ${name}`)).rows);
      await client.end();
      return JSON.stringify(contents);
    },
    close: drop,
  };
}
