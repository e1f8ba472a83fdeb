import { describe, expect, it } from '@jest/globals';
import { isAnswer, isForbidden, isOutage, lacksRight } from '../../../../../lib/engine/bullmq/postgres/outage.js';

const withCode = (code: string) => Object.assign(new Error('no'), { code });

describe('an error of PostgreSQL', () => {
  it.each([
    ['42501', { outage: true, forbidden: true, right: true }],
    ['28P01', { outage: true, forbidden: true, right: false }],
    ['28000', { outage: true, forbidden: true, right: false }],
    ['25006', { outage: true, forbidden: false, right: false }],
    ['57P01', { outage: true, forbidden: false, right: false }],
    ['ECONNREFUSED', { outage: true, forbidden: false, right: false }],
    ['23505', { outage: false, forbidden: false, right: false }],
    ['22P02', { outage: false, forbidden: false, right: false }],
  ])('with the code %s', (code, { outage, forbidden, right }) => {
    const error = withCode(code);
    expect([isOutage(error), isForbidden(error), lacksRight(error)]).toEqual([outage, forbidden, right]);
  });

  it('is an answer of a server that was reached, unless it is fatal', () => {
    const answer = (severity: string) => Object.assign(withCode('53100'), { severity });
    expect(['ERROR', 'FATAL', 'PANIC'].map((severity) => isAnswer(answer(severity)))).toEqual([true, false, false]);
    expect(isAnswer(withCode('ECONNREFUSED'))).toBe(false);
  });

  it('without a code is no refusal, whatever it says', () => {
    expect([isForbidden(new Error('permission denied for table job')), lacksRight(new Error('42501'))]).toEqual([
      false,
      false,
    ]);
  });
});
