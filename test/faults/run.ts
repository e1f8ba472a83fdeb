/**
 * `npm run faults [-- name...]`: runs every scenario in full, or the scenarios whose names contain one of the
 * arguments. It breaks real servers, connections and processes, and prints what became of the tasks. A full run takes
 * some minutes.
 */
import { useRunFolder } from '../support/run-folder.js';
import { scenarios } from './scenarios/index.js';
import { type Counts, type EngineName, World } from './support/world.js';

await useRunFolder();
const wanted = process.argv.slice(2);
const rows: ({ scenario: string; engine: EngineName; seconds: string } & (Counts | { error: string }))[] = [];

for (const { name, engines, open, run } of scenarios('full')) {
  if (wanted.length > 0 && !wanted.some((part) => name.includes(part))) continue;
  for (const engine of engines) {
    const world = await World.open(engine, open);
    const start = Date.now();
    const seconds = () => ((Date.now() - start) / 1000).toFixed(1);
    try {
      await run(world);
      rows.push({ scenario: name, engine, ...world.counts(), seconds: seconds() });
    } catch (error) {
      console.error(world.explain(error).message);
      rows.push({ scenario: name, engine, error: (error as Error).message.split('\n')[0] ?? '', seconds: seconds() });
      process.exitCode = 1;
    } finally {
      await world.close();
    }
    console.log(JSON.stringify(rows.at(-1)));
  }
}

const columns = [
  'enqueued',
  'refused',
  'started',
  'finished',
  'failed',
  'lost',
  'duplicated',
  'unexpected',
  'seconds',
] as const;
console.log(`\n| scenario | engine | ${columns.join(' | ')} |\n| --- | --- |${' ---: |'.repeat(columns.length)}`);
for (const row of rows) {
  const cells = 'error' in row ? [`FAILED: ${row.error}`] : columns.map((column) => row[column]);
  console.log(`| ${row.scenario} | ${row.engine} | ${cells.join(' | ')} |`);
}
// Node 20 may wait for ever for a write to a process that was killed, when the program ends by itself.
process.exit();
