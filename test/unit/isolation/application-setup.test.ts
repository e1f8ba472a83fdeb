import { expect, it } from '@jest/globals';
import { differenceOf, setupOf, type ApplicationSetup } from '../../../lib/isolation/application-setup.js';
import { resolveOptions } from '../../../lib/task-queue-options.js';

const setup: ApplicationSetup = { version: '1.2.3', place: 'Redis at a:6379, prefix tasks', tasks: ['pdf', 'zip'] };

it('a child with the same setup, or with more tasks, can be used', () => {
  expect(differenceOf(setup, structuredClone(setup))).toBeUndefined();
  expect(differenceOf(setup, { ...setup, tasks: ['a', 'pdf', 'zip'] })).toBeUndefined();
});

it.each<[string, ApplicationSetup | undefined, RegExp]>([
  [
    'version',
    { ...setup, version: '1.2.4' },
    /uses nestjs-task-queue 1\.2\.4, and this process 1\.2\.3\. Install one version/,
  ],
  ['older version', undefined, /uses nestjs-task-queue of another version, and this process 1\.2\.3/],
  [
    'place',
    { ...setup, place: 'Redis at b:6379, prefix tasks' },
    /in Redis at b:6379, prefix tasks, and this process stores them in Redis at a:6379, prefix tasks\. Give forRoot\(\)/,
  ],
  [
    'tasks',
    { ...setup, tasks: ['zip'] },
    /declares the isolated tasks "zip", and this process declares "pdf" too\. Name/,
  ],
  ['no tasks', { ...setup, tasks: [] }, /declares the isolated tasks none, and this process declares "pdf", "zip" too/],
])('a child with another %s is refused in one line', (_, child, message) => {
  const difference = differenceOf(setup, child);
  expect(difference).toMatch(message);
  expect(difference).not.toContain('\n');
});

it('the place names every shard, and no credentials', () => {
  const options = resolveOptions(
    {
      connection: 'redis://me:secret@a:6379',
      shards: { media: { connection: 'postgres://me:secret@b/app' } },
      queues: { films: { shard: 'media' } },
    },
    {},
  );
  const { place } = setupOf(options, { isolated: () => [] });
  expect(place).toBe('Redis at a:6379, prefix tasks; on PostgreSQL at b/app, schema tasks (shard media)');
});
