/** What the feature needs of a database. pg and PGlite have it alike. */
export interface SqlDatabase {
  /** How the page names the database. */
  readonly name: string;
  /** Opens connections of one program. `most` is the most that it uses at the same time, `load` the load that a shop belongs to. */
  connect(program: Program, most: number, load?: string): SqlConnections;
  /** Counts the connections of the workers and of the shops of a load, and how many of them wait for another one just now. */
  pressure(load: string): Promise<Pressure>;
  close(): Promise<void>;
}

/** Shops and workers write orders. The page counts them, and its own connections are not among what it counts. */
export type Program = 'shop' | 'worker' | 'page';

export interface SqlConnections {
  transaction<Result>(work: (tx: SqlTransaction) => Promise<Result>): Promise<Result>;
  close(): Promise<void>;
}

/** An open transaction. `producer.in(tx)` takes it as it is. */
export interface SqlTransaction {
  readonly dialect: 'postgres';
  query(text: string, values?: readonly unknown[]): Promise<Record<string, unknown>[]>;
}

export interface Pressure {
  readonly connections: number;
  readonly waiting: number;
}
