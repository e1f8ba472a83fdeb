import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import type { World } from '../support/world.js';

/** Workers are replaced one after the other while tasks wait, as in a deploy. */
export async function rollingDeploy(world: World, { tasks }: { tasks: number }): Promise<void> {
  const shutdown = { grace: '5s' } as const;
  const web = await world.start({ role: 'producer' });
  let worker = await world.start({ role: 'worker', shutdown });
  const ids = await world.enqueue(web, 'slow', [250], tasks);
  for (let deploy = 0; deploy < 3; deploy++) {
    const before = world.recorded('finished').length;
    await world.until(() => world.recorded('finished').length > before + 5, 'the worker finishes more tasks');
    const [next] = await Promise.all([world.start({ role: 'worker', shutdown }), stop(worker, 5_000)]);
    worker = next;
  }
  await world.finished(ids);
  const states = await world.finalStates(web, ids);
  assert(states.every(({ state, attempt }) => state === 'succeeded' && attempt === 1));
  // Every worker had the time to end its tasks, so no task was started twice.
  assert.equal(world.recorded('started').length, ids.length);
}

/**
 * A task does not end within the grace period. The worker aborts it and gives it back. The task runs again elsewhere,
 * and no attempt is used up.
 */
export async function graceIsOver(world: World): Promise<void> {
  const web = await world.start({ role: 'producer' });
  const worker = await world.start({ role: 'worker', shutdown: { grace: '500ms' } });
  const ids = [
    ...(await world.enqueue(web, 'slow', [3_000], 3)),
    // These tasks ignore their signal. The worker gives them back all the same.
    ...(await world.enqueue(web, 'ignoreAbort', [3_000], 2)),
  ];
  const [once = ''] = await world.enqueue(web, 'once', [60_000]);
  world.failedOnPurpose.push(once);
  await world.started([...ids, once]);
  await stop(worker, 500);
  assert.equal(world.recorded('aborted').filter(({ detail }) => detail === 'WorkerClosingError').length, 4);
  const [status] = await world.finalStates(web, [once]);
  assert.match(status?.error?.message ?? '', /closed before it ended.*at-most-once/);
  const states = await world.states(web, ids);
  assert(states.every(({ state }) => state === 'queued' || state === 'retrying'));

  const replacement = await world.start({ role: 'worker' });
  await world.finished(ids);
  for (const id of ids) {
    assert.deepEqual(
      world.recorded('started', id).map(({ pid, detail }) => [pid, detail]),
      [
        [worker.pid, '1'],
        [replacement.pid, '1'],
      ],
    );
  }
  assert((await world.finalStates(web, ids)).every(({ state, attempt }) => state === 'succeeded' && attempt === 1));
}

/**
 * A web process is stopped while clients that never read hold event streams, long polls and pipelined requests open. It
 * ends in time all the same, and its tasks go on elsewhere.
 */
export async function deafClients(world: World): Promise<void> {
  const web = await world.start({ role: 'producer' }, { http: true });
  const worker = await world.start({ role: 'worker' });
  const [chatty = ''] = await world.enqueue(web, 'chatty', [200, 500_000, 20]);
  const [slow = ''] = await world.enqueue(web, 'slow', [8_000]);
  await world.started([chatty, slow]);
  const port = await web.ask.port();
  const request = (path: string, ...headers: string[]) =>
    [`GET ${path} HTTP/1.1`, 'Host: 127.0.0.1', ...headers, '', ''].join('\r\n');
  const clients = [
    request(`/tasks/${chatty}`, 'Accept: text/event-stream'),
    request(`/tasks/${slow}?wait=60`),
    // More answers than the buffers of the connection can take.
    request(`/tasks/${chatty}`).repeat(20),
  ].map((text) => neverReads(port, text));
  try {
    const reader = await fetch(`http://127.0.0.1:${port}/tasks/${chatty}`, {
      headers: { accept: 'text/event-stream' },
    });
    // 5 MB were sent to this client, and so to the one that never reads: more than the buffers of a connection take.
    let received = 0;
    for await (const chunk of reader.body as unknown as AsyncIterable<Uint8Array>) {
      received += chunk.length;
      if (received > 5_000_000) break;
    }
    const next = await world.start({ role: 'producer' }, { http: true });
    await stop(web, 0);
    await world.finalStates(next, [chatty, slow]);
    await worker.stop();
  } finally {
    for (const client of clients) client.destroy();
  }
}

/** A client that sends a text and never reads an answer. */
function neverReads(port: number, text: string): Socket {
  const client = connect({ port, host: '127.0.0.1' });
  client.pause();
  // The server resets the connection.
  client.on('error', () => undefined);
  client.write(text);
  return client;
}

/**
 * `app.close()` works, also a second time, and leaves nothing open: while the server runs, is stopped, or is frozen.
 */
export async function closing(world: World, server: 'runs' | 'is stopped' | 'is frozen'): Promise<void> {
  const processes = [await world.start(), await world.start({ role: 'producer' })];
  const [both, web] = processes as [(typeof processes)[0], (typeof processes)[0]];
  await world.enqueue(web, 'slow', [1]);
  await world.finished();
  if (server === 'is stopped') await world.server.stop();
  if (server === 'is frozen') world.server.freeze();
  try {
    for (const process of [both, web]) {
      const start = Date.now();
      // The process exits by itself as soon as nothing is open: no code calls `process.exit()`.
      await process.ask.close().catch(() => undefined);
      assert.deepEqual(await process.exited, { code: 0, signal: null });
      const took = Date.now() - start;
      assert(took < (server === 'runs' ? 4_000 : 8_000), `The process took ${took} ms to close.`);
    }
  } finally {
    world.server.thaw();
  }
}

/** The application could never reach the server. It closes all the same. */
export async function closingUnconnected(world: World): Promise<void> {
  await world.server.stop();
  const process = await world.start();
  assert.equal(process.lines.filter((line) => line.includes('ERROR')).length, 1);
  await process.ask.close().catch(() => undefined);
  assert.deepEqual(await process.exited, { code: 0, signal: null });
}

/** Sends SIGTERM. The process ends by that signal, soon after its grace period. */
async function stop(worker: Awaited<ReturnType<World['start']>>, grace: number): Promise<void> {
  const start = Date.now();
  worker.signal('SIGTERM');
  assert.deepEqual(await worker.exited, { code: null, signal: 'SIGTERM' });
  const took = Date.now() - start;
  assert(took < grace + 5_000, `The worker took ${took} ms to stop.`);
}
