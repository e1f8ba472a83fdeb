import { Injectable, NotFoundException } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream } from 'node:stream/web';

/** An uploaded file, as multer passes it to a controller. */
export interface Upload {
  path: string;
  originalname: string;
}

/** A file as a task returns it. Its owner can download it at `href`. */
export interface FileLink {
  id: string;
  name: string;
  href: string;
}

/**
 * The files of all visitors, on disk: `<data folder>/<visitor>/<id>/<name>`.
 * The store searches only the folder of the visitor: that is the whole access control. The web and the worker processes
 * share the folder. An application on several machines would use its database and an object store.
 */
@Injectable()
export class VisitorStore {
  private readonly folder = resolve(process.env.SAMPLE_DATA ?? '.sample-data');
  /** The folder for uploads that have no owner yet. */
  readonly incoming = join(this.folder, 'incoming');

  /** Moves an uploaded file into the folder of the visitor. */
  async keep(visitor: string, upload: Upload): Promise<FileLink> {
    const { link, path } = await this.reserve(visitor, upload.originalname);
    await rename(upload.path, path);
    return link;
  }

  /** Stores a file that a task makes. Removes the incomplete file when that fails or when the signal is aborted. */
  async save(visitor: string, name: string, content: ReadableStream, signal: AbortSignal): Promise<FileLink> {
    const { link, path, folder } = await this.reserve(visitor, name);
    try {
      await pipeline(content, createWriteStream(path), { signal });
      return link;
    } catch (error) {
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
  }

  /** @throws NotFoundException when there is no such file, and also when it belongs to another visitor */
  async find(visitor: string, id: string): Promise<{ name: string; path: string }> {
    const folder = this.folderOf(visitor, id);
    const [name] = await readdir(folder).catch(() => []);
    if (!name) throw new NotFoundException('There is no such file.');
    return { name, path: join(folder, name) };
  }

  private async reserve(visitor: string, wish: string) {
    const id = randomUUID();
    const name = safeName(wish);
    const folder = this.folderOf(visitor, id);
    await mkdir(folder, { recursive: true });
    return { link: { id, name, href: `/files/${id}` }, folder, path: join(folder, name) };
  }

  private folderOf(visitor: string, id: string): string {
    return join(this.folder, visitor, basename(id));
  }
}

/** Turns the name that the browser sent into a name that every file system accepts. */
function safeName(name: string): string {
  return (
    name
      .replace(/[\p{Cc}/\\:*?"<>|]+/gu, '_')
      .replace(/^\.+/, '')
      .slice(-100) || 'file'
  );
}
