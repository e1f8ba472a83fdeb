import assert from 'node:assert/strict';
import { startPgBouncer } from '../../support/front-servers.js';
import type { World } from '../support/world.js';

/** A pooler between the processes and the server dies while tasks wait and run, and comes back. */
export async function restartedPooler(world: World, mode: 'session' | 'transaction'): Promise<void> {
  const pooler = await startPgBouncer(world.server, { mode, poolSize: 50 });
  try {
    const common = { connection: pooler.url, abandonedAfter: '8s' } as const;
    const web = await world.start({ ...common, role: 'producer' });
    await world.start({ ...common, role: 'worker' });
    await world.finalStates(web, await world.enqueue(web, 'slow', [1], 20));
    const running = await world.enqueue(web, 'steps', [20, 50], 5);
    await world.enqueue(web, 'slow', [5], 20);
    await world.started(running);

    await pooler.kill();
    const answer = await web.ask.enqueue('slow', [1]);
    assert.equal(answer.error?.code, 'ENGINE_UNAVAILABLE');
    world.refused++;
    await pooler.restart();

    await world.until(
      async () => (await world.enqueue(web, 'slow', [5], 5)).length === 5,
      'tasks can be enqueued again',
    );
    await world.finished();
    await world.finalStates(web);
    assert.equal(world.counts().duplicated, 0);
  } finally {
    await pooler.close();
  }
}
