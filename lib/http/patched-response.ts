import type { AbstractHttpAdapter } from '@nestjs/core';
import { PROBLEM_TYPE } from './problem-details.js';

type Send = (body: unknown) => unknown;

/** The method by which each platform's adapter sends an object: `json` on Express, `send` on Fastify. */
type PlatformResponse = { json: Send } | { send: Send };

/**
 * Gives the response the content type of problem details when the body of a problem is sent, whatever filter sends it:
 * Nest's own filter, or one of the application that calls Nest's. Another body gets the type that belongs to it.
 *
 * The type cannot be set earlier. The adapters of Nest 11 log a warning about a type other than `application/json` that
 * a response with an error has already, and replace it.
 *
 * @param body the body that filters find in the exception
 */
export function typeWhenSent(adapter: AbstractHttpAdapter, response: unknown, body: unknown): void {
  const sender = response as PlatformResponse;
  const intercept = (send: Send) => (sent: unknown) => {
    if (sent === body) adapter.setHeader?.(response, 'Content-Type', PROBLEM_TYPE);
    return send(sent);
  };
  if ('json' in sender) sender.json = intercept(sender.json.bind(sender));
  else sender.send = intercept(sender.send.bind(sender));
}
