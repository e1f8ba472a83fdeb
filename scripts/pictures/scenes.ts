import type { Page } from 'playwright-core';

/** A page of the sample, and what is done in it before the picture is taken. */
export interface Scene {
  readonly name: string;
  readonly path: string;
  readonly isForAdministrators?: boolean;
  readonly colorScheme?: 'light' | 'dark';
  readonly act?: (page: Page) => Promise<unknown>;
}

export const SCENES: readonly Scene[] = [
  { name: 'start', path: '/' },
  {
    name: 'first-steps',
    path: '/features/first-steps',
    async act(page) {
      await page.getByRole('button', { name: 'Add' }).click();
      await page.getByText('= 8').waitFor();
      await page.getByRole('button', { name: 'Start them all' }).click();
      await page.getByRole('button', { name: 'Run the chain' }).click();
      await page.getByRole('button', { name: 'Run the chord' }).click();
      await page.locator('#chain [data-state=running]').nth(0).waitFor();
      await page.locator('#chord [data-state=succeeded]').nth(3).waitFor();
    },
  },
  {
    name: 'orders',
    path: '/features/orders',
    async act(page) {
      for (const name of ['Write directly', 'Write through the queue']) {
        await page.getByRole('button', { name }).click();
        await page
          .getByRole('status')
          .filter({ hasText: 'Done' })
          .nth(name === 'Write directly' ? 0 : 1)
          .waitFor();
      }
    },
  },
  {
    name: 'spreadsheets',
    path: '/features/spreadsheets',
    async act(page) {
      await page.getByRole('button', { name: 'Try it with an example' }).click();
      await page.getByRole('button', { name: 'Export' }).click();
      await page.getByText('113 people imported').waitFor();
    },
  },
  {
    name: 'slow-page',
    path: '/features/slow-page',
    act: (page) => page.locator('#weather .answer:not(:empty)').waitFor(),
  },
  {
    name: 'posts',
    path: '/features/posts',
    async act(page) {
      await page.getByLabel('Name on the network').fill('Ada');
      await page.getByRole('button', { name: 'Connect' }).click();
      await page.getByRole('button', { name: 'Post five at once' }).click();
      await page.getByRole('status').filter({ hasText: 'Done' }).first().waitFor();
    },
  },
  {
    name: 'reviews',
    path: '/features/reviews',
    async act(page) {
      for (const [name, email] of [
        ['Ada', 'ada@example.org'],
        ['Grace', 'nobody@example.org'],
      ] as const) {
        await page.getByLabel('Name').fill(name);
        await page.getByLabel('E-mail address').fill(email);
        await page.getByLabel('Review', { exact: true }).fill('Nothing here makes me wait.');
        await page.getByRole('button', { name: 'Send', exact: true }).click();
        await page
          .getByRole('status')
          .filter({ hasText: name === 'Ada' ? 'Mail sent' : 'No mail' })
          .waitFor();
      }
    },
  },
  {
    name: 'quotes',
    path: '/features/quotes',
    async act(page) {
      await page.getByLabel('E-mail address').fill('ada@example.org');
      await page.getByRole('button', { name: 'Subscribe' }).click();
      await page.getByRole('button', { name: 'The method never ends' }).click();
      await page.getByRole('status').filter({ hasText: 'Failed' }).waitFor();
      await page.getByRole('button', { name: 'Fetch it now' }).click();
      await page.locator('#quote blockquote:not(:empty)').waitFor();
    },
  },
  { name: 'counters', path: '/features/counters', isForAdministrators: true, colorScheme: 'dark' },
  { name: 'sign-in', path: '/sign-in' },
  {
    name: 'code',
    path: '/features/first-steps',
    act: (page) => page.locator('.how').scrollIntoViewIfNeeded(),
  },
];
