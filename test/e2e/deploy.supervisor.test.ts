import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { findProgram } from '../support/programs.js';
import { createDatabase, freePorts, freePrefix } from '../support/servers.js';
import { allShipped, Customers, installShop, migrateShop, root } from '../support/shop.js';
import { until } from '../support/until.js';

/** Milliseconds for a test. Alone it takes a tenth of it. */
const TIME_LIMIT = 240_000;

let shop: ReturnType<typeof installShop>;
let folder: string;
let database: Awaited<ReturnType<typeof createDatabase>>;
let daemon: ChildProcess;
let ports: number[];

beforeAll(async () => {
  findProgram('supervisord');
  shop = installShop();
  folder = mkdtempSync(join(tmpdir(), 'supervisord-'));
  database = await createDatabase(process.env['TEST_POSTGRES_URL'] as string);
  await migrateShop(shop.folder, database.url);
  ports = await freePorts(4);
  const [web1, web2, health1, health2] = ports as [number, number, number, number];
  // What the page tells the reader to change, and the ports, which have to be free here.
  const programs = readFileSync(join(root, 'deploy/supervisor/shop.conf'), 'utf8')
    .replaceAll('/srv/shop', shop.folder)
    .replaceAll('/var/log/supervisor', folder)
    .replaceAll(/^user=shop\n/gm, '')
    .replaceAll('command=node', `command=${process.execPath}`)
    .replace('numprocs=2\nnumprocs_start=1', `numprocs=2\nnumprocs_start=${web1}`)
    .replace('300%(process_num)d', '%(process_num)d')
    .replace('numprocs=2\nnumprocs_start=1', `numprocs=2\nnumprocs_start=${health1}`)
    .replace('808%(process_num)d', '%(process_num)d');
  expect([web2, health2]).toEqual([web1 + 1, health1 + 1]);
  const socket = join(folder, 'supervisor.sock');
  const own = `[supervisord]
nodaemon=true
logfile=${folder}/supervisord.log
pidfile=${folder}/supervisord.pid
[unix_http_server]
file=${socket}
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix://${socket}
`;
  writeFileSync(join(folder, 'supervisord.conf'), own + programs);
  daemon = spawn(findProgram('supervisord'), ['-c', join(folder, 'supervisord.conf')], {
    env: {
      PATH: process.env['PATH'],
      NO_COLOR: '1',
      TASK_QUEUE_URL: process.env['TEST_REDIS_URL'],
      TASK_QUEUE_PREFIX: freePrefix(),
      DATABASE_URL: database.url,
    },
    stdio: 'ignore',
    detached: true,
  });
}, TIME_LIMIT);

afterAll(async () => {
  daemon.kill('SIGTERM');
  await until(() => daemon.exitCode !== null || daemon.signalCode !== null, 'supervisord has ended', 100_000);
  await database.drop();
  rmSync(folder, { recursive: true, force: true });
  shop.remove();
}, TIME_LIMIT);

async function control(...args: string[]): Promise<string> {
  const command = join(findProgram('supervisord'), '..', 'supervisorctl');
  // The exit code tells of processes that are not running, too.
  const { stdout } = await promisify(execFile)(command, ['-c', join(folder, 'supervisord.conf'), ...args]).catch(
    (error: { stdout: string }) => error,
  );
  return stdout;
}

/** The process of each program by its name. */
async function running(): Promise<Map<string, number>> {
  const lines = (await control('status')).split('\n');
  return new Map(
    lines.flatMap((line) => {
      const [, name, pid] = /^shop:(\S+)\s+RUNNING\s+pid (\d+)/.exec(line) ?? [];
      return name ? [[name, Number(pid)] as const] : [];
    }),
  );
}

const log = (name: string) => readFileSync(join(folder, `${name}.log`), 'utf8');
const isReady = (port: number, path: string) =>
  fetch(`http://127.0.0.1:${port}${path}`).then(
    ({ ok }) => ok,
    () => false,
  );

test(
  'Supervisor starts again what is killed, a deploy under load loses no order, and it gives up on a wrong configuration',
  async () => {
    const [web1, web2, health1, health2] = ports as [number, number, number, number];
    const all = async () =>
      (await running()).size === 4 &&
      (await isReady(web1, '/health/ready')) &&
      (await isReady(web2, '/health/ready')) &&
      (await isReady(health1, '/ready')) &&
      (await isReady(health2, '/ready'));
    await until(all, 'everything runs', 120_000);
    const customers = new Customers(`http://127.0.0.1:${web1}`, 4);
    await customers.haveOrdered(10);

    // A worker command is killed under load.
    const victim = `shop-worker-${health1}`;
    const before = (await running()).get(victim) as number;
    process.kill(before, 'SIGKILL');
    await until(
      async () => ![undefined, before].includes((await running()).get(victim)),
      `${victim} runs again`,
      60_000,
    );
    await until(all, 'everything runs again', 120_000);

    // The deploy: a new build, and SIGHUP.
    shop.build();
    await control('signal', 'HUP', `shop:shop-worker-${health1}`, `shop:shop-worker-${health2}`);
    for (const port of [health1, health2])
      await until(
        () => log(`shop-worker-${port}`).includes('All processes are new.'),
        'the processes are new',
        120_000,
      );
    // A restart of the command itself.
    await control('restart', `shop:shop-worker-${health2}`);
    await until(all, 'everything runs after the restart', 120_000);
    await customers.haveOrdered(10);
    await customers.leave();
    expect(customers.refused).toEqual([]);
    await allShipped(database.url, customers.ordered);
    expect(log(`shop-worker-${health2}`)).toContain('All processes have ended.');

    // A wrong configuration ends with exit code 2.
    rmSync(join(shop.folder, 'dist/app.module.js'));
    await control('restart', `shop:${victim}`);
    await until(async () => /EXITED|FATAL/.test(await control('status', `shop:${victim}`)), 'it has ended', 60_000);
    expect(log(victim)).toContain('There is no file');
    await control('stop', 'shop:*');
    expect(await control('status', `shop:shop-worker-${health2}`)).toMatch(/STOPPED/);
  },
  TIME_LIMIT,
);
