import { setTimeout as sleep } from 'node:timers/promises';
import type { LinkRun } from '../../support/evaluate-shape.js';
import type { ShapeListener } from '../../support/shape-tasks.js';
import { note } from './journal.js';

/** Long enough that a worker that is killed was running some. */
const TASK_TAKES = 5;

/** Writes down how the tasks of random workflows run. */
export const SHAPE_JOURNAL: ShapeListener = {
  started: () => sleep(TASK_TAKES),
  linked: (id, link) => note('linked', id, linkAsText(link)),
  ended(id) {
    note('started', id);
    note('finished', id);
  },
};

export function linkAsText({ tag, value }: LinkRun): string {
  return `${tag}=${encodeURIComponent(JSON.stringify(value))}`;
}
