import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { CHROMIUM_FLAGS } from '../support/chromium.js';
import { findChromium } from '../support/programs.js';
import { dataFolder, type Sample, signIn, startSample } from '../support/sample.js';

// A loaded machine takes half a minute to start the sample and a browser.
jest.setTimeout(90_000);

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

let data: Awaited<ReturnType<typeof dataFolder>>;
let sample: Sample;
let browser: Browser;
/** Errors of scripts, and what the policy of the pages has refused. */
let problems: string[];

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
  await data?.remove();
});

/** Opens a browser without cookies. */
async function visit(options: BrowserContextOptions = {}): Promise<Page> {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(15_000);
  const page = await context.newPage();
  problems = [];
  page.on('pageerror', (error) => problems.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') problems.push(message.text());
  });
  return page;
}

test('each feature has a page that shows its code, fits on its screen, and has no violation of accessibility', async () => {
  const shapes = [
    { colorScheme: 'light', viewport: { width: 1280, height: 900 } },
    { colorScheme: 'dark', viewport: { width: 360, height: 740 } },
  ] as const;
  for (const shape of shapes) {
    // An element that is still appearing has less contrast.
    const page = await visit({ ...shape, reducedMotion: 'reduce' });
    const session = await page.context().newCDPSession(page);
    await page.goto(sample.url);
    const links = await page.locator('.features a').evaluateAll((all) => all.map((a) => a.getAttribute('href') ?? ''));
    expect(links).toContain('/features/first-steps');
    for (const path of ['/', ...links, '/sign-in']) {
      await page.goto(sample.url + path);
      expect([path, await page.locator('nav [aria-current=page]').count()]).toEqual([path, path === '/' ? 0 : 1]);
      expect([path, await page.evaluate('document.documentElement.scrollWidth')]).toEqual([path, shape.viewport.width]);
      if (links.includes(path))
        expect((await page.locator('.sources pre').first().innerText()).length).toBeGreaterThan(100);
      // Not by a script element, which the policy of the page refuses.
      const { result } = await session.send('Runtime.evaluate', {
        expression: `${axe};axe.run().then(({ violations }) => JSON.stringify(violations.map(({ id, nodes }) => [id, nodes[0].html.slice(0, 200)])))`,
        awaitPromise: true,
        returnByValue: true,
      });
      expect([path, shape.colorScheme, result.value]).toEqual([path, shape.colorScheme, '[]']);
    }
    expect(problems).toEqual([]);
    await page.context().close();
  }
}, 120_000);

test('the chosen theme stays, also on the dashboard', async () => {
  const page = await visit({ colorScheme: 'light' });
  await page.goto(sample.url);
  await page.getByRole('button', { name: 'Theme: as the system' }).click();
  await page.getByRole('button', { name: 'Theme: light' }).click();
  await page.getByRole('button', { name: 'Theme: dark' }).waitFor();
  await page.reload();
  expect(await page.locator('html').getAttribute('data-theme')).toBe('dark');
  await signIn(page, sample, '/admin/tasks');
  await page.locator('html[data-theme=dark]').waitFor();
  await page.context().close();
});

