import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Heap } from '../../../../lib/engine/memory/heap.js';

it('a heap gives its items in order, whichever were removed in between', () => {
  fc.assert(
    fc.property(fc.array(fc.integer()), fc.array(fc.nat()), (values, removals) => {
      const heap = new Heap<{ value: number; position: number }>((one, other) => one.value < other.value);
      const items = values.map((value) => ({ value, position: -1 }));
      for (const item of items) heap.add(item);
      const left = new Set(items);
      for (const index of removals) {
        const item = items[index % items.length];
        if (item && left.delete(item)) heap.remove(item);
      }
      const taken: number[] = [];
      for (let first = heap.first; first; first = heap.first) {
        taken.push(first.value);
        heap.remove(first);
      }
      expect(taken).toEqual([...left].map(({ value }) => value).toSorted((a, b) => a - b));
      expect(items.every(({ position }) => position === -1)).toBe(true);
    }),
  );
});
