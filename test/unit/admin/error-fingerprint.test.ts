import { describe, expect, it } from '@jest/globals';
import { isFingerprint, shapeOf } from '../../../lib/admin/error-fingerprint.js';

const shape = (message: string, name = 'Error') => shapeOf({ name, message }).message;

describe('the shape of an error', () => {
  it.each([
    ['Order 17 was not found', 'Order <number> was not found'],
    ['connect ECONNREFUSED 10.0.0.7:6379', 'connect ECONNREFUSED <number>'],
    ['took -1.5 s, 1,000 rows', 'took <number> s, <number> rows'],
    ['User "anna@example.org" is locked', 'User <value> is locked'],
    [`Key 'order:1' of \`orders\``, 'Key <value> of <value>'],
    ["can't find the user's mail", "can't find the user's mail"],
    ['Request 3f2b8c1e-9d1a-4f7e-8a52-0d9c3b7a6e11 failed', 'Request <id> failed'],
    ['Task mail.q0hQ2gD2mR7c3gYtVJm1Ng is lost', 'Task <id> is lost'],
    ['commit 4938164f is gone, at 0x7fff5', 'commit <id> is gone, at <number>'],
    ['GET https://api.example.org/orders/17?x=y answered 503', 'GET <url> answered <number>'],
    ['two\n  lines', 'two lines'],
  ])('of %j is %j', (message, expected) => {
    expect(shape(message)).toBe(expected);
  });

  it('is the same for errors that differ in variable parts only', () => {
    const one = shapeOf({ name: 'NotFoundError', message: 'Order 17 was not found' });
    expect(shapeOf({ name: 'NotFoundError', message: 'Order 4 was not found' })).toEqual(one);
    expect(shapeOf({ name: 'RangeError', message: 'Order 17 was not found' }).fingerprint).not.toBe(one.fingerprint);
    expect(shapeOf({ name: 'NotFoundError', message: 'User 17 was not found' }).fingerprint).not.toBe(one.fingerprint);
    expect(isFingerprint(one.fingerprint)).toBe(true);
  });

  it('is found quickly in any text', () => {
    for (const text of [
      '"'.repeat(100_000),
      'a-'.repeat(50_000),
      'a'.repeat(100_000),
      `'${'\\'.repeat(100_000)}`,
      '1.'.repeat(50_000),
    ]) {
      const begun = performance.now();
      shape(text);
      expect(performance.now() - begun).toBeLessThan(500);
    }
  });
});
