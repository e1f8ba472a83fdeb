import { promisify } from 'node:util';
import {
  brotliCompress,
  constants,
  createBrotliCompress,
  createGzip,
  gzip,
  type BrotliCompress,
  type Gzip,
} from 'node:zlib';

export type Encoding = 'br' | 'gzip' | 'identity';

/** The compressions that an answer may have, the smallest first. */
const COMPRESSIONS = ['br', 'gzip'] as const;
/** The logarithm of the bytes that Brotli looks back. A document is smaller than these 256 kB. */
const WINDOW = 18;

/** @param accepted the header `Accept-Encoding` */
export function encodingOf(accepted = ''): Encoding {
  const weights = new Map(accepted.toLowerCase().split(',').map(weighted));
  return COMPRESSIONS.find((name) => (weights.get(name) ?? weights.get('*') ?? 0) > 0) ?? 'identity';
}

function weighted(encoding: string): [name: string, weight: number] {
  const [name = '', ...parameters] = encoding.split(';').map((one) => one.trim());
  const weight = parameters.find((one) => one.startsWith('q='));
  return [name, weight === undefined ? 1 : Number(weight.slice(2))];
}

/** Compresses a file that is sent many times. */
export function compress(body: Buffer, encoding: Encoding): Promise<Buffer> | Buffer {
  if (encoding === 'br') return promisify(brotliCompress)(body, { params: { [constants.BROTLI_PARAM_QUALITY]: 9 } });
  return encoding === 'gzip' ? promisify(gzip)(body, { level: 9 }) : body;
}

/**
 * Compresses an answer that is sent once, while it is written: it takes a millisecond, and makes the answer a little larger than {@link compress} does.
 *
 * @returns `undefined` for an answer that is sent as it is
 */
export function compressor(encoding: Encoding): BrotliCompress | Gzip | undefined {
  if (encoding === 'gzip') return createGzip({ level: 3 });
  const params = { [constants.BROTLI_PARAM_QUALITY]: 3, [constants.BROTLI_PARAM_LGWIN]: WINDOW };
  return encoding === 'br' ? createBrotliCompress({ params }) : undefined;
}
