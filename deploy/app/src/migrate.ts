import pg from 'pg';

// Runs once for each deploy, before the new version starts.
const client = new pg.Client({ connectionString: process.env['DATABASE_URL'] });
await client.connect();
await client.query(`CREATE TABLE IF NOT EXISTS orders (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  key text NOT NULL UNIQUE,
  item text NOT NULL,
  shipped integer NOT NULL DEFAULT 0
)`);
await client.end();
console.log('The tables are there.');
