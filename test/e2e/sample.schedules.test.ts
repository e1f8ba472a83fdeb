import { afterAll, afterEach, beforeAll, beforeEach, expect, jest, test } from '@jest/globals';
import { join } from 'node:path';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { Gate } from '../support/gate.js';
import { CHROMIUM_FLAGS } from '../support/chromium.js';
import { findChromium } from '../support/programs.js';
import { dataFolder, type Sample, signIn, startSample } from '../support/sample.js';

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
  pageErrors = [];
  page.on('pageerror', (error) => pageErrors.push(error.message));
  await signIn(page, sample, '/features/schedules');
});

afterEach(async () => {
  await visit.close();
  expect(pageErrors).toEqual([]);
});

/** Starts the sample with a database on disk, so that a restart finds the data. */
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
const shows = (id: string, text: string | RegExp) => card(id).getByText(text).first().waitFor();
const editor = () => page.locator('#editor');
const field = (label: string) => editor().getByLabel(label, { exact: true });

/** Fills in the form of a new schedule and sends it. By default the schedule is due on New Year's Day. */
async function create(id: string, cron = '@yearly'): Promise<void> {
  await field('Name').fill(id);
  await field('Cron expression').fill(cron);
  await editor().getByRole('button', { name: 'Create' }).click();
}

test('a decorated schedule is listed, cannot be edited, and can be run: the page shows progress and result', async () => {
  const id = 'quote-of-the-day';
  await shows(id, '0 7 * * 1-5 in Europe/Berlin, never beside itself');
  await shows(id, 'daily.quote("work")');
  await shows(id, 'It stands in the code');
  await card(id).locator('summary').click();
  expect(await card(id).locator('details > div').count()).toBe(4);
  expect(await card(id).getByRole('button').allInnerTexts()).toEqual(['Run now', 'Pause']);

  await press(id, 'Run now');
  await shows(id, /^Step [1-9]\d* of 20$/);
  await card(id).getByRole('status').filter({ hasText: 'Done' }).waitFor();
  await shows(id, /^“.*” — (Aristotle|Grace Hopper)$/);
  // The result is still there after a reload.
  await page.reload();
  await shows(id, /^“.*” — (Aristotle|Grace Hopper)$/);
});

test('a schedule can be made, changed, paused, resumed and removed, and a reload shows each change', async () => {
  const id = 'evening-quote';
  await create(id, '0 18 * * *');
  await editor().getByText('Created.').waitFor();
  await shows(id, '0 18 * * * in America/New_York, never beside itself');

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
  await shows(id, 'Paused');
  await shows(id, 'Not until it is resumed');

  await page.reload();
  await shows(id, /^every 2h, 0 of 9 runs done, until Dec 24, 2099, 6:30:00\sPM$/);
  await shows(id, 'daily.quote("patience")');
  await press(id, 'Resume');
  await shows(id, 'Active');
  // The form contains the stored settings.
  await press(id, 'Edit');
  expect(await field('Ends at, if ever').inputValue()).toBe('2099-12-24T18:30');
  expect(await field('Every').inputValue()).toBe('2h');
  await editor().getByRole('button', { name: 'Do not change it' }).click();
  await editor().getByRole('heading', { name: 'New schedule' }).waitFor();

  page.once('dialog', (dialog) => void dialog.dismiss());
  await press(id, 'Remove');
  await shows(id, 'Active');
  page.once('dialog', (dialog) => void dialog.accept());
  await press(id, 'Remove');
  await card(id).waitFor({ state: 'detached' });
  await page.reload();
  await shows('quote-of-the-day', 'Active');
  expect(await card(id).count()).toBe(0);
});

test('the buttons are disabled until the script of the page has loaded, and the form keeps its values', async () => {
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

test('the form shows the reason when a setting is invalid', async () => {
  const alert = editor().getByRole('alert');
  await create('wrong', '61 * * * *');
  await alert.getByText('has the cron expression "61 * * * *", which is not valid').waitFor();
  await field('Cron expression').fill('@daily');
  await field('Time zone').fill('Mars/Olympus');
  await editor().getByRole('button', { name: 'Create' }).click();
  await alert.getByText('has the timezone "Mars/Olympus", which does not exist').waitFor();
  await field('Time zone').fill('UTC');
  await field('Arguments').fill('["fun"]');
  await editor().getByRole('button', { name: 'Create' }).click();
  await alert.getByText('args[0]').waitFor();
  await field('Arguments').fill('work');
  await editor().getByRole('button', { name: 'Create' }).click();
  await alert.getByText('The arguments have to be a JSON list, such as ["work"].').waitFor();
  await field('Arguments').fill('["work"]');
  await field('Name').fill('two words');
  await editor().getByRole('button', { name: 'Create' }).click();
  await alert.getByText('has the id "two words"').waitFor();
  await field('Name').fill('quote-of-the-day');
  await editor().getByRole('button', { name: 'Create' }).click();
  await alert.getByText('There is a schedule “quote-of-the-day” already.').waitFor();
  // The form keeps its values, so that the administrator can correct them.
  await field('Name').fill('right');
  await editor().getByRole('button', { name: 'Create' }).click();
  await shows('right', '@daily in UTC, never beside itself');
  expect(await card('wrong').count()).toBe(0);
});

test('the page shows scheduled runs and skipped runs, and a run can be cancelled', async () => {
  await create('often', '* * * * * *');
  await shows('often', /^Run of /);
  await shows('often', /^Step \d+ of 20$/);
  await shows('often', /^Left out at .*: the run before had not ended\.$/);
  await press('often', 'Pause');
  await shows('often', 'Paused');
  await card('often').getByRole('status').filter({ hasText: /Done/ }).waitFor();
  await press('often', 'Run now');
  await shows('often', /^Run by hand/);
  await press('often', 'Cancel');
  await card('often').getByRole('status').filter({ hasText: 'Cancelled' }).waitFor();
});

test('the page works with the keyboard alone, and is no wider than the screen of a phone', async () => {
  await page.setViewportSize({ width: 360, height: 740 });
  await create('x'.repeat(150));
  await shows('x'.repeat(150), 'Active');
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
  await card('quote-of-the-day').getByRole('button', { name: 'Run now: quote-of-the-day' }).focus();
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await shows('quote-of-the-day', 'Paused');
  // The button that replaces the pressed button has the focus.
  await card('quote-of-the-day').locator('[data-action=resume]:focus').waitFor();
  await page.keyboard.press('Enter');
  await shows('quote-of-the-day', 'Active');
});

test('a restart keeps the schedules', async () => {
  await create('kept', '0 0 29 2 *');
  await press('kept', 'Pause');
  await shows('kept', 'Paused');
  await sample.stop();
  sample = await start();
  // The session outlives the restart too.
  await page.goto(`${sample.url}/features/schedules`);
  await shows('kept', '0 0 29 2 * in America/New_York, never beside itself');
  await shows('kept', 'Paused');
});
