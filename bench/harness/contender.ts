/** Where a contender works: a server that it shares with its peer, and a name on it that nobody else uses. */
export interface Place {
  readonly store: 'redis' | 'postgres' | 'embedded';
  readonly connection: string;
  readonly prefix: string;
}

/** What was measured, by unit: `{ 'tasks/s': 9000 }`. */
export type Figures = Readonly<Record<string, number>>;

/** One who does the work that is compared, in a process of its own. */
export interface Contender {
  /** Does the work once, all preparations outside of what it measures. */
  round(): Promise<Figures>;
  /** What it can be told to do ignoreOutage, by name: for work of several processes that wait for each other. */
  readonly steps?: Readonly<Record<string, () => Promise<Figures>>>;
  /** For whoever measures from outside: a port, say. */
  readonly info?: unknown;
  close(): Promise<void>;
}

/** Prepares a contender; `variant` is what a comparison wants to be different, a number of waiting tasks, say. */
export type StartContender = (place: Place, variant: number) => Promise<Contender>;

/** A comparison's file exports its contenders by the names they have in the table. */
export type Contenders = Readonly<Record<string, StartContender>>;
