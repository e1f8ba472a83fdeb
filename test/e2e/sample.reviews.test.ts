import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { randomUUID } from 'node:crypto';
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
/** Called once when the mail server has stored a mail, before it answers. */
let whenStored: (() => Promise<void>) | undefined;
/** How many mails the server has got, those included that a mailbox drops as the same. */
let got = 0;

beforeAll(async () => {
  data = await dataFolder();
  memory = openMemory(join(data.path, 'data', 'outside.db'));
  mailServer = await startMailServer(memory, async () => {
    got += 1;
    const hook = whenStored;
    whenStored = undefined;
    await hook?.();
  });
  [sample, browser] = await Promise.all([
    start(),
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
  visit = await browser.newContext();
  visit.setDefaultTimeout(15_000);
  page = await visit.newPage();
  await page.goto(`${sample.url}/features/reviews`);
});
afterEach(() => visit.close());

function start(): Promise<Sample> {
  return startSample({
    TASK_QUEUE_URL: `pglite:${join(data.path, 'engine')}`,
    SAMPLE_DATA: join(data.path, 'data'),
    SMTP_URL: mailServer.url,
    SAMPLE_ABANDONED_AFTER: '2s',
  });
}

const card = (text: string) =>
  page.getByRole('list', { name: 'Reviews' }).getByRole('listitem').filter({ hasText: text });
const state = (text: string, expected: string) =>
  card(text).getByRole('status').filter({ hasText: expected }).waitFor();
const mailsTo = (recipient: string) =>
  memory.prepare('SELECT subject, text FROM mail WHERE recipient = ?').all(recipient) as {
    subject: string;
    text: string;
  }[];

async function write(email: string, text: string): Promise<void> {
  const form = page.locator('#review');
  await form.getByLabel('Name').fill('Ada');
  await form.getByLabel('E-mail address').fill(email);
  await form.getByLabel('Review').fill(text);
  await form.getByRole('button', { name: 'Send' }).click();
  await form.getByText('Thank you. Saved in').waitFor();
}

test('the form answers at once, and the mail follows into the mailbox', async () => {
  await write('ada@example.org', 'Très bien, “vraiment”.');
  await state('Très bien', 'Mail sent');
  expect(mailsTo('ada@example.org')).toEqual([
    { subject: 'Thank you for your review', text: expect.stringContaining('“Très bien, “vraiment”.”') },
  ]);
  const inbox = page.locator('#inbox');
  await inbox.getByText('Thank you for your review').click();
  await inbox.getByText('Dear Ada').waitFor();
});

test('a server that puts the mail off gets it later, once', async () => {
  await write('later@example.org', 'Not now');
  await state('Not now', 'Mail follows');
  await state('Not now', 'Mail sent');
  expect(mailsTo('later@example.org')).toHaveLength(1);
});

test('the author learns that no mail could be sent, and gives another address', async () => {
  await write('nobody@example.org', 'Wrong address');
  await card('Wrong address').getByText('Your review is saved, but no mail reached nobody@example.org.').waitFor();
  await card('Wrong address').getByText('There is no mailbox nobody@example.org').waitFor();
  await page.reload();
  await card('Wrong address').getByLabel('Another address').fill('grace@example.org');
  await card('Wrong address').getByRole('button', { name: 'Send again' }).click();
  await card('Wrong address').getByText('Mailed to grace@example.org.').waitFor();
  expect(mailsTo('grace@example.org')).toHaveLength(1);
  expect(mailsTo('nobody@example.org')).toHaveLength(0);
});

test('a request that is sent again, because its answer got lost, is one review and one mail', async () => {
  const key = randomUUID();
  const send = (text: string) =>
    page.request.post(`${sample.url}/reviews`, {
      headers: { 'Idempotency-Key': key },
      data: { name: 'Ada', email: 'twice@example.org', stars: 4, text },
    });
  const [first, second] = await Promise.all([send('Twice'), send('Twice')]);
  expect([first.status(), second.status()]).toEqual([202, 202]);
  expect((await send('Something else')).status()).toBe(409);
  await page.reload();
  await state('Twice', 'Mail sent');
  expect(mailsTo('twice@example.org')).toHaveLength(1);
});

test('a process that is killed after the server has accepted a mail sends it again, and the mailbox has it once', async () => {
  const before = got;
  const killed = new Promise<void>((resolve, reject) => {
    whenStored = () => sample.kill().then(resolve, reject);
  });
  await write('killed@example.org', 'Interrupted');
  await killed;
  sample = await start();
  await page.goto(`${sample.url}/features/reviews`);
  await state('Interrupted', 'Mail sent');
  expect(got - before).toBe(2);
  expect(mailsTo('killed@example.org')).toHaveLength(1);
});

test('the page is no wider than the screen of a phone', async () => {
  await page.setViewportSize({ width: 360, height: 740 });
  await write('long@example.org', 'x'.repeat(300));
  await state('xxx', 'Mail sent');
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
});
