import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { platforms, startApp } from '../../support/http-app.js';
import { open } from '../../support/http-client.js';

/** What may stand in a header; the rest the client's own parser refuses. */
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

describe.each(platforms)('whatever comes over HTTP on %s', (platform) => {
  let started: Awaited<ReturnType<typeof startApp>>;
  beforeAll(async () => {
    started = await startApp(platform, { patience: { longestWait: 1 } });
  });
  afterAll(() => started.app.close());

  test('is answered, and never with a fault of ours', async () => {
    const id = started.engine.add();
    await fc.assert(
      fc.asyncProperty(
        headers,
        fc.webQueryParameters(),
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
