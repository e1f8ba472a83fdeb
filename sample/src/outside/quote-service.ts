import { createServer } from 'node:http';
import { setTimeout } from 'node:timers/promises';
import { listen, type StandIn } from './stand-in.js';

const QUOTES = [
  ['Well begun is half done.', 'Aristotle'],
  ['The most damaging phrase in the language is: it’s always been done that way.', 'Grace Hopper'],
  ['Adopt the pace of nature: her secret is patience.', 'Ralph Waldo Emerson'],
  ['Have patience with everything unresolved in your heart.', 'Rainer Maria Rilke'],
  ['Nothing in life is to be feared, it is only to be understood.', 'Marie Curie'],
  ['The important thing is not to stop questioning.', 'Albert Einstein'],
] as const;

/** A stand-in for a service of quotes: `GET /2026-11-28`. With `?asleep` it does not answer for a minute. */
export async function startQuoteService(): Promise<StandIn> {
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://quotes');
    const day = Math.floor(Date.parse(pathname.slice(1)) / 86_400_000) || 0;
    const [text, author] = QUOTES[day % QUOTES.length] as (typeof QUOTES)[number];
    const answer = () => response.setHeader('content-type', 'application/json').end(JSON.stringify({ text, author }));
    if (searchParams.has('asleep')) void setTimeout(60_000, undefined, { ref: false }).then(answer);
    else answer();
  });
  return listen(server, 'http');
}
