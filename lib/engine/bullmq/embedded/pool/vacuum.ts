import type { PGliteSession } from './pglite-session.js';

/** How much work may pass before the next round: statements, or kilobytes sent with them. */
const interval = 1_000;

/**
 * PostgreSQL's own rule for its autovacuum, and the tables whose transaction numbers grow old, long before they run out.
 */
const untidyTables = `
  SELECT relid::regclass::text AS name
  FROM pg_stat_all_tables JOIN pg_class ON pg_class.oid = relid
  WHERE n_dead_tup > 50 + n_live_tup / 5 OR age(relfrozenxid) > 100000000`;

/**
 * Does the work of the background processes that PGlite lacks: clears away what updates and deletions leave behind, and
 * writes checkpoints. Without it the folder would grow with every task that ever ran, by about 5 kB each, and a start
 * after a crash would have to repeat all of it.
 *
 * A round takes some 50 ms, table by table, so that other statements get in between.
 */
export class Vacuum {
  private work = 0;
  private busy = false;

  constructor(private readonly session: PGliteSession) {}

  /** Counts a statement that was run, and starts a round when it is time. */
  note(params: readonly unknown[] = []): void {
    const sent = params.reduce<number>((sum, value) => sum + (typeof value === 'string' ? value.length : 0), 0);
    this.work += 1 + sent / 1_000;
    if (this.work < interval || this.busy) return;
    this.work = 0;
    void this.tidy();
  }

  private async tidy(): Promise<void> {
    this.busy = true;
    try {
      const { rows } = await this.session.run(this, (db) => db.query<{ name: string }>(untidyTables));
      for (const { name } of rows) await this.session.run(this, (db) => db.exec(`VACUUM (ANALYZE) ${name}`));
      await this.session.run(this, (db) => db.exec('CHECKPOINT'));
    } catch {
      // The pool has ended, or the disk is full: whoever needs the database hears of it.
    } finally {
      this.busy = false;
    }
  }
}
