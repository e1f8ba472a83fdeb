import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { anyQueryValue } from '../support/any-text.js';
import { platforms, startApp } from '../support/http-app.js';
import { open } from '../support/http-client.js';

/** The characters that a header may contain. Node's client refuses all others. */
const text = fc.string({
  unit: fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCodePoint(code)),
  maxLength: 60,
});
const headers = fc.record(
  {
    prefer: fc.oneof(
      text,
      fc.string().map((some) => `wait=${some.replaceAll(/[^\x20-\x7e]/g, '')}`),
      fc.constantFrom('wait=-1', 'wait=1e9', 'wait=NaN'),
    ),
    accept: fc.oneof(text, fc.constantFrom('text/event-stream', '*/*;q=0', 'text/event-stream;q=x')),
    'if-none-match': text,
    'last-event-id': text,
  },
  { requiredKeys: [] },
);

describe.each(platforms)('random requests on %s', (platform) => {
  let started: Awaited<ReturnType<typeof startApp>>;
  beforeAll(async () => {
    started = await startApp(platform, { times: { longestWait: 1 } });
  });
  afterAll(() => started.app.close());

  test('the endpoint answers every request, and never with a server error', async () => {
    const id = started.engine.add();
    await fc.assert(
      fc.asyncProperty(
        headers,
        anyQueryValue(),
        fc.constantFrom('GET', 'DELETE', 'HEAD'),
        async (given, query, method) => {
          const message = await open(started.url, `/tasks/${id}?wait=${query}`, method, given);
          message.destroy();
          expect(message.statusCode).toBeLessThan(500);
        },
      ),
      { numRuns: 150, endOnFailure: true },
    );
    expect(started.log.errors).toEqual([]);
  });
});
