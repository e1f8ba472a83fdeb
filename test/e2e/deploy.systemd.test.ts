import { execFile, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
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
const MANAGER = '/lib/systemd/systemd';

const run = promisify(execFile);
const unit = (name: string) => readFileSync(join(root, 'deploy/systemd', name), 'utf8');

let shop: ReturnType<typeof installShop>;
let folder: string;

beforeAll(() => {
  shop = installShop();
  folder = mkdtempSync(join(tmpdir(), 'systemd-'));
  mkdirSync(join(folder, 'units'));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
  shop.remove();
});

test('systemd-analyze finds no fault in the units', async () => {
  const place = join(folder, 'verified');
  mkdirSync(place);
  for (const name of ['shop-worker.service', 'shop-web@.service'])
    // It checks that the program exists.
    writeFileSync(join(place, name), unit(name).replaceAll('/srv/shop', shop.folder));
  const verify = (name: string) => run(findProgram('systemd-analyze'), ['verify', '--man=no', join(place, name)]);
  for (const name of ['shop-worker.service', 'shop-web@3001.service']) expect((await verify(name)).stderr).toBe('');
  writeFileSync(join(place, 'wrong.service'), '[Service]\nExecStart=/no/such/program\n');
  await expect(verify('wrong.service')).rejects.toThrow('not executable');
}, 60_000);

/** Whether this machine lets a test have a systemd of its own: root, namespaces of mounts, control groups. */
function canRunSystemd(): boolean {
  if (process.getuid?.() !== 0 || !existsSync(MANAGER)) return false;
  if (!existsSync('/sys/fs/cgroup/systemd/cgroup.procs') && !existsSync('/sys/fs/cgroup/cgroup.procs')) return false;
  const script =
    'mount -t tmpfs tmpfs /run && mount -t tmpfs tmpfs /srv && mkdir -p /sys/fs/cgroup/systemd/probe && rmdir /sys/fs/cgroup/systemd/probe';
  return spawnSync('unshare', ['-m', 'sh', '-c', script], { timeout: 10_000 }).status === 0;
}

/** A systemd of its own, in a namespace where the application is in /srv/shop. */
class Systemd {
  private readonly child: ChildProcess;

  constructor(units: string) {
    const script = [
      'set -e',
      'mount -t tmpfs tmpfs /run',
      'mkdir -p /run/systemd/system /run/manager',
      'mount -t tmpfs tmpfs /srv',
      'mkdir /srv/shop',
      `mount --bind ${shop.folder} /srv/shop`,
      `exec ${MANAGER} --user --unit=shop-test.target`,
    ];
    this.child = spawn('unshare', ['-m', 'sh', '-c', script.join('\n')], {
      env: { PATH: process.env['PATH'], HOME: folder, XDG_RUNTIME_DIR: '/run/manager', SYSTEMD_UNIT_PATH: `${units}:` },
      stdio: 'ignore',
    });
  }

  async control(...args: string[]): Promise<string> {
    const env = { PATH: process.env['PATH'], XDG_RUNTIME_DIR: '/run/manager' };
    const inside = ['-t', String(this.child.pid), '-m', 'systemctl', '--user', '--no-pager', ...args];
    const { stdout } = await run('nsenter', inside, { env, timeout: 120_000 }).catch(
      (error: { stdout: string }) => error,
    );
    return stdout;
  }

  async property(name: string, service: string): Promise<string> {
    return (await this.control('show', '--value', '-p', name, service)).trim();
  }

  /** Stops all units, and ends. */
  async close(): Promise<void> {
    this.child.kill('SIGTERM');
    const ended = () => this.child.exitCode !== null || this.child.signalCode !== null;
    await until(ended, 'systemd has ended', 100_000);
  }
}

(canRunSystemd() ? test : test.skip)(
  'a real systemd starts the units, starts again what is killed, reloads for a deploy, and leaves a wrong configuration alone',
  async () => {
    const [port, health] = (await freePorts(2)) as [number, number];
    const database = await createDatabase(process.env['TEST_POSTGRES_URL'] as string);
    await migrateShop(shop.folder, database.url);
    const variables = {
      PATH: process.env['PATH'],
      NO_COLOR: '1',
      TASK_QUEUE_URL: process.env['TEST_REDIS_URL'],
      TASK_QUEUE_PREFIX: freePrefix(),
      DATABASE_URL: database.url,
    };
    const lines = Object.entries(variables).map(([name, value]) => `${name}=${value}\n`);
    writeFileSync(join(folder, 'shop.env'), lines.join(''));
    const units = join(folder, 'units');
    const web = `shop-web@${port}.service`;
    const worker = 'shop-worker.service';
    writeFileSync(join(units, worker), unit(worker).replace('--health-port 8081', `--health-port ${health}`));
    writeFileSync(join(units, 'shop-web@.service'), unit('shop-web@.service'));
    writeFileSync(join(units, 'shop-test.target'), `[Unit]\nWants=${web} ${worker}\n`);
    for (const name of [worker, 'shop-web@.service']) {
      mkdirSync(join(units, `${name}.d`));
      // The user of the tests, their variables, and packages of theirs that are in /tmp or /home. There is no journal.
      const settings = [
        ...['User=', 'PrivateTmp=no', 'ProtectHome=no', 'EnvironmentFile=', `EnvironmentFile=${folder}/shop.env`],
        ...[`StandardOutput=append:${folder}/${name}.log`, `StandardError=append:${folder}/${name}.log`],
      ];
      writeFileSync(join(units, `${name}.d/test.conf`), `[Service]\n${settings.join('\n')}\n`);
    }
    const log = () => readFileSync(join(folder, `${worker}.log`), 'utf8');
    const systemd = new Systemd(units);
    try {
      const answers = (url: string) =>
        fetch(url).then(
          ({ ok }) => ok,
          () => false,
        );
      const isReady = async () =>
        (await answers(`http://127.0.0.1:${port}/health/ready`)) && (await answers(`http://127.0.0.1:${health}/ready`));
      await until(isReady, () => `both are ready: ${existsSync(join(folder, `${worker}.log`)) ? log() : ''}`, 120_000);
      const customers = new Customers(`http://127.0.0.1:${port}`, 4);
      await customers.haveOrdered(5);

      const first = Number(await systemd.property('MainPID', worker));
      process.kill(first, 'SIGKILL');
      const isNew = async () => ![0, first].includes(Number(await systemd.property('MainPID', worker)));
      await until(isNew, 'the worker runs again', 60_000);
      await until(isReady, 'it is ready again', 120_000);

      shop.build();
      await systemd.control('reload', worker);
      await until(() => log().includes('All processes are new.'), 'the processes are new', 120_000);
      await customers.haveOrdered(5);
      await customers.leave();
      expect(customers.refused).toEqual([]);
      await allShipped(database.url, customers.ordered);

      await systemd.control('stop', worker);
      expect(await systemd.property('Result', worker)).toBe('success');
      expect(log()).toContain('All processes have ended.');

      rmSync(join(shop.folder, 'dist/app.module.js'));
      await systemd.control('start', worker);
      await until(async () => (await systemd.property('ActiveState', worker)) === 'failed', 'it has failed', 60_000);
      expect(await systemd.property('ExecMainStatus', worker)).toBe('2');
      expect(await systemd.property('SubState', worker)).toBe('failed');
    } finally {
      await systemd.close();
      await database.drop();
    }
  },
  TIME_LIMIT,
);
