/**
 * `npm run bench [-- NAME... --rounds=5 --waiting=1000000 --tasks=1000000 --profile=FOLDER]`: runs all comparisons, or the named ones,
 * one after the other. It prints their tables and writes them into `bench/RESULTS.md`.
 */
import { parseArgs } from 'node:util';
import { useRunFolder } from '../test/support/run-folder.js';
import { startPostgres, startRedis } from '../test/support/servers.js';
import type { Course, Row } from './harness/compare.js';
import { record, table } from './harness/report.js';

const ORDER = [
  ...['enqueue', 'enqueue-many', 'run-tasks', 'start', 'result', 'workflows', 'clients', 'waiter', 'waiters', 'status'],
  ...[
    'waiting',
    'lists',
    'dashboard',
    'schedules',
    'telemetry',
    'boot',
    'embedded',
    'memory',
    'isolation',
    'outbox',
    'scale-out',
    'supervisor',
    'one-database',
  ],
];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  strict: false,
  options: { profile: { type: 'string' }, rounds: { type: 'string' } },
});
const unknown = positionals.filter((name) => !ORDER.includes(name));
if (unknown.length > 0) {
  console.error(`No such comparison: ${unknown.join(', ')}. There are: ${ORDER.join(', ')}.`);
  process.exit(2);
}

/** As in production: PostgreSQL writes to the disk before it acknowledges, Redis by default does not. */
const start = { redis: () => startRedis(), postgres: () => startPostgres({ durable: true }) };
const servers = new Map<'redis' | 'postgres', ReturnType<typeof startRedis>>();
const option = (name: string, byDefault: number) => Number(values[name] ?? byDefault);

await useRunFolder();
let missed = 0;
for (const name of ORDER) {
  if (positionals.length > 0 && !positionals.includes(name)) continue;
  const file = new URL(`${name}.ts`, import.meta.url).href;
  const { about, run } = (await import(file)) as { about: string; run(course: Course): Promise<Row[]> };
  console.log(`\n=== ${name}: ${about}`);
  const startedAt = performance.now();
  const rows = await run({
    file,
    rounds: option('rounds', 5),
    profiles: values.profile as string | undefined,
    option,
    async server(store) {
      if (!servers.has(store)) servers.set(store, start[store]());
      return (await servers.get(store)!).url;
    },
  });
  console.log(table(rows));
  missed += rows.filter(({ met }) => met === false).length;
  record({ name, about, rows, took: (performance.now() - startedAt) / 1000 }, ORDER);
}
console.log(missed === 0 ? '\nAll targets met.' : `\n${missed} targets missed.`);
await Promise.all(Array.from(servers.values(), async (server) => (await server).close()));
