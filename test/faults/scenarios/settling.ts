import assert from 'node:assert/strict';
import type { World } from '../support/world.js';

/**
 * A worker is killed before each command that stores the end of its task. Another worker ends the task, whose method runs once more at
 * most. `settling.test.ts` does the same for each way in which a task can end.
 *
 * @param commands more than store an end, so that the last worker survives
 */
export async function killedBeforeEachCommand(world: World, { commands }: { commands: number }): Promise<void> {
  const web = await world.start({ role: 'producer' });
  const wasKilled: boolean[] = [];
  for (let killBeforeEnd = 1; killBeforeEnd <= commands; killBeforeEnd++) {
    // It runs before there is a task: otherwise it may be killed before it tells that it runs.
    const victim = await world.start({ role: 'worker' }, { killBeforeEnd });
    const [id = ''] = await world.enqueue(web, 'slow', [1]);
    const ended = web.ask.result(id, 20_000).then(() => false);
    wasKilled.push(await Promise.race([victim.exited.then(() => true), ended]));
    await victim.kill();
    const next = await world.start({ role: 'worker' });
    assert.equal((await web.ask.result(id, 20_000)).result, id);
    assert(world.recorded('started', id).length <= 2);
    await next.stop();
  }
  assert.deepEqual([wasKilled[0], wasKilled.at(-1)], [true, false]);
  assert.equal(world.counts().lost, 0);
}
