import type { PGliteSession } from './pglite-session.js';

/** The work between two rounds: each row of a statement counts one, and so does each kilobyte that is sent with it. */
const WORK_PER_ROUND = 1_000;

/** By itself PostgreSQL adds up the dead rows once a second. */
const COUNT_NOW = 'SELECT pg_stat_force_next_flush()';

/**
 * Selects the tables that need a vacuum, by the rule of PostgreSQL's autovacuum, and the tables whose transaction
 * numbers grow old, long before these run out.
 */
const UNTIDY_TABLES = `
  SELECT relid::regclass::text AS name
  FROM pg_stat_all_tables JOIN pg_class ON pg_class.oid = relid
  WHERE n_dead_tup > 50 + n_live_tup / 5 OR age(relfrozenxid) > 100000000`;

/**
 * Does the work of PostgreSQL's background processes, which PGlite lacks: it removes the dead rows that updates and
 * deletions leave behind, and writes checkpoints. Without it the folder would grow by about 5 kB with every task, and a
 * start after a crash would have to repeat all changes ever made.
 *
 * A round takes some 50 ms. It runs table by table, so that other statements run in between.
 */
export class Vacuum {
  private work = 0;
  private isRunning = false;

  constructor(private readonly session: PGliteSession) {}

  /** Counts a statement that was run, and starts a round when there was enough work. */
  countStatement(params: readonly unknown[] = []): void {
    const sent = params.reduce<number>((sum, value) => sum + (typeof value === 'string' ? value.length : 0), 0);
    // A statement about many jobs has arrays with an element for each.
    const rows = Math.max(1, ...params.map((value) => (Array.isArray(value) ? value.length : 0)));
    this.work += rows + sent / 1_000;
    if (this.work < WORK_PER_ROUND || this.isRunning) return;
    this.work = 0;
    void this.runRound();
  }

  private async runRound(): Promise<void> {
    this.isRunning = true;
    try {
      await this.session.run(this, (db) => db.exec(COUNT_NOW));
      const { rows } = await this.session.run(this, (db) => db.query<{ name: string }>(UNTIDY_TABLES));
      for (const { name } of rows) await this.session.run(this, (db) => db.exec(`VACUUM (ANALYZE) ${name}`));
      await this.session.run(this, (db) => db.exec('CHECKPOINT'));
    } catch {
      // The pool has ended, or the disk is full. The statements of other senders fail too and report it.
    } finally {
      this.isRunning = false;
    }
  }
}
