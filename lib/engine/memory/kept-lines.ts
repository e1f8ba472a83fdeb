import { readLogLine } from '../log-line.js';
import type { LogPage } from '../ports/history-port.js';

/** The last lines of a task's log. */
export class KeptLines {
  private lines: string[] = [];
  private dropped = 0;

  add(line: string, keep: number): void {
    this.lines.push(line);
    if (this.lines.length <= keep) return;
    this.lines.shift();
    this.dropped++;
  }

  /** See `HistoryPort.readLog`. */
  read(after: number, limit: number): LogPage {
    const first = Math.max(after - this.dropped, 0);
    const lines = this.lines
      .slice(first, first + limit)
      .map((line, place) => readLogLine(line, this.dropped + first + place + 1));
    return { lines, kept: this.lines.length };
  }
}
