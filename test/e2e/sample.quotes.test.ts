import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { join } from 'node:path';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { startMailServer } from '../../sample/src/outside/mail-server.js';
import { type Memory, openMemory } from '../../sample/src/outside/memory.js';
import type { StandIn } from '../../sample/src/outside/stand-in.js';
import { CHROMIUM_FLAGS } from '../support/chromium.js';
import { findChromium } from '../support/programs.js';
import { dataFolder, type Sample, startSample } from '../support/sample.js';

let data: Awaited<ReturnType<typeof dataFolder>>;
let memory: Memory;
let mailServer: StandIn;
let sample: Sample;
let browser: Browser;
let visit: BrowserContext;
let page: Page;

beforeAll(async () => {
  data = await dataFolder();
  memory = openMemory(join(data.path, 'outside.db'));
  mailServer = await startMailServer(memory);
  [sample, browser] = await Promise.all([
    startSample({ TASK_QUEUE_URL: 'pglite:', SAMPLE_DATA: data.path, SMTP_URL: mailServer.url }),
    chromium.launch({ executablePath: findChromium(), args: CHROMIUM_FLAGS }),
  ]);
});

afterAll(async () => {
  await browser?.close();
  await sample?.stop();
  await mailServer?.close();
  memory?.close();
  await data?.remove();
});

beforeEach(async () => {
  visit = await browser.newContext({ timezoneId: 'America/New_York' });
  visit.setDefaultTimeout(20_000);
  page = await visit.newPage();
  await page.goto(`${sample.url}/features/quotes`);
});
afterEach(() => visit.close());

const runs = () => page.getByRole('list', { name: 'Runs' }).getByRole('listitem');
const press = (name: string) => page.getByRole('button', { name }).click();
const mailsTo = (recipient: string) => memory.prepare('SELECT text FROM mail WHERE recipient = ?').all(recipient);

test('the quote is due every morning at seven in Berlin, which the page shows by the clock of the visitor', async () => {
  await page.getByText(/^0 7 \* \* \* in Europe\/Berlin\. Next: .* at 1:00\sAM by your clock\.$/).waitFor();
});

test('the quote is fetched, and each subscriber gets one mail', async () => {
  await page.getByLabel('E-mail address').fill('ada@example.org');
  await press('Subscribe');
  await page.getByText('ada@example.org').waitFor();
  await press('Fetch it now');
  await runs().first().getByRole('status').filter({ hasText: 'Done' }).waitFor();
  const text = await page.locator('#quote blockquote').innerText();
  await page.locator('#inbox').getByText('The quote of').waitFor();
  expect(mailsTo('ada@example.org')).toEqual([{ text: expect.stringContaining(text) }]);

  // Another run on the same day, and another subscriber.
  await press('Fetch it now');
  await runs().first().getByRole('status').filter({ hasText: 'Done' }).waitFor();
  await page.getByLabel('E-mail address').fill('grace@example.org');
  await press('Subscribe');
  await page.locator('#inbox').getByRole('listitem').nth(1).waitFor();
  expect(mailsTo('grace@example.org')).toHaveLength(1);
  expect(mailsTo('ada@example.org')).toHaveLength(1);
});

test('the soft limit ends a fetch without an answer, the hard limit a method that never ends, and the sample goes on', async () => {
  await press('The method never ends');
  await runs().first().getByRole('status').filter({ hasText: 'Running' }).waitFor();
  // Another task of this process runs meanwhile.
  const counted = await page.request.get(`${sample.url}/quotes`);
  expect(counted.ok()).toBe(true);
  await press('The service does not answer');
  for (const run of [runs().nth(0), runs().nth(1)]) {
    await run.getByRole('status').filter({ hasText: 'Failed' }).waitFor();
    await run.getByText('took longer than').waitFor();
  }
  await press('Fetch it now');
  await runs().first().getByRole('status').filter({ hasText: 'Done' }).waitFor();
});

test('the page is no wider than the screen of a phone', async () => {
  await page.setViewportSize({ width: 360, height: 740 });
  await page.getByLabel('E-mail address').fill(`${'long'.repeat(15)}@example.org`);
  await press('Subscribe');
  await page.getByRole('list', { name: 'Your subscriptions' }).getByText('longlong').waitFor();
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
});
