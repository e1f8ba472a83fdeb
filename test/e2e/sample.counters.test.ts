import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { join } from 'node:path';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { Gate } from '../support/gate.js';
import { CHROMIUM_FLAGS } from '../support/chromium.js';
import { findChromium } from '../support/programs.js';
import { dataFolder, type Sample, signIn, startSample } from '../support/sample.js';
import { until } from '../support/until.js';

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
  await signIn(page, sample, '/features/counters');
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
    .getByRole('list', { name: 'Counters' })
    .getByRole('listitem')
    .filter({ has: page.getByRole('heading', { name: id, exact: true }) });
const press = (id: string, action: string) =>
  card(id)
    .getByRole('button', { name: `${action}: ${id}` })
    .click();
const shows = (id: string, text: string | RegExp) => card(id).getByText(text).first().waitFor();
const editor = () => page.locator('#editor');
const field = (label: string) => editor().getByLabel(label, { exact: true });

/** Fills in the form of a new counter and sends it. By default the counter is due on New Year's Day. */
async function create(id: string, cron = '@yearly'): Promise<void> {
  await field('Name').fill(id);
  await field('Cron expression').fill(cron);
  await editor().getByRole('button', { name: 'Create' }).click();
}

test('the counter of the code is listed, cannot be edited, and can be run: the page shows the number', async () => {
  const id = 'posts';
  await shows(id, 'every 1m, never beside itself');
  await shows(id, 'It stands in the code');
  await card(id).locator('summary').click();
  expect(await card(id).locator('details > div').count()).toBe(4);
  expect(await card(id).getByRole('button').allInnerTexts()).toEqual(['Run now', 'Pause']);

  await press(id, 'Run now');
  await shows(id, /^By hand, .*: succeeded$/);
  await card(id).locator('.counts').getByText('0 posts').waitFor();
  await shows(id, /^Counted at .* by process \d+$/);
});

test('a counter can be made, changed, paused, resumed and removed, and a reload shows each change', async () => {
  const id = 'evening-reviews';
  await create(id, '0 18 * * *');
  await editor().getByText('Created.').waitFor();
  await shows(id, '0 18 * * * in America/New_York, never beside itself');

  await press(id, 'Edit');
  await editor()
    .getByRole('heading', { name: `Edit “${id}”` })
    .waitFor();
  await field('Counts').selectOption('subscribers');
  await field('Repeats').selectOption('every so often');
  await field('Every').fill('2h');
  await field('If the run before still goes on').selectOption('run both');
  await field('Ends at, if ever').fill('2099-12-24T18:30:00');
  await field('Ends after so many runs').fill('9');
  await editor().getByRole('button', { name: 'Save' }).click();
  await editor().getByText('Saved.').waitFor();
  await editor().getByRole('heading', { name: 'New counter' }).waitFor();
  await press(id, 'Pause');
  await shows(id, 'Paused');
  await shows(id, 'Not until it is resumed');

  await page.reload();
  await shows(id, /^every 2h, 0 of 9 runs done, until Dec 24, 2099, 6:30:00\sPM$/);
  await press(id, 'Resume');
  await shows(id, 'Active');
  // The form contains the stored settings.
  await press(id, 'Edit');
  expect(await field('Counts').inputValue()).toBe('subscriber');
  expect(await field('Ends at, if ever').inputValue()).toBe('2099-12-24T18:30');
  expect(await field('Every').inputValue()).toBe('2h');
  await editor().getByRole('button', { name: 'Do not change it' }).click();
  await editor().getByRole('heading', { name: 'New counter' }).waitFor();

  page.once('dialog', (dialog) => void dialog.dismiss());
  await press(id, 'Remove');
  await shows(id, 'Active');
  page.once('dialog', (dialog) => void dialog.accept());
  await press(id, 'Remove');
  await card(id).waitFor({ state: 'detached' });
  await page.reload();
  await shows('posts', 'Active');
  expect(await card(id).count()).toBe(0);
});

test('the buttons are disabled until the script of the page has loaded, and the form keeps its values', async () => {
  const script = new Gate();
  await page.route('**/counters.js', async (route) => {
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
  await field('Name').fill('two words');
  await editor().getByRole('button', { name: 'Create' }).click();
  await alert.getByText('has the id "two words"').waitFor();
  await field('Name').fill('posts');
  await editor().getByRole('button', { name: 'Create' }).click();
  await alert.getByText('The name “posts” is taken.').waitFor();
  // The form keeps its values, so that the administrator can correct them.
  await field('Name').fill('right');
  await editor().getByRole('button', { name: 'Create' }).click();
  await shows('right', '@daily in UTC, never beside itself');
  expect(await card('wrong').count()).toBe(0);
});

test('a counter that runs each second shows its numbers as they come, until it is paused', async () => {
  await create('often', '* * * * * *');
  await until(async () => (await card('often').locator('.bars span').count()) >= 2);
  await press('often', 'Pause');
  await shows('often', 'Paused');
  await shows('often', 'Not until it is resumed');
});

test('a visitor without the password sees the counters and changes nothing', async () => {
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.goto(`${sample.url}/features/counters`);
  await shows('posts', 'Active');
  await page.getByText('Only administrators change counters').waitFor();
  expect(await card('posts').getByRole('button').count()).toBe(0);
  const answers = [
    await page.request.post(`${sample.url}/counters/posts/pause`),
    await page.request.post(`${sample.url}/counters/posts/runs`),
    await page.request.delete(`${sample.url}/counters/posts`),
  ];
  expect(answers.map((answer) => answer.status())).toEqual([401, 401, 401]);
});

test('an administrator cannot change other schedules of the application here', async () => {
  const answer = await page.request.delete(`${sample.url}/counters/quote-of-the-day`);
  expect(answer.status()).toBe(404);
});

test('the page works with the keyboard alone, and is no wider than the screen of a phone', async () => {
  await page.setViewportSize({ width: 360, height: 740 });
  await create('x'.repeat(150));
  await shows('x'.repeat(150), 'Active');
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
  await card('posts').getByRole('button', { name: 'Run now: posts' }).focus();
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await shows('posts', 'Paused');
  // The button that replaces the pressed button has the focus.
  await card('posts').locator('[data-action=resume]:focus').waitFor();
  await page.keyboard.press('Enter');
  await shows('posts', 'Active');
});

test('a restart keeps the counters', async () => {
  await create('kept', '0 0 29 2 *');
  await press('kept', 'Pause');
  await shows('kept', 'Paused');
  await sample.stop();
  sample = await start();
  // The session outlives the restart too.
  await page.goto(`${sample.url}/features/counters`);
  await shows('kept', '0 0 29 2 * in America/New_York, never beside itself');
  await shows('kept', 'Paused');
});
