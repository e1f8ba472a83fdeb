import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { open, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Browser, type BrowserContext, chromium, type Locator, type Page } from 'playwright-core';
import { CHROMIUM_FLAGS } from '../support/chromium.js';
import { findChromium } from '../support/programs.js';
import { dataFolder, type Sample, startSample } from '../support/sample.js';
import { readWorkbook } from '../support/workbook.js';

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
    startSample({ TASK_QUEUE_URL: 'pglite:', SAMPLE_DATA: join(data.path, 'data') }),
    chromium.launch({
      executablePath: findChromium(),
      args: CHROMIUM_FLAGS,
    }),
  ]);
});

afterAll(async () => {
  await browser?.close();
  await sample?.stop();
  expect(sample.output()).not.toContain('Warning');
  await data?.remove();
});

beforeEach(async () => {
  // A new visitor: no cookie and an empty local storage.
  visit = await browser.newContext();
  visit.setDefaultTimeout(15_000);
  page = await visit.newPage();
  pageErrors = [];
  page.on('pageerror', (error) => pageErrors.push(error.message));
  await page.goto(`${sample.url}/features/spreadsheets`);
});

afterEach(async () => {
  await visit.close();
  expect(pageErrors).toEqual([]);
});

const card = (list: 'Imports' | 'Exports') => page.getByRole('list', { name: list }).getByRole('listitem').first();
const state = (task: Locator, text: string) => task.getByRole('status').filter({ hasText: text }).waitFor();
const someRows = (task: Locator) => task.getByText(/^[1-9][\d,]* of [\d,]+ rows$/);

async function download(task: Locator, link: string) {
  const [file] = await Promise.all([page.waitForEvent('download'), task.getByRole('link', { name: link }).click()]);
  return { name: file.suggestedFilename(), rows: await readWorkbook(await readFile(await file.path())) };
}

async function choose(file: string | { name: string; content: string | Buffer }) {
  const path = typeof file === 'string' ? file : join(data.path, file.name);
  if (typeof file !== 'string') await writeFile(path, file.content);
  await page.locator('input[type=file]').setInputFiles(path);
}

test('the import of the example shows its progress and the reason of each refused row, and both workbooks can be downloaded', async () => {
  await page.getByRole('button', { name: 'Try it with an example' }).click();
  const task = card('Imports');
  const earlier = (await someRows(task).textContent()) ?? '';
  await someRows(task).filter({ hasNotText: earlier }).waitFor();
  await state(task, 'Done');

  await task.getByText('113 people imported, 7 rows refused.').waitFor();
  const refused = await task.locator('tbody tr').allInnerTexts();
  expect(refused).toHaveLength(7);
  expect(refused[0]).toMatch(/^12\tName is missing\.\t/);
  expect(refused[6]).toMatch(/^104\tName is missing\. Email “nobody” is not an address\. .*Narnia/);

  const cleaned = await download(task, 'Download cleaned workbook');
  expect(cleaned.name).toBe('people-example-cleaned.xlsx');
  expect(cleaned.rows).toHaveLength(1 + 113);
  expect(cleaned.rows.slice(0, 4)).toEqual([
    ['Name', 'Email', 'Birthday', 'Country'],
    expect.arrayContaining([expect.any(String), expect.any(Date)]),
    expect.anything(),
    ['Katherine Johnson', 'katherine.johnson@example.org', expect.any(Date), 'United States'],
  ]);

  const toCorrect = await download(task, 'Download rows to correct');
  expect(toCorrect.name).toBe('people-example-to-correct.xlsx');
  expect(toCorrect.rows).toHaveLength(1 + 7);
  expect(toCorrect.rows[1]?.at(-1)).toBe('Name is missing.');
});

test('a visitor can import a CSV file', async () => {
  await choose({ name: 'Gäste.csv', content: 'E-Mail;Name\nada@example.org;Ada\nGRACE@example.org;Grace\n' });
  const task = card('Imports');
  await task.getByText('Gäste.csv').waitFor();
  await task.getByText('2 people imported, 0 rows refused.').waitFor();
  expect(await task.getByRole('link').count()).toBe(1);
  const { name, rows } = await download(task, 'Download cleaned workbook');
  expect(name).toBe('Gäste-cleaned.xlsx');
  expect(rows.slice(1).map((row) => row.slice(0, 2))).toEqual([
    ['Ada', 'ada@example.org'],
    ['Grace', 'grace@example.org'],
  ]);
});

