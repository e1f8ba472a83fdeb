import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { freePrefix } from '../support/servers.js';
import { until } from '../support/until.js';
import type { SentSpan } from './support/traced-sdk.js';

/** A request of another service, a web process that enqueues, and a worker in a process of its own. */

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));
const PROGRAM = ['--import', path('../support/typescript-loader.js'), path('support/traced-app.ts')];
/** The span of the other service. */
const REMOTE = { traceId: 'c'.repeat(32), spanId: 'd'.repeat(16) };

describe.each(['TEST_REDIS_URL', 'TEST_POSTGRES_URL'])('a trace over two processes, on %s', (variable) => {
  const spans: SentSpan[] = [];
  const children: ChildProcess[] = [];
  let url: string;

  /** Resolves with what the program says when it is ready. */
  async function start(name: string, place: object): Promise<string> {
    const child = spawn(process.execPath, PROGRAM, {
      env: { ...process.env, NODE_OPTIONS: '', JEST_WORKER_ID: '', NAME: name, PLACE: JSON.stringify(place) },
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    children.push(child);
    return new Promise((resolve, reject) => {
      child.once('exit', (code) => reject(new Error(`${name} ended with ${code} before it was ready.`)));
      child.on('message', (message: SentSpan | { readonly ready: string }) => {
        if ('ready' in message) resolve(message.ready);
        else spans.push(message);
      });
    });
  }

  beforeAll(async () => {
    const place = { connection: process.env[variable], prefix: freePrefix() };
    await start('worker', place);
    url = await start('web', place);
  }, 60_000);
  afterAll(() =>
    Promise.all(
      children.map(async (child) => {
        const exited = once(child, 'exit');
        child.kill('SIGKILL');
        if (child.exitCode === null && child.signalCode === null) await exited;
      }),
    ),
  );

  const find = (process: string, name: string, attempt?: number) =>
    spans.find(
      (span) =>
        span.process === process &&
        span.name === name &&
        (attempt === undefined || span.attributes['task_queue.attempt'] === attempt),
    );

  it('leads from the request of another service to the attempts of the task, and on to the next task', async () => {
    const response = await fetch(`${url}/orders`, {
      method: 'POST',
      headers: { traceparent: `00-${REMOTE.traceId}-${REMOTE.spanId}-01`, baggage: 'tenant=acme' },
    });
    const { id } = (await response.json()) as { id: string };
    // The spans of two processes come in any order.
    const server = () => spans.find(({ place }) => place === find('web', 'enqueue Orders.ship')?.parent);
    await until(() => find('worker', 'run Orders.announce') !== undefined && server() !== undefined, 'both have spans');
    const sent = find('web', 'enqueue Orders.ship') as SentSpan;
    expect(server()).toMatchObject({ process: 'web', kind: 'SERVER', parent: `${REMOTE.traceId}-${REMOTE.spanId}` });
    expect(sent).toMatchObject({ kind: 'PRODUCER', attributes: { 'messaging.message.id': id } });
    const [first, second] = [1, 2].map((attempt) => find('worker', 'run Orders.ship', attempt) as SentSpan);
    expect(first).toMatchObject({
      kind: 'CONSUMER',
      links: [sent.place],
      attributes: { 'task_queue.outcome': 'retry' },
    });
    expect(second).toMatchObject({ links: [sent.place, first?.place], attributes: { 'messaging.message.id': id } });
    const next = find('worker', 'enqueue Orders.announce') as SentSpan;
    expect(next.parent).toBe(second?.place);
    expect(find('worker', 'run Orders.announce')?.links).toEqual([next.place]);
    const traces = [sent, first, second].map((span) => span?.place.split('-')[0]);
    expect([traces[0], new Set(traces).size]).toEqual([REMOTE.traceId, 3]);
  });

  it('takes baggage along', async () => {
    const response = await fetch(`${url}/orders`, { method: 'POST', headers: { baggage: 'tenant=acme' } });
    const { id } = (await response.json()) as { id: string };
    const status = await fetch(`${url}/tasks/${id}?wait=20`);
    expect(await status.json()).toMatchObject({ state: 'succeeded', result: 'acme' });
  });
});
