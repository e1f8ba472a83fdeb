import { describe, expect, it } from '@jest/globals';
import {
  EMPTY_BOOK,
  LONGEST,
  readBook,
  settle,
  writeBook,
  type PlaceBook,
  type PlaceRequest,
} from '../../../../lib/engine/places/place-book.js';

const ask = (owner: string, request: Partial<PlaceRequest>): PlaceRequest => ({
  ...{ owner, held: [], wanted: [], limit: 2, now: 1_000, lease: 300, patience: 50 },
  ...request,
});
const shown = ({ taken, waiting }: PlaceBook) => `${[...taken.keys()].join(' ')} | ${[...waiting.keys()].join(' ')}`;

describe('the book of places', () => {
  it('gives places up to the limit, and lets others wait in their order', () => {
    const first = settle(EMPTY_BOOK, ask('a', { wanted: ['a:1', 'a:2', 'a:3'] }));
    expect(shown(first)).toBe('a:1 a:2 | a:3');
    const second = settle(first, ask('b', { wanted: ['b:1'] }));
    expect(shown(second)).toBe('a:1 a:2 | a:3 b:1');
  });

  it('gives a place that comes back to the one that has waited longest, also of another process', () => {
    const book = settle(settle(EMPTY_BOOK, ask('a', { wanted: ['a:1', 'a:2'] })), ask('b', { wanted: ['b:1'] }));
    const after = settle(book, ask('a', { held: ['a:2'], wanted: ['a:3'] }));
    expect(shown(after)).toBe('a:2 b:1 | a:3');
    // The other process has to find out that it has a place.
    expect(after.taken.get('b:1')).toBe(1_050);
    expect(settle(after, ask('b', { wanted: ['b:1'] })).taken.get('b:1')).toBe(1_300);
  });

  it('changes nothing when the same request comes again', () => {
    const request = ask('a', { held: ['a:1'], wanted: ['a:2', 'a:3'] });
    const once = settle(EMPTY_BOOK, request);
    expect(settle(once, request)).toEqual(once);
  });

  it('takes the places of a process that does not confirm them, and its requests', () => {
    const book = settle(EMPTY_BOOK, ask('dead', { wanted: ['dead:1', 'dead:2', 'dead:3'] }));
    const before = settle(book, ask('b', { wanted: ['b:1'], now: 1_299 }));
    expect(shown(before)).toBe('dead:1 dead:2 | b:1');
    expect(shown(settle(before, ask('b', { wanted: ['b:1'], now: 1_300 })))).toBe('b:1 | ');
  });

  it('counts the runs that go on, also when their places are gone or were never given', () => {
    const book = settle(EMPTY_BOOK, ask('b', { wanted: ['b:1', 'b:2'] }));
    const after = settle(book, ask('a', { held: ['a:1', 'a:2'], wanted: ['a:3'] }));
    expect(shown(after)).toBe('b:1 b:2 a:1 a:2 | a:3');
    expect(shown(settle(after, ask('b', { held: ['b:2'], wanted: ['b:3'] })))).toBe('b:2 a:1 a:2 | a:3 b:3');
  });

  it('gives no place beyond a limit that was lowered, and all at once after it was raised', () => {
    const book = settle(EMPTY_BOOK, ask('a', { wanted: ['a:1', 'a:2', 'a:3', 'a:4'], limit: 3 }));
    const lowered = settle(book, ask('a', { held: ['a:1', 'a:2'], wanted: ['a:4'], limit: 1 }));
    expect(shown(lowered)).toBe('a:1 a:2 | a:4');
    expect(shown(settle(lowered, ask('b', { wanted: ['b:1'], limit: 10 })))).toBe('a:1 a:2 a:4 b:1 | ');
  });

  it('does not believe a time that is too far away', () => {
    const forged = readBook('{"taken":[["x:1",9e15]],"waiting":[["x:2",9e15]]}');
    const book = settle(forged, ask('a', { wanted: ['a:1', 'a:2'] }));
    expect(book.taken.get('x:1')).toBe(1_000 + LONGEST);
    expect(shown(settle(book, ask('a', { held: ['a:1'], now: 1_001 + LONGEST })))).toBe('a:1 | ');
  });

  it('is read from a text as it was written', () => {
    const book = settle(EMPTY_BOOK, ask('a', { wanted: ['a:1', 'a:2', 'a:3'] }));
    expect(readBook(writeBook(book))).toEqual(book);
    expect(writeBook(EMPTY_BOOK)).toBe('');
    expect(readBook('')).toEqual(EMPTY_BOOK);
  });

  it.each([
    ['no JSON', 'x'],
    ['null', 'null'],
    ['a list', '[]'],
    ['no lists', '{"taken":1,"waiting":{}}'],
    ['no entries', '{"taken":[1,null,["a"],["a","b"],[1,2],["a",null]],"waiting":[[]]}'],
  ])('is empty for a stored text that is %s', (_, text) => {
    expect(readBook(text)).toEqual(EMPTY_BOOK);
  });
});
