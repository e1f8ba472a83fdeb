/** A program of the comparison `isolation`: `isolated-parent.js alone` only boots, `isolated-parent.js COUNT` measures. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { NestFactory } from '@nestjs/core';
import { TaskQueue } from 'nestjs-task-queue';
import { AppModule, timeOfBoot } from './isolated-app.js';

const [what] = process.argv.slice(2);
const app = await NestFactory.createApplicationContext(AppModule, { logger: ['error', 'warn'] });
if (what === 'alone') process.send?.({ boot: timeOfBoot() });
else process.send?.(await measure(Number(what)));
await app.close();
process.disconnect?.();

/** @param {number} count */
async function measure(count) {
  const queue = app.get(TaskQueue);
  /** @param {string} name @param {unknown[]} args */
  const run = async (name, ...args) => (await queue.of(name).enqueue(...args)).result();
  /** @param {string} name */
  const timesOf = async (name) => {
    for (let warmUp = 0; warmUp < 200; warmUp++) await run(name);
    const times = [];
    for (let task = 0; task < count; task++) {
      const begun = performance.now();
      await run(name);
      times.push(performance.now() - begun);
    }
    return times.toSorted((one, other) => one - other)[Math.floor(count / 2)];
  };
  const boot = await run('boot');
  const [here, isolated] = [await timesOf('here'), await timesOf('isolated')];
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  await Promise.all([run('compute', 2_000), run('compute', 2_000)]);
  delay.disable();
  return { boot, here, isolated, delay: delay.percentile(99) / 1e6 };
}
