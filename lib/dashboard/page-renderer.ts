import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { GivenView, PageSettings } from './page.js';

/** The module that `scripts/build-dashboard.mjs` makes of `dashboard/server.tsx`. */
interface ServerModule {
  renderOverview(settings: PageSettings, given: GivenView, search: string): string;
}

/** Makes markup of the overview, by the components that the page has in the browser. */
export class PageRenderer {
  private loaded: ServerModule | undefined;

  /** @param folder the folder with the built page; `undefined` in a bundle, which has none */
  constructor(private readonly folder: string | undefined) {}

  /**
   * @param search the query of the address
   * @throws Error when the page was not built
   */
  overview(settings: PageSettings, given: GivenView, search: string): string {
    this.loaded ??= this.load();
    return this.loaded.renderOverview(settings, given, search);
  }

  private load(): ServerModule {
    if (this.folder === undefined) throw new Error('The package has no folder.');
    // The module is CommonJS: both builds of this package load it alike.
    return createRequire(join(this.folder, 'names.json'))('./server/overview.cjs') as ServerModule;
  }
}
