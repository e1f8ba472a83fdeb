import { describe, test } from '@jest/globals';
import { scenarios, type Topic } from '../scenarios/index.js';
import { World } from './world.js';

/**
 * Milliseconds for one scenario. Several run at the same time, because they mostly wait; alone one takes half as long.
 */
const TIME_LIMIT = 120_000;

/** Declares a test for each scenario of a topic, in its quick form. */
export function runScenarios(topic: Topic): void {
  for (const { name, engines, open, run } of scenarios('quick').filter((scenario) => scenario.topic === topic)) {
    describe.each(engines)(`${name}, on %s`, (engine) => {
      test.concurrent(
        'the library keeps its promises',
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
