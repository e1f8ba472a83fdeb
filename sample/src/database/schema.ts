/** Creates the tables that are missing, on SQLite and on PostgreSQL. A real application has migrations for that. */
export const TABLES = `
CREATE TABLE IF NOT EXISTS account (visitor TEXT PRIMARY KEY, name TEXT NOT NULL, token TEXT NOT NULL);

CREATE TABLE IF NOT EXISTS post (
  id TEXT PRIMARY KEY, visitor TEXT NOT NULL, text TEXT NOT NULL, saved_at TEXT NOT NULL,
  task TEXT, url TEXT, published_at TEXT
);
CREATE INDEX IF NOT EXISTS post_visitor ON post (visitor, saved_at);

CREATE TABLE IF NOT EXISTS count (
  schedule TEXT NOT NULL, tick TEXT, value INTEGER NOT NULL, counted_at TEXT NOT NULL, process INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS count_schedule ON count (schedule, counted_at);

CREATE TABLE IF NOT EXISTS quote (day TEXT PRIMARY KEY, text TEXT NOT NULL, author TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS subscriber (email TEXT PRIMARY KEY, visitor TEXT NOT NULL);

CREATE TABLE IF NOT EXISTS review (
  id TEXT PRIMARY KEY, visitor TEXT NOT NULL, name TEXT NOT NULL, email TEXT NOT NULL,
  stars INTEGER NOT NULL, text TEXT NOT NULL, written_at TEXT NOT NULL, task TEXT, mailed_at TEXT
);
CREATE INDEX IF NOT EXISTS review_written ON review (written_at);

`;

/** What `npx nestjs-task-queue outbox --dialect sqlite` prints. On PostgreSQL, `npx nestjs-task-queue migrate` creates the table. */
export const OUTBOX_TABLE = `
CREATE TABLE IF NOT EXISTS task_outbox (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  store TEXT NOT NULL,
  queue TEXT NOT NULL,
  calls INTEGER NOT NULL,
  format INTEGER NOT NULL,
  payload TEXT NOT NULL,
  created_at INTEGER NOT NULL DEFAULT (CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)),
  failed_at INTEGER,
  error TEXT,
  claimed_by TEXT,
  claimed_until INTEGER
);
CREATE INDEX IF NOT EXISTS task_outbox_waiting ON task_outbox (store, seq) WHERE failed_at IS NULL;
`;
