import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';

const TYPES: Readonly<Record<string, string>> = {
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml; charset=utf-8',
};

type Encoding = 'br' | 'gzip' | 'identity';

export interface Asset {
  readonly type: string;
  readonly encoding: Encoding;
  readonly body: Buffer;
}

/** The names of the files that the page loads first. */
export interface AssetNames {
  readonly script: string;
  /** The scripts that {@link script} starts. */
  readonly parts: readonly string[];
  readonly style: string;
  readonly icon: string;
}

/** Reads the files of the page from the package, once each, and keeps them compressed. */
export class Assets {
  private readonly files = new Map<string, Promise<Asset | undefined>>();
  private found: Promise<AssetNames> | undefined;

  /** @param folder the folder with the built page; `undefined` in a bundle, which has none */
  constructor(private readonly folder: string | undefined) {}

  /** @throws Error when the page was not built, or the package was bundled without it */
  names(): Promise<AssetNames> {
    this.found ??= this.readNames().catch((error: unknown) => {
      this.found = undefined;
      throw new Error(
        'The files of the dashboard are missing. They are in dist/dashboard of the package nestjs-task-queue: ' +
          'leave the package out of bundles, or build it with npm run build.',
        { cause: error },
      );
    });
    return this.found;
  }

  /** @param accepted the header `Accept-Encoding` */
  async read(name: string, accepted: string | undefined): Promise<Asset | undefined> {
    const type = TYPES[name.split('.').at(-1) ?? ''];
    if (type === undefined || !/^[\w-]+\.\w+$/.test(name) || this.folder === undefined) return undefined;
    const encoding = encodingOf(accepted ?? '');
    const key = `${encoding}:${name}`;
    let file = this.files.get(key);
    if (!file) {
      file = this.compressed(name, type, encoding);
      this.files.set(key, file);
    }
    const asset = await file;
    // Unknown names are not kept: a client can invent any number of them.
    if (!asset) this.files.delete(key);
    return asset;
  }

  private async compressed(name: string, type: string, encoding: Encoding): Promise<Asset | undefined> {
    try {
      const body = await readFile(join(this.folder as string, name));
      return { type, encoding, body: await compress(body, encoding) };
    } catch {
      return undefined;
    }
  }

  private async readNames(): Promise<AssetNames> {
    if (this.folder === undefined) throw new Error('The package has no folder.');
    return JSON.parse(await readFile(join(this.folder, 'names.json'), 'utf8')) as AssetNames;
  }
}

function encodingOf(accepted: string): Encoding {
  if (/\bbr\b/.test(accepted)) return 'br';
  return /\bgzip\b/.test(accepted) ? 'gzip' : 'identity';
}

function compress(body: Buffer, encoding: Encoding): Promise<Buffer> | Buffer {
  if (encoding === 'br') return promisify(brotliCompress)(body, { params: { [constants.BROTLI_PARAM_QUALITY]: 9 } });
  return encoding === 'gzip' ? promisify(gzip)(body, { level: 9 }) : body;
}
