import type { HttpExchange } from '../http/http-exchange.js';

/** For answers that hold data of the store. */
export const NOT_STORED = 'private, no-store';

/**
 * `Cross-Origin-Opener-Policy` is not among them. With it, browsers start another process for each visit from another page, which takes about as long as
 * the rest of the first view (`npm run bench -- dashboard`). A page that opens this one learns nothing from the window it gets: the page has no frames,
 * listens to no messages, and asks for a token with each change.
 */
const HEADERS: Readonly<Record<string, string>> = {
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'X-Robots-Tag': 'noindex',
};

/**
 * Sets the headers of every answer. They replace those that a middleware such as helmet has set for the pages of the application.
 *
 * @param style the hash of the style sheet inside of the page. Default: the answer has none
 */
export function setHeaders(exchange: HttpExchange, style = 'none'): void {
  exchange.setHeader('Content-Security-Policy', policy(style));
  for (const [name, value] of Object.entries(HEADERS)) exchange.setHeader(name, value);
}

/** The page loads only its own files, no script stands in its HTML, and no style but that of the package. */
function policy(style: string): string {
  return (
    `default-src 'none'; script-src 'self'; style-src '${style}'; img-src 'self'; connect-src 'self'; ` +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
  );
}
