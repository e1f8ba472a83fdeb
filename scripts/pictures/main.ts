/**
 * `npm run pictures`: takes the pictures of docs/tour.md. It starts the built sample, uses each page in a browser, and writes
 * `docs/images/tour/<name>.png`. `--all` also writes each page in light and dark, narrow and wide, into the folder that follows.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { CHROMIUM_FLAGS } from '../../test/support/chromium.js';
import { findChromium } from '../../test/support/programs.js';
import { signIn, startSample } from '../../test/support/sample.js';
import { SCENES } from './scenes.js';

const [flag, given] = process.argv.slice(2);
const isAll = flag === '--all' && given !== undefined;
const folder = isAll ? given : fileURLToPath(new URL('../../docs/images/tour/', import.meta.url));
const WIDE = { width: 1280, height: 800 };
const SHAPES: Readonly<Record<string, BrowserContextOptions>> = isAll
  ? {
      '-wide-light': { colorScheme: 'light', viewport: WIDE },
      '-wide-dark': { colorScheme: 'dark', viewport: WIDE },
      '-narrow-light': { colorScheme: 'light', viewport: { width: 390, height: 844 } },
      '-narrow-dark': { colorScheme: 'dark', viewport: { width: 390, height: 844 } },
    }
  : { '': { colorScheme: 'light', viewport: WIDE } };

await mkdir(folder, { recursive: true });
const data = await mkdtemp(join(tmpdir(), 'task-queue-pictures-'));
const { TASK_QUEUE_URL = 'pglite:', SAMPLE_DATABASE_URL } = process.env;
const sample = await startSample({ TASK_QUEUE_URL, SAMPLE_DATABASE_URL, SAMPLE_DATA: data });
const browser = await chromium.launch({ executablePath: findChromium(), args: CHROMIUM_FLAGS });
try {
  for (const [shape, options] of Object.entries(SHAPES)) {
    for (const { name, path, isForAdministrators = false, act, colorScheme } of SCENES) {
      const context = await browser.newContext({
        reducedMotion: 'reduce',
        ...options,
        ...(!isAll && colorScheme && { colorScheme }),
      });
      context.setDefaultTimeout(60_000);
      const page: Page = await context.newPage();
      if (isForAdministrators) await signIn(page, sample, path);
      else await page.goto(sample.url + path);
      await act?.(page);
      await page.screenshot({ path: join(folder, `${name}${shape}.png`), fullPage: isAll });
      await context.close();
      console.log(`${name}${shape}`);
    }
  }
} finally {
  await browser.close();
  await sample.stop();
  await rm(data, { recursive: true, force: true });
}
