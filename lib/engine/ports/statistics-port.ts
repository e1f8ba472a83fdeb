import type { Slice } from '../statistics/statistics-store.js';

/** What all processes have counted. Each method throws EngineUnavailableError when the engine does not answer in time. */
export interface StatisticsPort {
  /** The figures of a range of time, in spans that are the longer the older they are: a minute, ten minutes, an hour. */
  read(from: number, to: number): Promise<Slice[]>;
  /** Merges what single processes have stored, and deletes what is too old. Only one process may do that at a time. */
  merge(): Promise<void>;
}
