import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/**
 * A version of this package that a process of a scenario can use instead of the source. Its archive in this folder has
 * what `npm pack` makes of that version, without types, source maps and the files of the embedded engine.
 */
export type EarlierVersion = '0.1.0';

const unpacked = new Map<EarlierVersion, string>();

/** The URL of the version's main file. The first call unpacks the version into a folder that this process removes. */
export function mainFileOf(version: EarlierVersion): string {
  const known = unpacked.get(version);
  if (known !== undefined) return known;
  const folder = mkdtempSync(join(tmpdir(), 'earlier-version-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const file = (name: string) => fileURLToPath(new URL(name, import.meta.url));
  execFileSync('tar', ['-xzf', file(`nestjs-task-queue-${version}.tar.gz`), '-C', folder]);
  // The version takes Nest, BullMQ and the drivers from the packages of this repository.
  symlinkSync(file('../../../node_modules'), join(folder, 'node_modules'));
  const main = pathToFileURL(join(folder, 'package', 'dist', 'index.js')).href;
  unpacked.set(version, main);
  return main;
}
