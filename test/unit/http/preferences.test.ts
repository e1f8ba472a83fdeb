import { describe, expect, test } from '@jest/globals';
import { isKnown, prefersEvents, waitPreference } from '../../../lib/http/request-preferences.js';

describe('waitPreference', () => {
  test.each([
    ['wait=20', 20_000],
    ['WAIT = 3', 3_000],
    ['respond-async; x=1, wait="5"; y', 5_000],
    ['wait=0', 0],
    ['wait=600', 60_000],
  ])('waitPreference reads "Prefer: %s" as %d ms', (prefer, milliseconds) => {
    expect(waitPreference({ prefer }, undefined, 60_000)).toEqual({
      milliseconds,
      applied: `wait=${milliseconds / 1000}`,
    });
  });

  test.each(['', 'wait', 'wait=', 'wait=soon', 'wait=-1', 'wait=1.5', 'await=3', 'handling=lenient'])(
    'waitPreference ignores "Prefer: %s"',
    (prefer) => {
      expect(waitPreference({ prefer }, undefined, 60_000)).toBeUndefined();
    },
  );

  test('the header takes precedence over the parameter, whose first value counts', () => {
    expect(waitPreference({ prefer: 'wait=1' }, '9', 60_000)).toEqual({ milliseconds: 1_000, applied: 'wait=1' });
    expect(waitPreference({}, ['9', '8'], 60_000)).toEqual({ milliseconds: 9_000, applied: undefined });
    expect(waitPreference({}, { nested: '9' }, 60_000)).toBeUndefined();
  });
});

test.each([
  ['text/event-stream', true],
  ['text/event-stream, */*', true],
  ['text/event-stream;q=0.5, application/json', false],
  ['application/json, text/event-stream', false],
  ['application/json;q=0.5, Text/Event-Stream', true],
  ['text/event-stream;q=0', false],
  ['*/*', false],
  ['text/html', false],
  [undefined, false],
])('prefersEvents reads "Accept: %s" as %s', (accept, expected) => {
  expect(prefersEvents(accept)).toBe(expected);
});

test.each([
  ['"v"', true],
  ['W/"v"', true],
  ['"a", W/"v" ', true],
  ['*', true],
  ['"a"', false],
  ['v', false],
  [undefined, false],
])('isKnown finds the version v in "If-None-Match: %s": %s', (header, expected) => {
  expect(isKnown(header, 'v')).toBe(expected);
});