describe('administrators', () => {
  test('the dashboard asks a visitor to sign in, and the session ends with the sign-out', async () => {
    const page = await visit();
    await page.goto(sample.url);
    await page.getByRole('link', { name: 'Dashboard' }).click();
    await page.getByLabel('Password').fill('guessed');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('alert').getByText('This is not the password.').waitFor();
    await signIn(page, sample, '/admin/tasks');
    await page.getByRole('link', { name: 'Workers' }).waitFor();
    await page.goto(sample.url);
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByRole('link', { name: 'Sign in' }).waitFor();
    await page.goto(`${sample.url}/admin/tasks/workers`);
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    await page.context().close();
  });

  test('a visitor sees the counters and changes none of them', async () => {
    const page = await visit();
    await page.goto(`${sample.url}/features/counters`);
    await page.getByRole('heading', { name: 'posts', exact: true }).waitFor();
    await page.getByRole('heading', { name: 'Only administrators change counters' }).waitFor();
    expect(await page.locator('main button:visible').count()).toBe(0);
    await page.context().close();
    for (const [method, path] of [
      ['POST', '/counters'],
      ['POST', '/counters/posts/runs'],
      ['POST', '/counters/posts/pause'],
      ['DELETE', '/counters/posts'],
    ] as const) {
      const { status } = await fetch(sample.url + path, { method });
      expect([path, status]).toEqual([path, 401]);
    }
    expect((await fetch(`${sample.url}/admin/tasks/api/overview`)).status).toBe(401);
  });

  test.each(['//evil.example', '/\\evil.example', 'https://evil.example', '/\t/evil.example'])(
    'the sign-in does not lead to %j',
    async (next) => {
      const page = await (await fetch(`${sample.url}/sign-in?next=${encodeURIComponent(next)}`)).text();
      expect(page).toContain('name="next" value="/"');
    },
  );

  test('a forged session and one that has ended count for nothing', async () => {
    for (const token of [`${Date.now() + 60_000}.${'A'.repeat(43)}`, `${Date.now() - 1}.${'A'.repeat(43)}`, 'x']) {
      const headers = { cookie: `administrator=${token}` };
      expect((await fetch(`${sample.url}/admin/tasks`, { headers })).status).toBe(401);
    }
  });
});

describe('answers', () => {
  test('pages come with a policy and stay out of caches, and files that may be cached come without a cookie', async () => {
    const page = await fetch(sample.url);
    expect(Object.fromEntries(page.headers)).toMatchObject({
      'cache-control': 'private, no-store',
      'content-security-policy': expect.stringContaining("script-src 'self'"),
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
      'set-cookie': expect.stringContaining('HttpOnly; SameSite=Lax'),
    });
    expect(page.headers.get('x-powered-by')).toBeNull();
    const file = await fetch(`${sample.url}/style.css`);
    expect(file.headers.get('x-content-type-options')).toBe('nosniff');
    expect(file.headers.getSetCookie()).toEqual([]);
    const task = await fetch(`${sample.url}/tasks/people.AAAAAAAAAAAAAAAAAAAAAA`);
    expect(task.headers.get('cache-control')).toContain('no-store');
  });

  test('a page of another site can change nothing', async () => {
    const post = async (headers: Record<string, string>) =>
      (
        await fetch(`${sample.url}/first-steps/add`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', ...headers },
          body: '{"a":1,"b":2}',
        })
      ).status;
    expect(await post({ 'sec-fetch-site': 'cross-site' })).toBe(403);
    expect(await post({ 'sec-fetch-site': 'same-site' })).toBe(403);
    expect(await post({ origin: 'https://evil.example' })).toBe(403);
    expect(await post({ origin: 'null' })).toBe(403);
    expect(await post({ origin: sample.url })).toBe(202);
    expect(await post({ 'sec-fetch-site': 'same-origin' })).toBe(202);
  });

  test.each(['/features/../main', '/features/constructor', '/pages/counters.html', '/src/main.ts', '/..%2fREADME.md'])(
    'no request reads the file %s',
    async (path) => {
      expect((await fetch(sample.url + path)).status).toBe(404);
    },
  );
});

describe('the password', () => {
  const start = (env: { NODE_ENV?: string; SAMPLE_ADMIN_PASSWORD?: string }) =>
    startSample({ TASK_QUEUE_URL: 'pglite:', SAMPLE_DATA: data.path, ...env });

  test('without one the sample does not start in production', async () => {
    await expect(start({ NODE_ENV: 'production', SAMPLE_ADMIN_PASSWORD: undefined })).rejects.toThrow(
      /ended with 1 [^]*The sample cannot start\. SAMPLE_ADMIN_PASSWORD is not set\./,
    );
    await expect(start({ SAMPLE_ADMIN_PASSWORD: 'short' })).rejects.toThrow('Give at least 12.');
  });

  test('a developer gets one that stays', async () => {
    const passwords: (string | undefined)[] = [];
    for (let run = 0; run < 2; run++) {
      const own = await start({ SAMPLE_ADMIN_PASSWORD: undefined });
      passwords.push(/sign in with the password (\S+)/.exec(own.output())?.[1]);
      await own.stop();
    }
    expect(passwords[0]).toMatch(/^(\w{4}-){3}\w{4}$/);
    expect(passwords[1]).toBe(passwords[0]);
  });
});
