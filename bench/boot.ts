import { Redis } from 'ioredis';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Course, Row } from './harness/compare.js';
import { median } from './harness/figures.js';
import { freePlace } from './harness/rival.js';

/** One for commands, one for changes, one for all workers, and one for each queue: 20 of the application, and two reserved ones. */
const CONNECTIONS = 3 + 20 + 2;
/** Milliseconds that the module may add to the start. */
const AT_MOST = 300;

export const about =
  'The start of a process with 200 tasks on 20 queues, until it listens and works, against the same application without the module; and how many connections it then has to Redis.';

const path = (file: string) => fileURLToPath(new URL(`peers/${file}`, import.meta.url));
const app = path('boot-app.js');
const bullmqApp = path('boot-bullmq-app.js');

export async function run({ rounds, server }: Course): Promise<Row[]> {
  const { connection, prefix } = freePlace('redis', await server('redis'));
  const redis = new Redis(connection);
  const connected = async () => Number(/connected_clients:(\d+)/.exec(await redis.info('clients'))?.[1]);
  const before = await connected();
  const connections: number[] = [];

  /** Starts the application once. Resolves to the milliseconds from the start of the process until it listens. */
  async function start(file: string, ...args: string[]): Promise<number> {
    const child = fork(file, args, { execArgv: [], env: { ...process.env, NODE_ENV: 'production' } });
    const exited = once(child, 'exit');
    const [answer] = (await Promise.race([once(child, 'message'), exited])) as [unknown];
    if (file === app && args.length > 0) connections.push((await connected()) - before);
    if (child.connected) child.disconnect();
    const [code] = (await exited) as [number | null];
    if (code !== 0) throw new Error(`The application ended with ${code}.`);
    return answer as number;
  }

  const without: number[] = [];
  const own: number[] = [];
  const peer: number[] = [];
  for (let round = 0; round <= rounds; round++) {
    without.push(await start(app));
    own.push(await start(app, connection, prefix));
    peer.push(await start(bullmqApp, connection, `${prefix}-bullmq`));
  }
  redis.disconnect();
  // The first round does not count, because it fills the caches of the file system.
  const moreThanWithout = (values: number[]) => values.map((value, round) => value - without[round]).slice(1);
  const shown = (values: number[]) =>
    `${median(values).toFixed(0)} ms more (${Math.min(...values).toFixed(0)} to ${Math.max(...values).toFixed(0)})`;
  const more = moreThanWithout(own);
  const most = Math.max(...connections);
  return [
    {
      what: 'start with 200 tasks on 20 queues',
      ours: `${median(own).toFixed(0)} ms`,
      peer: `without the module: ${median(without).toFixed(0)} ms`,
      ratio: shown(more),
      must: `at most ${AT_MOST} ms more`,
      met: median(more) <= AT_MOST,
    },
    {
      what: 'the same with 20 processors of @nestjs/bullmq',
      ours: `${median(peer).toFixed(0)} ms`,
      peer: `without: ${median(without).toFixed(0)} ms`,
      ratio: shown(moreThanWithout(peer)),
      must: '',
      met: undefined,
    },
    {
      what: 'connections to Redis',
      ours: `${most}`,
      peer: '',
      ratio: '',
      must: `${CONNECTIONS}, as docs/engines.md says`,
      met: most === CONNECTIONS,
    },
  ];
}
