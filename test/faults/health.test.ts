import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Redis } from 'ioredis';
import { Task } from 'nestjs-task-queue';
import pg from 'pg';
import type { BullMQEngine } from '../../lib/engine/bullmq/bullmq-engine.js';
import { ENGINE } from '../../lib/task-queue-tokens.js';
import { Gate } from '../support/gate.js';
import { probe, startHealthApp, type HealthApp } from '../support/health-app.js';
import { freePrefix, startPostgres, startRedis } from '../support/servers.js';
import { until } from '../support/until.js';

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

@Injectable()
class Mails {
  @Task({ queue: 'mail' })
  send(value: number): number {
    return value;
  }
}

/** A queue counts as silent after a little more than the longest time between two requests of an idle worker. */
const WITHIN = { queues: ['mail'], within: '11s' };
const PATIENCE = 40_000;

describe.each(['redis', 'postgres'] as const)('health checks on %s', (engine) => {
  let server: Awaited<ReturnType<typeof startRedis>>;
  let app: HealthApp;

  beforeEach(async () => {
    server = await (engine === 'redis' ? startRedis({ durable: true }) : startPostgres({ durable: true }));
    app = await startHealthApp({ connection: server.url, prefix: freePrefix(), enqueueTimeout: '1s' }, [Mails]);
    await expect(
      app.queue
        .of(Mails)
        .send.enqueue(1)
        .then((handle) => handle.result()),
    ).resolves.toBe(1);
    await isUp();
  });
  afterEach(async () => {
    server.thaw();
    await app.app.close();
    await server.close();
  });

  const statusOf = async (name: 'engine' | 'consuming', options: object = {}) =>
    (await app.probe(name, options)).status;
  const becomes = (status: number, name: 'engine' | 'consuming', options: object = {}) =>
    until(async () => (await statusOf(name, options)) === status, `${name} is ${status}`, PATIENCE);
  const isUp = async () => {
    await becomes(200, 'engine');
    await becomes(200, 'consuming', WITHIN);
  };
  /** The loop in which the worker takes jobs stands still, and nothing reports an error. @returns lets it go on */
  function stopLoop(): () => void {
    const { consumers } = app.app.get<{ consumers: Map<string, { worker: ReturnType<BullMQEngine['native']> }> }>(
      ENGINE,
    );
    const backend = consumers.get('mail')?.worker.getBackend() as unknown as {
      moveToActive(...args: unknown[]): Promise<unknown>;
    };
    const { moveToActive } = backend;
    const gate = new Gate();
    backend.moveToActive = async (...args) => {
      await gate.opened;
      return moveToActive.apply(backend, args);
    };
    return gate.open;
  }

  it('a restarted server makes readiness fail, not liveness, and the process is healthy again afterwards', async () => {
    await server.stop();
    await becomes(503, 'engine');
    await becomes(503, 'consuming', WITHIN);
    await expect(statusOf('consuming', { ...WITHIN, probe: 'liveness' })).resolves.toBe(200);
    await server.restart();
    await isUp();
    await expect(statusOf('consuming', { ...WITHIN, probe: 'liveness' })).resolves.toBe(200);
    await expect(
      app.queue
        .of(Mails)
        .send.enqueue(2)
        .then((handle) => handle.result()),
    ).resolves.toBe(2);
  }, 90_000);

  it('connections that the server cuts are made again', async () => {
    if (engine === 'redis') {
      const admin = new Redis(server.url);
      await admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
      await admin.quit();
    } else {
      const admin = new pg.Client(server.url);
      await admin.connect();
      await admin.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()');
      await admin.end();
    }
    await isUp();
    await expect(
      app.queue
        .of(Mails)
        .send.enqueue(3)
        .then((handle) => handle.result()),
    ).resolves.toBe(3);
    await expect(statusOf('consuming', WITHIN)).resolves.toBe(200);
  }, 60_000);

  it('a server that hangs lets every probe answer in time', async () => {
    server.freeze();
    for (const name of ['engine', 'backlog', 'schedules'] as const) {
      const options = { timeout: '300ms', queue: 'mail', max: 1 };
      const { status, took } = await app.probe(name, options);
      expect(took).toBeLessThan(3_000);
      // The process knows its schedules by itself.
      expect([name, status]).toEqual([name, name === 'schedules' ? 200 : 503]);
    }
    server.thaw();
    await isUp();
  }, 60_000);

  it('a worker that is connected and takes nothing is unhealthy within a minute, by default', async () => {
    const goOn = stopLoop();
    const begun = performance.now();
    // It runs, it is connected, and it gives signs of life.
    await until(async () => (await statusOf('consuming')) === 503, 'consuming() is down', 60_000);
    expect(performance.now() - begun).toBeLessThan(60_000);
    await expect(statusOf('engine')).resolves.toBe(200);
    await expect(statusOf('consuming', { probe: 'liveness' })).resolves.toBe(503);
    goOn();
    await becomes(200, 'consuming', { probe: 'liveness' });
    await isUp();
  }, 120_000);

  it('a blocked event loop lets the probe get no answer, and the process is healthy again afterwards', async () => {
    const child = fork(path('support/health-program.ts'), [], {
      execArgv: ['--import', path('../support/typescript-loader.js')],
      env: { ...process.env, PLACE: JSON.stringify({ connection: server.url, prefix: freePrefix() }) },
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    try {
      const [url] = (await once(child, 'message')) as [string];
      const answers = async (limit: number) => {
        const answer = probe(url, 'consuming', WITHIN).catch(() => undefined);
        const late = new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), limit).unref());
        return (await Promise.race([answer, late]))?.status;
      };
      await until(async () => (await answers(5_000)) === 200, 'the process is healthy', PATIENCE);
      child.send(4_000);
      // Kubernetes gives a probe a second, unless it is told another time.
      await until(async () => (await answers(1_000)) === undefined, 'a probe gets no answer');
      await until(async () => (await answers(5_000)) === 200, 'the process is healthy again', PATIENCE);
    } finally {
      child.kill('SIGKILL');
    }
  }, 90_000);
});
