import { createRequire } from 'node:module';
import { type Html, trusted } from './html.js';

/** The part of highlight.js that the sample uses. */
interface Highlighter {
  registerLanguage(name: string, language: unknown): void;
  highlight(code: string, options: { readonly language: string }): { readonly value: string };
}

// The types of the package bring the types of the browser with them, and this program runs in Node.
const load = createRequire(import.meta.url);
const highlighter = load('highlight.js/lib/core') as Highlighter;
const LANGUAGES = { ts: 'typescript', js: 'javascript', html: 'xml', css: 'css' };
for (const [extension, language] of Object.entries(LANGUAGES))
  highlighter.registerLanguage(extension, load(`highlight.js/lib/languages/${language}`));

/** Colours the code of a file with the extension `ts`, `js`, `html` or `css`. */
export function highlight(code: string, extension: string): Html {
  return trusted(highlighter.highlight(code, { language: extension }).value);
}
