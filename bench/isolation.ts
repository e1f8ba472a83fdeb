import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Course, Row } from './harness/compare.js';
import { median } from './harness/figures.js';

/** Milliseconds that an isolated task without work may take longer than one in the process. */
const LONGER = 3;
/** Milliseconds that a child may need longer to boot than the application alone. */
const BOOT = 300;
/** Milliseconds that timers of the parent may be late while its children compute. */
const DELAY = 20;

export const about =
  'Isolated tasks in the memory engine: a task that does nothing in a warm child process against one in the process itself (median of 1,000 each), the boot of a child against that of the same application alone, and the delay of the event loop of the parent (99th percentile) while both of its children compute.';

const program = fileURLToPath(new URL('peers/isolated-parent.js', import.meta.url));

type Measured = Readonly<Record<'boot' | 'here' | 'isolated' | 'delay', number>>;

async function measure(what: string, env: NodeJS.ProcessEnv = {}): Promise<Measured> {
  const child = fork(program, [what], { execArgv: [], env: { ...process.env, NODE_ENV: 'production', ...env } });
  const exited = once(child, 'exit');
  const [answer] = (await Promise.race([once(child, 'message'), exited])) as [unknown];
  const [code] = (await exited) as [number | null];
  if (code !== 0) throw new Error(`The application ended with ${code}.`);
  return answer as Measured;
}

export async function run({ rounds, option }: Course): Promise<Row[]> {
  const count = `${option('isolated', 1_000)}`;
  const alone: number[] = [];
  const measured: Measured[] = [];
  for (let round = 0; round <= rounds; round++) {
    alone.push((await measure('alone', { ROLE: 'producer' })).boot);
    measured.push(await measure(count));
  }
  // The first round does not count, because it fills the caches of the file system.
  const [own, peers] = [measured.slice(1), alone.slice(1)];
  const middle = (figures: readonly number[]) => Number(median(figures).toFixed(2));
  const longer = middle(own.map(({ isolated, here }) => isolated - here));
  const later = middle(own.map(({ boot }, round) => boot - peers[round]));
  const delay = middle(own.map((one) => one.delay));
  return [
    {
      what: 'a task that does nothing',
      ours: `${middle(own.map(({ isolated }) => isolated))} ms`,
      peer: `in the process: ${middle(own.map(({ here }) => here))} ms`,
      ratio: `${longer} ms more`,
      must: `at most ${LONGER} ms more`,
      met: longer <= LONGER,
    },
    {
      what: 'the boot of a child',
      ours: `${middle(own.map(({ boot }) => boot))} ms`,
      peer: `the application alone: ${middle(peers)} ms`,
      ratio: `${later} ms more`,
      must: `at most ${BOOT} ms more`,
      met: later <= BOOT,
    },
    {
      what: 'delay of the event loop while two children compute',
      ours: `${delay} ms`,
      peer: '',
      ratio: '',
      must: `at most ${DELAY} ms`,
      met: delay <= DELAY,
    },
  ];
}
