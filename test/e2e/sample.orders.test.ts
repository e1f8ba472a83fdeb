import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import pg from 'pg';
import type { LoadView } from '../../sample/src/orders/order-load.js';
import { commandLine } from '../support/command-line.js';
import { createDatabase, startPostgres, startRedis } from '../support/servers.js';
import { dataFolder, type Sample, startSample } from '../support/sample.js';
import { until } from '../support/until.js';

// A loaded machine takes half a minute to start the sample and a browser.
jest.setTimeout(90_000);

type Server = Awaited<ReturnType<typeof startPostgres>>;

describe.each([
  ['Redis', startRedis],
  ['PostgreSQL', ownDatabase],
])('orders in a database of their own, and tasks on %s', (name, openStore) => {
  let store: { readonly url: string; close(): Promise<void> };
  let orders: Server;
  let data: Awaited<ReturnType<typeof dataFolder>>;
  let processes: Sample[] = [];
  let shop: Shop;

  beforeAll(async () => {
    // Durable, because a stop must not lose what was committed.
    [store, orders, data] = await Promise.all([openStore(), startPostgres({ durable: true }), dataFolder()]);
    expect((await commandLine(['migrate', '--url', orders.url, '--outbox'])).err).toBe('');
    const env = { TASK_QUEUE_URL: store.url, SAMPLE_DATABASE_URL: orders.url, SAMPLE_DATA: data.path };
    processes = await Promise.all([
      startSample({ ...env, TASK_QUEUE_ROLE: 'producer' }),
      startSample({ ...env, TASK_QUEUE_ROLE: 'worker' }),
    ]);
    shop = new Shop(processes[0]!.url);
  });

  afterAll(async () => {
    await Promise.all(processes.map((one) => one.stop()));
    await Promise.all([store?.close(), orders?.close(), data?.remove()]);
  });

  test('the page names the places', async () => {
    expect(await shop.get('/orders/place')).toEqual({ orders: 'PostgreSQL', tasks: name, isServer: true });
  });

  test('twenty shops write by twenty connections, and through the queue by one', async () => {
    const direct = await shop.load({ way: 'direct', shops: 20, orders: 1000 });
    expect(direct).toMatchObject({ written: 1000, refused: 0 });
    expect(direct.mostConnections).toBeGreaterThanOrEqual(15);
    const queue = await shop.load({ way: 'queue', shops: 20, orders: 1000 });
    expect(queue).toMatchObject({ written: 1000, refused: 0, mostWaiting: 0 });
    expect(queue.mostConnections).toBeLessThanOrEqual(1);
    await expectStockOf(orders.url);
  });

  test('the database is stopped and comes back: the queue loses no order', async () => {
    await orders.stop();
    const load = shop.load({ way: 'queue', shops: 10, orders: 500 });
    await until(
      async () => shop.latest()?.accepted === 500 && !shop.latest()?.isDatabaseUp,
      'all shops have their answers while the database is stopped',
    );
    expect(shop.latest()).toMatchObject({ written: 0, isDone: false });
    await orders.restart();
    expect(await load).toMatchObject({ accepted: 500, refused: 0, written: 500 });
    await expectStockOf(orders.url);
  });

  test('a confirmation is enqueued with its order, or not at all', async () => {
    expect((await shop.post('/orders', { isPaid: false })).status).toBe(402);
    const accepted = await shop.post('/orders', { isPaid: true });
    expect(accepted.status).toBe(202);
    await until(async () => {
      const rows = await rowsOf(orders.url, 'SELECT confirmed_at IS NOT NULL AS done FROM sample.confirmed');
      return rows.length === 1 && rows[0]?.['done'] === true;
    }, 'one order is there, and it is confirmed');
  });
});

test('orders and tasks in one database of PostgreSQL need no outbox', async () => {
  const { url, close } = await ownDatabase();
  const data = await dataFolder();
  const sample = await startSample({ TASK_QUEUE_URL: url, SAMPLE_DATA: data.path });
  const shop = new Shop(sample.url);
  expect(await shop.load({ way: 'queue', shops: 10, orders: 200 })).toMatchObject({ written: 200, refused: 0 });
  expect((await shop.post('/orders', { isPaid: false })).status).toBe(402);
  expect((await shop.post('/orders', { isPaid: true })).status).toBe(202);
  await until(
    async () => (await rowsOf(url, 'SELECT FROM sample.confirmed WHERE confirmed_at IS NOT NULL')).length === 1,
    'the order is confirmed',
  );
  await sample.stop();
  await Promise.all([close(), data.remove()]);
});

/** What the page asks the server for. */
class Shop {
  private readonly views: LoadView[] = [];

  constructor(private readonly url: string) {}

  async get(path: string): Promise<unknown> {
    return (await fetch(this.url + path)).json();
  }

  post(path: string, body: object): Promise<Response> {
    const headers = { 'content-type': 'application/json' };
    return fetch(this.url + path, { method: 'POST', headers, body: JSON.stringify(body) });
  }

  latest(): LoadView | undefined {
    return this.views.at(-1);
  }

  /** Runs a load to its end. */
  async load(request: Pick<LoadView, 'way' | 'shops' | 'orders'>): Promise<LoadView> {
    const { id } = (await (await this.post('/orders/loads', request)).json()) as { id: string };
    const { body } = await fetch(`${this.url}/orders/loads/${id}`);
    this.views.length = 0;
    let text = '';
    for await (const chunk of body!.pipeThrough(new TextDecoderStream())) {
      const lines = (text + chunk).split('\n');
      text = lines.pop() ?? '';
      for (const line of lines.filter((one) => one.startsWith('data: '))) {
        const view = JSON.parse(line.slice(6)) as LoadView;
        this.views.push(view);
        if (view.isDone) return view;
      }
    }
    throw new Error('The stream ended before the load.');
  }
}

/** Each order has changed the stock once, and no other has. */
async function expectStockOf(url: string): Promise<void> {
  const [row] = await rowsOf(
    url,
    'SELECT (SELECT sum(sold) FROM sample.stock)::integer AS sold, (SELECT sum(quantity) FROM sample.orders)::integer AS ordered',
  );
  expect(row?.['sold']).toBe(row?.['ordered']);
}

async function rowsOf(url: string, text: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(text)).rows;
  } finally {
    await client.end();
  }
}

async function ownDatabase() {
  const { url, drop } = await createDatabase(process.env.TEST_POSTGRES_URL as string);
  return { url, close: drop };
}
