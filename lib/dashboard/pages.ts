import type { HttpExchange } from '../http/http-exchange.js';
import { packageVersion } from '../package-location.cjs';
import { NOT_STORED, setHeaders } from './answer-headers.js';
import type { Assets } from './assets.js';
import type { CsrfTokens } from './csrf-tokens.js';
import type { ResolvedDashboardOptions } from './dashboard-options.js';
import type { FirstView } from './first-view.js';
import { restOfPage, startOfPage, rootFrom, themeOf, type PageSettings } from './page.js';
import type { PlatformRequest } from './platform-request.js';
import { isReadOnly, userOf } from './requester.js';
import { StreamedAnswer } from './streamed-answer.js';
import { within } from './within.js';

/** Milliseconds for which a page waits for the store before it comes without what is in it. */
export const PATIENCE = 250;

export interface PagesDeps {
  readonly options: ResolvedDashboardOptions;
  readonly assets: Pick<Assets, 'pageFiles'>;
  readonly tokens: Pick<CsrfTokens, 'create'>;
  readonly firstView: Pick<FirstView, 'render'>;
}

/** Answers the requests for the page of a view. */
export class Pages {
  constructor(private readonly deps: PagesDeps) {}

  /**
   * Sends the head of the page before it reads the store, so that the browser has the style and loads the script meanwhile. Whatever
   * may refuse the page comes before its head.
   *
   * @param depth how many segments the view has below the root
   */
  async answer(exchange: HttpExchange, request: PlatformRequest, depth: number): Promise<void> {
    const { options, assets, tokens, firstView } = this.deps;
    const user = await userOf(options, request);
    const [address, files] = [request.originalUrl ?? request.url, await assets.pageFiles()];
    const settings: PageSettings = {
      root: options.publicPath ?? rootFrom(address, depth),
      title: options.title,
      readOnly: await isReadOnly(options, request),
      user: user ?? null,
      version: packageVersion() ?? null,
      theme: themeOf(exchange.header('cookie')),
    };
    const isRendered = depth === 0;
    setHeaders(exchange, files.style.hash);
    const document = new StreamedAnswer(exchange, {
      'Content-Type': 'text/html; charset=utf-8',
      'Cache-Control': NOT_STORED,
    });
    if (exchange.isHead) return document.end();
    document.write(startOfPage(settings, files, isRendered));
    const search = address.includes('?') ? address.slice(address.indexOf('?')) : '';
    const [token, markup] = await Promise.all([
      within(tokens.create(user ?? ''), PATIENCE),
      isRendered ? firstView.render(settings, search) : undefined,
    ]);
    // A page without a token asks for one when the reader changes something.
    document.end(restOfPage({ ...settings, token: token ?? '' }, markup));
  }
}
