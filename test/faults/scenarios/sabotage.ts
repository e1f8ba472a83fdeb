import assert from 'node:assert/strict';
import { startSaboteur } from '../support/saboteur.js';
import type { World } from '../support/world.js';

/**
 * Another client makes stored tasks unreadable and sends malformed messages while tasks wait and run. Each damaged task
 * fails, or is not found any more. All others run, their callers get the results, and no process ends.
 */
export async function sabotage(world: World, { tasks, damaged }: { tasks: number; damaged: number }): Promise<void> {
  const saboteur = await startSaboteur(world);
  try {
    const web = await world.start({ role: 'producer' });
    // No worker runs yet, so that a task is damaged before it is taken.
    const victims = await world.enqueueMany(web, 'slow', [1], damaged);
    world.failedOnPurpose.push(...victims);
    await saboteur.damage(victims);
    const ids = await world.enqueueMany(web, 'steps', [3, 20], tasks);
    const results = ids.map((id) => web.ask.result(id));
    const worker = await world.start({ role: 'worker' });
    let sent = 0;
    while (new Set(world.recorded('finished').map(({ id }) => id)).size < tasks) {
      sent += await saboteur.flood();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    assert(sent > 0);
    // Compared as text, because lists from another process have other prototypes.
    const received = (await Promise.all(results)).map(({ result }) => result);
    assert.equal(received.join(), ids.join());
    for (const id of victims) {
      const { result, error } = await web.ask.result(id, 20_000);
      assert.equal(result, undefined);
      assert(error?.code !== undefined && error.code !== 'RESULT_TIMEOUT', `${id}: ${JSON.stringify(error)}`);
    }
    for (const { log } of [web, worker]) {
      const others = log.filter((line) => !line.startsWith('[Nest]'));
      assert.deepEqual(others, []);
      assert(log.length < 50 + 2 * damaged, `There are ${log.length} lines in the log:\n${log.join('\n')}`);
    }
  } finally {
    await saboteur.close();
  }
}
