import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { TaskHandle } from 'nestjs-task-queue';
import { boot, type Booted } from '../support/boot.js';
import { describeEachEngine } from '../support/engines.js';
import { REFUSED, STORED, THROWN } from '../support/hostile-values.js';
import { childEnvironment, childrenStoreIn } from '../support/isolated-children.js';
import { IsolatedValues } from '../support/isolated-values.js';

const app = fileURLToPath(new URL('../support/isolated-values.ts', import.meta.url));
childEnvironment();

describeEachEngine('an isolated task', (engine) => {
  let booted: Booted;

  beforeAll(async () => {
    const place = await engine.place();
    childrenStoreIn(place);
    booted = await boot({ ...place, abandonedAfter: '30s', isolation: { app } }, [IsolatedValues]);
  }, 60_000);
  afterAll(() => booted.app.close());

  const endOf = (handle: TaskHandle) =>
    handle.result({ timeout: '60s' }).catch((error: { cause: { message: string } }) => error.cause.message);
  const run = async (name: string, whats: readonly string[]) => {
    const handles = await booted.queue.of(name).enqueueMany(whats.map((what) => [what]));
    const ends = await Promise.all(handles.map(endOf));
    const statuses = await Promise.all(handles.map((handle) => handle.status()));
    return { ends, attempts: new Set(statuses.map(({ attempt }) => attempt)) };
  };
  const says = (values: typeof REFUSED) =>
    Object.values(values).map(([, text]) => expect.stringMatching(text) as unknown);

  it('ends with what it returns as one in the process of its worker does', async () => {
    const { ends, attempts } = await run('IsolatedValues.give', [...Object.keys(STORED), ...Object.keys(REFUSED)]);
    expect(ends).toEqual([...Object.values(STORED).map(([, result]) => result), ...says(REFUSED)]);
    expect(attempts).toEqual(new Set([1]));
  }, 90_000);

  it('ends with what it throws as one in the process of its worker does', async () => {
    const { ends } = await run('IsolatedValues.fail', Object.keys(THROWN));
    expect(ends).toEqual(says(THROWN));
  }, 90_000);
});
