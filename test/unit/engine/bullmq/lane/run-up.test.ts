import { afterEach, expect, it, jest } from '@jest/globals';
import { RunUp } from '../../../../../lib/engine/bullmq/lane/run-up.js';

afterEach(() => void jest.restoreAllMocks());

/** Fills the places of a worker that finds enough jobs. @returns how many jobs it takes with each call */
function fill(places: number, pause = 0): number[] {
  let now = 0;
  jest.spyOn(performance, 'now').mockImplementation(() => now);
  const runUp = new RunUp();
  const counts: number[] = [];
  for (let filled = 0; filled < places;) {
    const tokens = runUp.tokens(`worker:${filled}`, places - filled - 1);
    expect(tokens).toEqual(tokens.map((_, ahead) => `worker:${filled + ahead}`));
    runUp.took(tokens.length, tokens.length);
    counts.push(tokens.length);
    filled += tokens.length;
    now += pause;
  }
  return counts;
}

it('a worker takes two jobs alone, and then twice as many as it has, up to its places', () => {
  expect(fill(100)).toEqual([1, 1, 4, 12, 36, 46]);
  expect(fill(8)).toEqual([1, 1, 4, 1, 1]);
  expect(fill(1)).toEqual([1]);
});

it('a worker whose tasks keep its event loop busy takes one job at a time', () => {
  expect(fill(20, 50)).toEqual(Array.from({ length: 20 }, () => 1));
});

it('a worker that has waited takes the next jobs alone again, however soon they come', () => {
  jest.spyOn(performance, 'now').mockReturnValue(0);
  const runUp = new RunUp();
  for (let place = 0; place < 9; place++) {
    expect(runUp.tokens(`worker:${place}`, 99)).toEqual([`worker:${place}`]);
    runUp.took(1, 1);
    runUp.waits();
  }
});

it('a call for the next job of a place, or without a number, is for one job', () => {
  const runUp = new RunUp();
  for (const token of ['worker:0', 'worker:1']) {
    expect(runUp.tokens(token, 50)).toEqual([token]);
    runUp.took(1, 1);
  }
  expect(runUp.tokens('worker:0', 50)).toHaveLength(1);
  runUp.took(1, 1);
  expect(runUp.tokens('worker:1', 50)).toHaveLength(1);
  expect(runUp.tokens('foreign', 50)).toEqual(['foreign']);
});

it('a worker of batches takes what it has places for, and gathers for 10 ms when it has emptied the queue', () => {
  let now = 0;
  jest.spyOn(performance, 'now').mockImplementation(() => now);
  const runUp = new RunUp(true);
  expect(runUp.tokens('worker:0', 499)).toHaveLength(500);
  expect(runUp.pause()).toBe(0);
  runUp.took(500, 500);
  expect(runUp.pause()).toBe(0);
  runUp.took(20, 500);
  expect(runUp.pause()).toBe(10);
  now = 4;
  expect(runUp.pause()).toBe(6);
  now = 5_000;
  expect(runUp.pause()).toBe(0);
});

it('a worker that got fewer jobs than it asked for asks for many again with its next token', () => {
  const runUp = new RunUp(true);
  expect(runUp.tokens('worker:0', 499)).toHaveLength(500);
  runUp.took(20, 500);
  expect(runUp.tokens('worker:19', 480)).toEqual(['worker:19']);
  runUp.took(0, 1);
  expect(runUp.tokens('worker:20', 479)).toHaveLength(480);
  runUp.took(0, 480);
  expect(runUp.tokens('worker:21', 479)).toHaveLength(480);
});
