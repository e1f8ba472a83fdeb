import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const block = 512;

/**
 * Unpacks a tar archive of plain files and folders with short names, which is what PGlite's `dumpDataDir` writes, into
 * a new folder that only its owner may read (PostgreSQL insists on that).
 *
 * Synchronous on purpose: for some hundred small files it takes a tenth of the time, about 15 ms.
 */
export function unpackTar(tar: Buffer, folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  for (let offset = 0; offset + block <= tar.length && tar[offset] !== 0;) {
    const path = join(folder, text(tar, offset, 100));
    const size = Number.parseInt(text(tar, offset + 124, 12), 8) || 0;
    const isFolder = text(tar, offset + 156, 1) === '5';
    offset += block;
    if (isFolder) mkdirSync(path, { recursive: true, mode: 0o700 });
    else writeFileSync(path, tar.subarray(offset, offset + size), { mode: 0o600 });
    offset += Math.ceil(size / block) * block;
  }
}

/** A field of the header: text that ends at its first NUL or with its length. */
function text(tar: Buffer, offset: number, length: number): string {
  return tar.toString('utf8', offset, offset + length).split('\0', 1)[0]!;
}
