import { expect, it } from '@jest/globals';
import { decodableFields, decodableHash } from '../../../../../lib/engine/bullmq/redis/decodable-hash.js';

const GOOD = { name: 'send', opts: '{"attempts":1}', progress: '0', parent: '', data: '{' };

it.each([
  ['of a job as BullMQ stores it', {}],
  ['whose options are like those of the job before', { opts: GOOD.opts }],
  ['with long options', { opts: JSON.stringify({ attempts: 1, note: 'x'.repeat(5_000) }) }],
])('fields %s stay the same object', (_, changed) => {
  const hash = { ...GOOD, ...changed };
  const fields = Object.entries(hash).flat();
  expect(decodableHash(hash)).toBe(hash);
  expect(decodableFields(fields)).toBe(fields);
});

it.each([
  ['opts', '{"attempts":1', 'opts is not JSON'],
  ['opts', '[]', 'opts is not an object'],
  ['progress', '{', 'progress is not JSON'],
  ['parent', '17', 'parent is not an object'],
])('a job with the %s %s gets options that say why it cannot be read', (field, text, reason) => {
  const hash = { ...GOOD, [field]: text };
  const expected = { ...hash, progress: '', parent: '', opts: JSON.stringify({ unreadable: reason }) };
  expect(decodableHash(hash)).toEqual(expected);
  expect(decodableFields(Object.entries(hash).flat())).toEqual(Object.entries(expected).flat());
});