test('an export goes on while the page is reloaded, and its file stays until the visitor removes it', async () => {
  await page.getByRole('button', { name: 'Export' }).click();
  await someRows(card('Exports')).waitFor();
  await page.reload();

  const task = card('Exports');
  await state(task, 'Running');
  await someRows(task).waitFor();
  await task.getByText('50,000 rows written.').waitFor();
  const { name, rows } = await download(task, 'Download workbook');
  expect(name).toBe('people-50000.xlsx');
  expect(rows).toHaveLength(1 + 50_000);
  expect(rows.at(-1)?.[1]).toMatch(/\.50000@example\.org$/);

  await page.reload();
  await card('Exports').getByText('50,000 rows written.').waitFor();
  await card('Exports').getByRole('button', { name: 'Remove' }).click();
  await page.reload();
  await page.getByRole('heading', { name: 'Export a table' }).waitFor();
  expect(await page.locator('.task').count()).toBe(0);
});

test('a cancelled export leaves no file', async () => {
  const files = async () => {
    const all = await readdir(join(data.path, 'data'), { recursive: true });
    return all.filter((name) => name.endsWith('people-70000.xlsx'));
  };
  await page.getByLabel('Rows').fill('70000');
  await page.getByRole('button', { name: 'Export' }).click();
  const task = card('Exports');
  await someRows(task).waitFor();
  expect(await files()).toHaveLength(1);
  await task.getByRole('button', { name: 'Cancel' }).click();
  await state(task, 'Cancelled');
  expect(await files()).toHaveLength(0);
});

describe('a bad file', () => {
  const example = async () => await (await fetch(`${sample.url}/people/example.xlsx`)).arrayBuffer();

  test('the upload is refused at once when the first bytes show the problem', async () => {
    const alert = page.locator('#import').getByRole('alert');
    await choose({ name: 'photo.xlsx', content: Buffer.from('\x89PNG\r\n\x1a\n\0\0\0\r', 'latin1') });
    await alert.getByText('This is no spreadsheet.').waitFor();
    await choose({ name: 'empty.csv', content: '' });
    await alert.getByText('The file is empty.').waitFor();
    await choose({ name: 'secret.xlsx', content: Buffer.from('\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1', 'latin1') });
    await alert.getByText('protected by a password').waitFor();
    const huge = join(data.path, 'huge.csv');
    const file = await open(huge, 'w');
    await file.truncate(100 * 1024 * 1024);
    await file.close();
    await choose(huge);
    await alert.getByText('The file is larger than 20 MB.').waitFor();
    expect(await page.locator('.task').count()).toBe(0);
  });

  test('the task fails when the problem is inside of the file', async () => {
    await choose({ name: 'cut-off.xlsx', content: Buffer.from(await example()).subarray(0, 3000) });
    await card('Imports').getByText('The workbook cannot be read: it seems to be damaged.').waitFor();
    await choose({ name: 'header.csv', content: 'Nmae,Phone\nAda,1234\n' });
    await card('Imports').getByText('Missing: name, email. Found: Nmae, Phone.').waitFor();
    await choose({ name: 'no-rows.csv', content: 'Name,Email\n' });
    await card('Imports').getByText('The file has a header, but no rows below it.').waitFor();
    await state(card('Imports'), 'Failed');
  });
});

test('the page polls when server-sent events do not arrive', async () => {
  let polls = 0;
  await page.route('**/tasks/*', (route) => {
    if (route.request().headers().accept === 'text/event-stream') return route.fulfill({ status: 502 });
    polls += 1;
    return route.continue();
  });
  await page.getByRole('button', { name: 'Export' }).click();
  await card('Exports').getByText('50,000 rows written.').waitFor();
  expect(polls).toBeGreaterThan(1);
});

test('the page is no wider than the screen of a phone', async () => {
  await page.setViewportSize({ width: 360, height: 740 });
  await choose({ name: `${'long'.repeat(20)}.csv`, content: `Name,Email\nAda,ada@example.org\n,${'x'.repeat(300)}` });
  await card('Imports').getByText('1 person imported, 1 row refused.').waitFor();
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
});
