import { describe, test } from '@jest/globals';
import { scenarios, type Topic } from '../scenarios/index.js';
import { World } from './world.js';

/** Most of the time nothing happens, so several at once; alone one would take half as long. */
const TIME_LIMIT = 120_000;

/** A test for each scenario of a topic, in its quick form. */
export function runScenarios(topic: Topic): void {
  for (const { name, engines, open, run } of scenarios('quick').filter((scenario) => scenario.topic === topic)) {
    describe.each(engines)(`${name}, on %s`, (engine) => {
      test.concurrent(
        'holds',
        async () => {
          const world = await World.open(engine, open);
          try {
            await run(world);
          } catch (error) {
            throw world.explain(error);
          } finally {
            await world.close();
          }
        },
        TIME_LIMIT,
      );
    });
  }
}
