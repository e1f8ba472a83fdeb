import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { findProgram } from '../support/programs.js';
import { freePorts } from '../support/servers.js';
import { allShipped, Customers, installShop, root } from '../support/shop.js';
import { until } from '../support/until.js';

/** Milliseconds for a test. Alone it takes a tenth of it. */
const TIME_LIMIT = 240_000;

let shop: ReturnType<typeof installShop>;
let state: string;
let script: ChildProcess;
let output = '';
let port: number;

beforeAll(async () => {
  for (const program of ['nginx', 'redis', 'postgres', 'initdb'] as const) findProgram(program);
  shop = installShop();
  state = mkdtempSync(join(tmpdir(), 'shop-state-'));
  [port] = (await freePorts(7)) as [number];
  script = spawn(process.execPath, [join(root, 'deploy/processes/run.mjs'), shop.folder], {
    env: { PATH: process.env['PATH'], STATE: state, FIRST_PORT: `${port}`, NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
    // A process group of its own: nothing is left when the test ends early.
    detached: true,
  });
  for (const stream of [script.stdout, script.stderr])
    stream?.setEncoding('utf8').on('data', (text: string) => (output += text));
}, TIME_LIMIT);

afterAll(() => {
  try {
    process.kill(-(script.pid as number), 'SIGKILL');
  } catch {
    // All of its processes have ended.
  }
  rmSync(state, { recursive: true, force: true });
  shop.remove();
});

const says = (text: string) =>
  until(
    () => output.includes(text) || script.exitCode !== null,
    () => `it says ${text}; it says:\n${output}`,
    120_000,
  );

test(
  'a deploy under load refuses no order and loses none, and everything stops in order',
  async () => {
    await says('Ready on http://127.0.0.1:');
    const url = `http://127.0.0.1:${port}`;
    expect((await fetch(`${url}/health/ready`)).status).toBe(404);
    const customers = new Customers(url, 4);
    await customers.haveOrdered(20);
    shop.build();
    script.kill('SIGHUP');
    await says('deploy: Deployed.');
    await customers.haveOrdered(20);
    await customers.leave();
    expect(customers.refused).toEqual([]);
    expect(new Set(customers.ordered).size).toBe(customers.ordered.length);
    await allShipped(`postgres://shop@127.0.0.1:${port + 2}/postgres`, customers.ordered);
    expect(output.match(/worker-\d: .*All processes are new/g)?.length).toBe(2);
    expect(output).not.toContain('ended by itself');
    script.kill('SIGTERM');
    expect(await once(script, 'exit')).toEqual([0, null]);
  },
  TIME_LIMIT,
);
