/**
 * The process of one contender: `<file> <name> <place> <variant> <profile>`. It answers each message of its parent with
 * one message, and it ends when its parent has ended.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { Session } from 'node:inspector/promises';
import { dirname } from 'node:path';
import type { Contenders, Place } from './contender.js';
import { processorTime } from './processor-time.js';

const [file = '', name = '', place = '', variant = '', profile = ''] = process.argv.slice(2);
const { contenders } = (await import(file)) as { contenders: Contenders };
const start = contenders[name];
if (!start) throw new Error(`${file} has no contender "${name}".`);
const contender = await start(JSON.parse(place) as Place, Number(variant));
const profiler = profile ? new Session() : undefined;

const answers: Readonly<Record<string, () => unknown>> = {
  ...contender.steps,
  round: () => contender.round(),
  cpu: processorTime,
  /** Resident bytes after a garbage collection. */
  memory: () => {
    globalThis.gc?.();
    return process.memoryUsage.rss();
  },
  async close() {
    await endProfile();
    await contender.close();
  },
};

process.on('message', (question: string) => void answer(question));
process.once('disconnect', () => setTimeout(process.exit, 5_000).unref());
await beginProfile();
process.send!({ answer: contender.info });

async function answer(question: string): Promise<void> {
  process.send!({ answer: await answers[question]?.() });
  if (question === 'close') process.disconnect();
}

/** Begins the profile after the contender has started, so that the profile does not contain the start. */
async function beginProfile(): Promise<void> {
  if (!profiler) return;
  profiler.connect();
  await profiler.post('Profiler.enable');
  await profiler.post('Profiler.setSamplingInterval', { interval: 200 });
  await profiler.post('Profiler.start');
}

async function endProfile(): Promise<void> {
  if (!profiler) return;
  const result = await profiler.post('Profiler.stop');
  mkdirSync(dirname(profile), { recursive: true });
  writeFileSync(profile, JSON.stringify(result.profile));
}
