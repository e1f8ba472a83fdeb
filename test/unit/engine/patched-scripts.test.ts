import { describe, expect, it } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { patchScripts } from '../../../lib/engine/bullmq/redis/patched-scripts.js';
import type { RedisClient } from '../../../lib/engine/bullmq/redis/client-options.js';

/** The scripts as BullMQ's package has them, by their names. */
function scriptsOfBullmq(): Map<string, string> {
  const folder = join(dirname(createRequire(import.meta.url).resolve('bullmq')), 'scripts');
  const files = readdirSync(folder).filter((file) => file.endsWith('.js') && file !== 'index.js');
  return new Map(files.map((file) => [file, readFileSync(join(folder, file), 'utf8').split('`')[1] as string]));
}

function patched(lua: string): string {
  const defined: string[] = [];
  const client = { defineCommand: (_name: string, definition: { lua: string }) => void defined.push(definition.lua) };
  patchScripts(client as unknown as RedisClient).defineCommand('script', { lua, numberOfKeys: 1 });
  return defined[0]!;
}

describe('patched scripts', () => {
  const scripts = scriptsOfBullmq();

  it('no script of BullMQ sends a command past the tolerant call', () => {
    expect(scripts.size).toBeGreaterThan(40);
    for (const lua of scripts.values()) expect(patched(lua)).not.toMatch(/rcall = redis\.call\b/);
  });

  it('no script of BullMQ reads a number of the queue unchecked', () => {
    const unchecked = /rcall\("HM?GET", [^)]*"(?:concurrency|max|opts\.maxLenEvents)"/;
    const reading = [...scripts].filter(([, lua]) => unchecked.test(lua));
    expect(reading.length).toBeGreaterThan(20);
    for (const [, lua] of reading) expect(patched(lua)).not.toMatch(unchecked);
  });
});
