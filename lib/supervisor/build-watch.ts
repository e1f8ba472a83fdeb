import { watch, type FSWatcher } from 'node:fs';
import { dirname } from 'node:path';

/** Milliseconds without a change after which a build counts as complete. */
const QUIET = 500;

/** Calls `onBuild` after files beside or below the module have changed. A compiler writes many files for one build. */
export class BuildWatch {
  private readonly watcher: FSWatcher;
  private timer: NodeJS.Timeout | undefined;

  constructor(file: string, onBuild: () => void) {
    this.watcher = watch(dirname(file), { recursive: true }, (_, name) => {
      // What an application writes there (a database, a log) is no code.
      if (name !== null && !/\.(c|m)?jsx?$|\.json$|\.node$/.test(name)) return;
      clearTimeout(this.timer);
      this.timer = setTimeout(onBuild, QUIET);
    });
    // A compiler may remove the folder for a moment.
    this.watcher.on('error', () => undefined);
  }

  close(): void {
    clearTimeout(this.timer);
    this.watcher.close();
  }
}
