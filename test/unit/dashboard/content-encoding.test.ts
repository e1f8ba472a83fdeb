import { expect, test } from '@jest/globals';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { compress, compressor, encodingOf } from '../../../lib/dashboard/content-encoding.js';

test.each([
  [undefined, 'identity'],
  ['', 'identity'],
  ['gzip, deflate, br, zstd', 'br'],
  ['gzip, deflate', 'gzip'],
  ['GZIP;q=0.5', 'gzip'],
  ['br;q=0, gzip', 'gzip'],
  ['br; q=0.000, gzip;q=0', 'identity'],
  ['deflate', 'identity'],
  ['*', 'br'],
  ['br;q=0, *', 'gzip'],
  ['*;q=0', 'identity'],
  ['identity', 'identity'],
  ['brotli, x-gzip', 'identity'],
  ['br;q=much', 'identity'],
])('the header %j leads to %s', (accepted, encoding) => {
  expect(encodingOf(accepted)).toBe(encoding);
});

const DECOMPRESS = { br: brotliDecompressSync, gzip: gunzipSync };

test.each(['br', 'gzip'] as const)('%s holds what was written, in one piece or in several', async (encoding) => {
  const text = 'a document '.repeat(10_000);
  const whole = await compress(Buffer.from(text), encoding);
  expect(whole.length).toBeLessThan(1_000);
  expect(DECOMPRESS[encoding](whole).toString()).toBe(text);
  const stream = compressor(encoding);
  const pieces: Buffer[] = [];
  stream?.on('data', (piece: Buffer) => pieces.push(piece));
  const ended = new Promise((resolve) => stream?.on('end', resolve));
  stream?.write(text.slice(0, 20_000));
  stream?.flush();
  stream?.end(text.slice(20_000));
  await ended;
  expect(pieces.length).toBeGreaterThan(1);
  expect(DECOMPRESS[encoding](Buffer.concat(pieces)).toString()).toBe(text);
});
