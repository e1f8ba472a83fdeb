import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { join } from 'node:path';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { Gate } from '../support/gate.js';
import { CHROMIUM_FLAGS } from '../support/chromium.js';
import { findChromium } from '../support/programs.js';
import { dataFolder, type Sample, startSample } from '../support/sample.js';

let data: Awaited<ReturnType<typeof dataFolder>>;
let sample: Sample;
let browser: Browser;
let visit: BrowserContext;
let page: Page;
/** What the page complained of by itself. */
let complaints: string[];

beforeAll(async () => {
  data = await dataFolder();
  [sample, browser] = await Promise.all([
    start(),
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
  visit = await browser.newContext({ timezoneId: 'America/New_York' });
  visit.setDefaultTimeout(15_000);
  page = await visit.newPage();
  complaints = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  await page.goto(sample.url);
  await page.getByRole('link', { name: 'Schedules' }).click();
});

afterEach(async () => {
  await visit.close();
  expect(complaints).toEqual([]);
});

/** On disk, so that it can be stopped and started again. */
function start(): Promise<Sample> {
  return startSample({ TASK_QUEUE_URL: `pglite:${join(data.path, 'engine')}`, SAMPLE_DATA: join(data.path, 'data') });
}

const card = (id: string) =>
  page
    .getByRole('list', { name: 'Schedules' })
    .getByRole('listitem')
    .filter({ has: page.getByRole('heading', { name: id, exact: true }) });
const press = (id: string, action: string) =>
  card(id)
    .getByRole('button', { name: `${action}: ${id}` })
    .click();
const says = (id: string, text: string | RegExp) => card(id).getByText(text).first().waitFor();
const editor = () => page.locator('#editor');
const field = (label: string) => editor().getByLabel(label, { exact: true });

/** Fills in a new schedule that is due on New Year's Day, unless it says otherwise, and sends it. */
async function create(id: string, cron = '@yearly'): Promise<void> {
  await field('Name').fill(id);
  await field('Cron expression').fill(cron);
  await editor().getByRole('button', { name: 'Create' }).click();
}

test('what the code says is listed and protected, and can be run: with its progress and its outcome', async () => {
  const id = 'quote-of-the-day';
  await says(id, '0 7 * * 1-5 in Europe/Berlin, never beside itself');
  await says(id, 'daily.quote("work")');
  await says(id, 'It stands in the code');
  await card(id).locator('summary').click();
  expect(await card(id).locator('details > div').count()).toBe(4);
  expect(await card(id).getByRole('button').allInnerTexts()).toEqual(['Run now', 'Pause']);

  await press(id, 'Run now');
  await says(id, /^Step [1-9]\d* of 20$/);
  await card(id).getByRole('status').filter({ hasText: 'Done' }).waitFor();
  await says(id, /^“.*” — (Aristotle|Grace Hopper)$/);
  // Who comes later sees it too.
  await page.reload();
  await says(id, /^“.*” — (Aristotle|Grace Hopper)$/);
});

test('a schedule is made, changed, paused, resumed and removed, and a reload finds all of it', async () => {
  const id = 'evening-quote';
  await create(id, '0 18 * * *');
  await editor().getByText('Created.').waitFor();
  await says(id, '0 18 * * * in America/New_York, never beside itself');

  await press(id, 'Edit');
  await editor()
    .getByRole('heading', { name: `Edit “${id}”` })
    .waitFor();
  await field('Arguments').fill('["patience"]');
  await field('Repeats').selectOption('every so often');
  await field('Every').fill('2h');
  await field('If the run before still goes on').selectOption('run both');
  await field('Ends at, if ever').fill('2099-12-24T18:30:00');
  await field('Ends after so many runs').fill('9');
  await editor().getByRole('button', { name: 'Save' }).click();
  await editor().getByText('Saved.').waitFor();
  await editor().getByRole('heading', { name: 'New schedule' }).waitFor();
  await press(id, 'Pause');
  await says(id, 'Paused');
  await says(id, 'Not until it is resumed');

  await page.reload();
  await says(id, /^every 2h, 0 of 9 runs done, until Dec 24, 2099, 6:30:00\sPM$/);
  await says(id, 'daily.quote("patience")');
  await press(id, 'Resume');
  await says(id, 'Active');
  // The form says what is stored.
  await press(id, 'Edit');
  expect(await field('Ends at, if ever').inputValue()).toBe('2099-12-24T18:30');
  expect(await field('Every').inputValue()).toBe('2h');
  await editor().getByRole('button', { name: 'Do not change it' }).click();
  await editor().getByRole('heading', { name: 'New schedule' }).waitFor();

  page.once('dialog', (dialog) => void dialog.dismiss());
  await press(id, 'Remove');
  await says(id, 'Active');
  page.once('dialog', (dialog) => void dialog.accept());
  await press(id, 'Remove');
  await card(id).waitFor({ state: 'detached' });
  await page.reload();
  await says('quote-of-the-day', 'Active');
  expect(await card(id).count()).toBe(0);
});

test('nothing can be pressed before the script of the page has come, and what was filled in stays', async () => {
  const script = new Gate();
  await page.route('**/schedules.js', async (route) => {
    await script.opened;
    await route.continue();
  });
  await page.reload({ waitUntil: 'commit' });
  const created = create('impatient');
  expect(await editor().getByRole('button', { name: 'Create' }).isDisabled()).toBe(true);
  script.open();
  await created;
  await editor().getByText('Created.').waitFor();
});

test('what makes no sense is refused in words, beside the form', async () => {
  const said = editor().getByRole('alert');
  await create('wrong', '61 * * * *');
  await said.getByText('has the cron expression "61 * * * *", which is not valid').waitFor();
  await field('Cron expression').fill('@daily');
  await field('Time zone').fill('Mars/Olympus');
  await editor().getByRole('button', { name: 'Create' }).click();
  await said.getByText('has the timezone "Mars/Olympus", which does not exist').waitFor();
  await field('Time zone').fill('UTC');
  await field('Arguments').fill('["fun"]');
  await editor().getByRole('button', { name: 'Create' }).click();
  await said.getByText('args[0]').waitFor();
  await field('Arguments').fill('work');
  await editor().getByRole('button', { name: 'Create' }).click();
  await said.getByText('The arguments have to be a JSON list, such as ["work"].').waitFor();
  await field('Arguments').fill('["work"]');
  await field('Name').fill('two words');
  await editor().getByRole('button', { name: 'Create' }).click();
  await said.getByText('has the id "two words"').waitFor();
  await field('Name').fill('quote-of-the-day');
  await editor().getByRole('button', { name: 'Create' }).click();
  await said.getByText('There is a schedule “quote-of-the-day” already.').waitFor();
  // What was filled in is still there, to be corrected.
  await field('Name').fill('right');
  await editor().getByRole('button', { name: 'Create' }).click();
  await says('right', '@daily in UTC, never beside itself');
  expect(await card('wrong').count()).toBe(0);
});

test('runs that begin by themselves are shown, those that are left out too; a run can be cancelled', async () => {
  await create('often', '* * * * * *');
  await says('often', /^Run of /);
  await says('often', /^Step \d+ of 20$/);
  await says('often', /^Left out at .*: the run before had not ended\.$/);
  await press('often', 'Pause');
  await says('often', 'Paused');
  await card('often').getByRole('status').filter({ hasText: /Done/ }).waitFor();
  await press('often', 'Run now');
  await says('often', /^Run by hand/);
  await press('often', 'Cancel');
  await card('often').getByRole('status').filter({ hasText: 'Cancelled' }).waitFor();
});

test('who has no mouse finds everything, and on a phone nothing is wider than the screen', async () => {
  await page.setViewportSize({ width: 360, height: 740 });
  await create('x'.repeat(150));
  await says('x'.repeat(150), 'Active');
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
  await card('quote-of-the-day').getByRole('button', { name: 'Run now: quote-of-the-day' }).focus();
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await says('quote-of-the-day', 'Paused');
  // The button that takes the place of the one that was pressed has the focus now.
  await card('quote-of-the-day').locator('[data-action=resume]:focus').waitFor();
  await page.keyboard.press('Enter');
  await says('quote-of-the-day', 'Active');
});

test('a restart keeps them', async () => {
  await create('kept', '0 0 29 2 *');
  await press('kept', 'Pause');
  await says('kept', 'Paused');
  await sample.stop();
  sample = await start();
  await page.goto(`${sample.url}/schedules.html`);
  await says('kept', '0 0 29 2 * in America/New_York, never beside itself');
  await says('kept', 'Paused');
});
