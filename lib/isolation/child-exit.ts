import { memoryText } from '../memory-size.js';

/** How a child process ended, and what is known of the reason. */
export interface ChildExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The resident memory in bytes for which its watchdog has ended it. */
  readonly memory: number | undefined;
  /** The last lines of its standard error. */
  readonly lines: readonly string[];
}

/** Lines of the standard error in an error message: V8 writes some thirty about a heap that is full. */
const LINES_SHOWN = 8;
const LONGEST_LINE = 300;
const OUT_OF_HEAP = /FATAL ERROR: .*(heap|memory).*/i;

/** Why a child process ended, as the end of a sentence: `ended with exit code 1. Its last lines: …`. */
export function describeExit({ code, signal, memory, lines }: ChildExit, limit: number | undefined): string {
  if (memory !== undefined) {
    return `was ended, because its resident memory grew to ${memoryText(memory)} and its limit is ${memoryText(limit ?? 0)}`;
  }
  const outOfHeap = lines.map((line) => OUT_OF_HEAP.exec(line)?.[0]).find(Boolean);
  if (outOfHeap !== undefined) return `ran out of memory: ${outOfHeap}`;
  const how = signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`;
  const shown = lines.slice(-LINES_SHOWN).map((line) => line.slice(0, LONGEST_LINE));
  return shown.length === 0 ? how : `${how}. Its last lines: ${shown.join(' | ')}`;
}
