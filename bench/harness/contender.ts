/** Where a contender stores its tasks: a server that it shares with its peer, and a prefix that only it uses. */
export interface Place {
  readonly store: 'redis' | 'postgres' | 'embedded' | 'memory';
  readonly connection: string;
  readonly prefix: string;
}

/** Measured figures by unit: `{ 'tasks/s': 9000 }`. */
export type Figures = Readonly<Record<string, number>>;

/** Does the compared work, in a process of its own. */
export interface Contender {
  /** Does the work once. Preparations are not measured. */
  round(): Promise<Figures>;
  /** Further work that the harness starts by name, for measurements in which several processes wait for each other. */
  readonly steps?: Readonly<Record<string, () => Promise<Figures>>>;
  /** What a measurement from outside needs, such as a port. */
  readonly info?: unknown;
  close(): Promise<void>;
}

/** Prepares a contender. `variant` is the parameter of a comparison, for example a number of waiting tasks. */
export type StartContender = (place: Place, variant: number) => Promise<Contender>;

/** The contenders that a comparison's file exports. Their names are those in the table. */
export type Contenders = Readonly<Record<string, StartContender>>;
