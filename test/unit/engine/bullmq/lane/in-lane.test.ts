import { expect, it } from '@jest/globals';
import { endsAtOnce } from '../../../../../lib/engine/bullmq/lane/in-lane.js';

const ends = (...lengths: number[]) => lengths.map((length) => ({ result: 'x'.repeat(length) }));

it.each<[lengths: number[], most: number, count: number]>([
  [[], 50, 0],
  [[1, 1, 1], 50, 3],
  [[1, 1, 1], 2, 2],
  [[9_000_000, 1], 50, 1],
  [[900_000, 900_000, 900_000, 900_000, 900_000, 900_000], 50, 5],
  [[1, 9_000_000, 1], 50, 2],
])('of ends with results of %j characters and at most %d, %d are stored at once', (lengths, most, count) => {
  expect(endsAtOnce(ends(...lengths), most)).toBe(count);
});
