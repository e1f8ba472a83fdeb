import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { group, type Tasks } from 'nestjs-task-queue';
import { boot, type Booted } from '../support/boot.js';
import { Maths } from '../support/maths.js';
import { freePrefix } from '../support/servers.js';

let booted: Booted;
let tasks: Tasks<Maths>;

beforeAll(async () => {
  booted = await boot(
    { connection: process.env.TEST_REDIS_URL ?? '', prefix: freePrefix(), queues: { default: { concurrency: 5 } } },
    [Maths],
  );
  tasks = booted.queue.of(Maths);
});

afterAll(() => booted?.app.close());

test('a group of 10,000 is stored in Redis within 5 s and returns its results in order', async () => {
  const members = Array.from({ length: 10_000 }, (_, index) => tasks.add.signature(index, 1));
  const start = performance.now();
  const handle = await group(members).enqueue();
  expect(performance.now() - start).toBeLessThan(5_000);
  await expect(handle.result({ timeout: '25s' })).resolves.toEqual(members.map((_, index) => index + 1));
});
