/** One run of a counter. */
export interface CountTable {
  schedule: string;
  /** The time at which the run was due; `null` for a run by hand. */
  tick: string | null;
  value: number;
  counted_at: string;
  /** The number of the process that counted. */
  process: number;
}
