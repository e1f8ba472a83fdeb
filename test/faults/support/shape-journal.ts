import { setTimeout as sleep } from 'node:timers/promises';
import type { LinkRun } from '../../support/evaluate-shape.js';
import type { ShapeListener } from '../../support/shape-tasks.js';
import { record } from './journal.js';

/** Milliseconds that each task takes: long enough that a killed worker was running some tasks. */
const TASK_TAKES = 5;

/** Writes what the tasks of random workflows do into the journal. */
export const SHAPE_JOURNAL: ShapeListener = {
  started: () => sleep(TASK_TAKES),
  linked: (id, link) => record('linked', id, linkAsText(link)),
  ended(id) {
    record('started', id);
    record('finished', id);
  },
};

export function linkAsText({ tag, value }: LinkRun): string {
  return `${tag}=${encodeURIComponent(JSON.stringify(value))}`;
}
