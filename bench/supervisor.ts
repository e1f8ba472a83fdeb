import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Course, Row } from './harness/compare.js';
import { median } from './harness/figures.js';
import { freePlace } from './harness/rival.js';

/** Megabytes of the command itself. */
const MEMORY_AT_MOST = 70;
const MEGABYTE = 2 ** 20;

export const about =
  'The worker command on Redis, with an application of one task: how long it takes to its first line, until its process is ready, and to its end; the same application without the command; and the resident memory of both.';

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

interface Figures {
  readonly first: number;
  readonly ready: number;
  readonly alone: number;
  readonly end: number;
  readonly supervisor: number;
  readonly process: number;
  readonly processAlone: number;
}

const residentMemory = (pid: number | string) =>
  (Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024) / MEGABYTE;

/** Runs the command once, on Linux, because it reads the memory in `/proc`. */
async function underCommand(env: NodeJS.ProcessEnv): Promise<Omit<Figures, 'alone' | 'processAlone'>> {
  const begun = performance.now();
  const args = [path('../dist/esm/cli/main.js'), 'worker', path('peers/worker-module.js')];
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  let first = 0;
  let output = '';
  const pid = await new Promise<string>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`The command ended with ${code}:\n${output}`)));
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      first ||= performance.now() - begun;
      output += text;
      const [, ready] = /Process (\d+) is ready/.exec(output) ?? [];
      if (ready !== undefined) resolve(ready);
    });
  });
  const ready = performance.now() - begun;
  const memory = { supervisor: residentMemory(child.pid as number), process: residentMemory(pid) };
  const stopped = performance.now();
  child.kill('SIGTERM');
  await exited;
  return { first, ready, end: performance.now() - stopped, ...memory };
}

async function alone(env: NodeJS.ProcessEnv): Promise<Pick<Figures, 'alone' | 'processAlone'>> {
  const child = fork(path('peers/worker-alone.js'), [], { env, execArgv: [] });
  const [{ ready, memory }] = (await once(child, 'message')) as [{ ready: number; memory: number }];
  const exited = once(child, 'exit');
  child.disconnect();
  await exited;
  return { alone: ready, processAlone: memory / MEGABYTE };
}

export async function run({ rounds, server }: Course): Promise<Row[]> {
  const { connection, prefix } = freePlace('redis', await server('redis'));
  const env = {
    ...process.env,
    NODE_OPTIONS: '',
    NODE_ENV: 'production',
    TASK_QUEUE_URL: connection,
    TASK_QUEUE_PREFIX: prefix,
  };
  const measured: Figures[] = [];
  for (let round = 0; round <= rounds; round++) measured.push({ ...(await underCommand(env)), ...(await alone(env)) });
  // The first round fills the caches of the file system.
  const counted = measured.slice(1);
  const of = (figure: keyof Figures) => median(counted.map((each) => each[figure]));
  const range = (figure: keyof Figures) => {
    const values = counted.map((each) => each[figure]);
    return `${Math.min(...values).toFixed(0)} to ${Math.max(...values).toFixed(0)}`;
  };
  const later = median(counted.map((each) => each.ready - each.alone));
  return [
    {
      what: 'first line',
      ours: `${of('first').toFixed(0)} ms`,
      peer: '',
      ratio: range('first'),
      must: '',
      met: undefined,
    },
    {
      what: 'process ready',
      ours: `${of('ready').toFixed(0)} ms`,
      peer: `the application alone: ${of('alone').toFixed(0)} ms`,
      ratio: `${later.toFixed(0)} ms later`,
      must: '',
      met: undefined,
    },
    {
      what: 'SIGTERM to the end',
      ours: `${of('end').toFixed(0)} ms`,
      peer: '',
      ratio: range('end'),
      must: '',
      met: undefined,
    },
    {
      what: 'memory of the command itself',
      ours: `${of('supervisor').toFixed(0)} MB`,
      peer: '',
      ratio: range('supervisor'),
      must: `at most ${MEMORY_AT_MOST} MB`,
      met: of('supervisor') <= MEMORY_AT_MOST,
    },
    {
      what: 'memory of its process',
      ours: `${of('process').toFixed(0)} MB`,
      peer: `the application alone: ${of('processAlone').toFixed(0)} MB`,
      ratio: (of('process') / of('processAlone')).toFixed(2),
      must: '',
      met: undefined,
    },
  ];
}
