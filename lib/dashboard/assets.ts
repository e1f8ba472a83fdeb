import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { compress, encodingOf, type Encoding } from './content-encoding.js';

const TYPES: Readonly<Record<string, string>> = {
  js: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml; charset=utf-8',
};

export interface Asset {
  readonly type: string;
  readonly encoding: Encoding;
  readonly body: Buffer;
}

/** The names of the files of the page, as `scripts/build-dashboard.mjs` writes them. */
interface FileNames {
  readonly script: string;
  /** The scripts that {@link script} starts. */
  readonly parts: readonly string[];
  readonly style: string;
  readonly icon: string;
}

/** The files that a page begins with: the names of those that it loads, and the style sheet that stands in it. */
export interface PageFiles extends Omit<FileNames, 'style'> {
  readonly style: Style;
}

export interface Style {
  readonly text: string;
  /** The hash of {@link text} as a policy names it. */
  readonly hash: string;
}

/** Reads the files of the page from the package, once each, and keeps them compressed. */
export class Assets {
  private readonly files = new Map<string, Promise<Asset | undefined>>();
  private found: Promise<PageFiles> | undefined;

  /** @param folder the folder with the built page; `undefined` in a bundle, which has none */
  constructor(private readonly folder: string | undefined) {}

  /** @throws Error when the page was not built, or the package was bundled without it */
  pageFiles(): Promise<PageFiles> {
    this.found ??= this.readPageFiles().catch((error: unknown) => {
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
    const encoding = encodingOf(accepted);
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

  private async readPageFiles(): Promise<PageFiles> {
    if (this.folder === undefined) throw new Error('The package has no folder.');
    const names = JSON.parse(await readFile(join(this.folder, 'names.json'), 'utf8')) as FileNames;
    const text = await readFile(join(this.folder, names.style), 'utf8');
    const hash = `sha256-${createHash('sha256').update(text).digest('base64')}`;
    return { ...names, style: { text, hash } };
  }
}
