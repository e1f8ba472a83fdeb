import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { CHROMIUM_FLAGS } from '../support/chromium.js';
import { findChromium } from '../support/programs.js';
import { dataFolder, type Sample, startSample } from '../support/sample.js';

// A loaded machine takes half a minute to start the sample and a browser.
jest.setTimeout(90_000);

let data: Awaited<ReturnType<typeof dataFolder>>;
let sample: Sample;
let browser: Browser;
let visit: BrowserContext;
let page: Page;
/** The errors that the page's scripts did not catch. */
let pageErrors: string[];

beforeAll(async () => {
  data = await dataFolder();
  [sample, browser] = await Promise.all([
    startSample({ TASK_QUEUE_URL: 'pglite:', SAMPLE_DATA: data.path }),
    chromium.launch({ executablePath: findChromium(), args: CHROMIUM_FLAGS }),
  ]);
});

afterAll(async () => {
  await browser?.close();
  await sample?.stop();
  expect(sample.output()).not.toContain('Warning');
  await data?.remove();
});

beforeEach(async () => {
  visit = await browser.newContext();
  visit.setDefaultTimeout(20_000);
  page = await visit.newPage();
  pageErrors = [];
  page.on('pageerror', (error) => pageErrors.push(error.message));
});

afterEach(async () => {
  await visit.close();
  expect(pageErrors).toEqual([]);
});

const press = (name: string) => page.getByRole('button', { name, exact: true }).click();

describe('first steps', () => {
  beforeEach(() => page.goto(`${sample.url}/features/first-steps`));

  test('two numbers are added', async () => {
    await page.getByLabel('First number').fill('20');
    await page.getByLabel('Second number').fill('22');
    await press('Add');
    await page.getByText('= 42').waitFor();
  });

  test('a hundred tasks sleep at the same time, also after a reload, and can be cancelled', async () => {
    await page.getByLabel('seconds').fill('60');
    await press('Start them all');
    await page.getByText('100 asleep').waitFor();
    await page.reload();
    await page.getByText('100 asleep').waitFor();
    await press('Cancel');
    await page.getByText('100 cancelled').waitFor();

    await page.getByLabel('tasks', { exact: true }).fill('20');
    await page.getByLabel('seconds').fill('1');
    await press('Start them all');
    await page.getByText('20 of 20 awake again').waitFor();
  });

  test('a chain and a chord are drawn while they run', async () => {
    const chain = page.getByRole('list', { name: 'Steps of the chain' }).getByRole('listitem');
    await press('Run the chain');
    await page.locator('#chain [data-state=running]').filter({ hasText: 'add(4, 4)' }).waitFor();
    await chain.nth(2).getByText('32', { exact: true }).waitFor();
    expect(await chain.locator('output').allInnerTexts()).toEqual(['8', '16', '32']);

    const chord = page.getByRole('list', { name: 'Tasks of the chord' }).getByRole('listitem');
    await press('Run the chord');
    await page.locator('#chord [data-state=running]').first().waitFor();
    await chord.last().getByText('30', { exact: true }).waitFor();
    expect(await chord.locator('output').allInnerTexts()).toEqual(['2', '4', '6', '8', '10', '30']);
  });
});

test('a page with two slow parts is answered at once and filled by events', async () => {
  await page.goto(`${sample.url}/features/slow-page`);
  await page.getByText(/^The server answered after \d+ ms\./).waitFor();
  await page.getByText('Reading the clouds', { exact: true }).waitFor();
  // The slower part is still empty when the other one is there.
  await page
    .locator('#weather')
    .getByText(/^Hamburg: \d+ °C/)
    .waitFor();
  expect(await page.locator('#headlines[aria-busy=true]').count()).toBe(1);
  await page.locator('#headlines').getByText('Local worker takes no lunch').waitFor();
  expect(await page.locator('[aria-busy=true]').count()).toBe(0);
});

describe('orders', () => {
  const way = (title: string) =>
    page.getByRole('article').filter({ has: page.getByRole('heading', { name: title, exact: true }) });
  const figure = (title: string, name: string) => way(title).locator(`[data-figure=${name}]`);

  beforeEach(async () => {
    await page.goto(`${sample.url}/features/orders`);
    await page.getByText('This database has one connection').waitFor();
  });

  test('both ways write all orders, and the queue needs one writer for all shops', async () => {
    await page.getByLabel('Orders', { exact: true }).fill('200');
    await press('Write directly');
    await way('Directly').getByRole('status').getByText('Done').waitFor();
    await press('Write through the queue');
    await way('Through the queue').getByRole('status').getByText('Done').waitFor();
    for (const title of ['Directly', 'Through the queue']) {
      expect(await figure(title, 'written').innerText()).toBe('200 of 200');
      expect(await figure(title, 'refused').innerText()).toBe('0');
    }
    // The worker has a connection in any case.
    expect(await figure('Directly', 'mostConnections').innerText()).toBe('21');
    expect(await figure('Through the queue', 'mostConnections').innerText()).toBe('1');
  });

  test('while the database is stopped, shops that write directly lose orders, and the queue loses none', async () => {
    await page.getByLabel('Orders', { exact: true }).fill('3000');
    await press('Write directly');
    await way('Directly').getByRole('status').getByText('Running').waitFor();
    await press('Stop the database for 5 seconds');
    await way('Directly').getByRole('status').getByText('Done').waitFor({ timeout: 60_000 });
    expect(await figure('Directly', 'refused').innerText()).not.toBe('0');

    await page.getByLabel('Orders', { exact: true }).fill('1000');
    await press('Write through the queue');
    await way('Through the queue').getByRole('status').getByText('Running').waitFor();
    await press('Stop the database for 5 seconds');
    await way('Through the queue').getByRole('status').getByText('Done').waitFor({ timeout: 60_000 });
    expect(await figure('Through the queue', 'written').innerText()).toBe('1,000 of 1,000');
    expect(await figure('Through the queue', 'refused').innerText()).toBe('0');
  });

  test('the page says that the transaction needs a server', async () => {
    await page.getByText('This needs a database that both the order and the task can be in').waitFor();
    expect(await page.getByRole('button', { name: 'Order and pay' }).isDisabled()).toBe(true);
  });
});
