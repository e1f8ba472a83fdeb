import type { PgQueryable } from 'bullmq';
import type { Clock } from '../clock.js';
import type { RateWindows, UnusedToken } from '../driver.js';

/**
 * Takes one from BullMQ's count of the jobs that were started in the current window of a rate limit. A job that was taken
 * before the window began is not among them. The length of the window is that of the stored limit, else $3.
 */
const RETURN_TOKEN = `UPDATE rate_limit SET points = points - 1
  WHERE queue = $1 AND points BETWEEN 1 AND 1000000000000000 AND expire_at_ms > $2::bigint
    AND expire_at_ms + $4::bigint - $2::bigint
      <= COALESCE((SELECT value::bigint FROM meta WHERE queue = $1 AND field = 'duration'), $3::bigint)`;

const SHORTEN_WINDOW = 'UPDATE rate_limit SET expire_at_ms = $2::bigint WHERE queue = $1 AND expire_at_ms > $2::bigint';

/** BullMQ's `rateLimit()` stores a limit with so many points that none is left. Such a limit may last for any time. */
const LIMIT_WINDOW = `UPDATE rate_limit SET expire_at_ms = $2::bigint + length FROM (
    SELECT COALESCE((SELECT value::bigint FROM meta WHERE queue = $1 AND field = 'duration'), $3::bigint) AS length
  ) AS declared
  WHERE queue = $1 AND points < 1000000000000000 AND expire_at_ms > $2::bigint + length`;

/** Changes the windows of rate limits on PostgreSQL. */
export class PostgresRateWindows implements RateWindows {
  constructor(
    private readonly queries: PgQueryable,
    private readonly clock: Clock,
  ) {}

  async returnToken(queue: string, { window, heldFor }: UnusedToken): Promise<void> {
    await this.queries.query(RETURN_TOKEN, [queue, this.clock.now(), window ?? null, heldFor]);
  }

  async shorten(queue: string, per: number): Promise<void> {
    await this.queries.query(SHORTEN_WINDOW, [queue, this.clock.now() + per]);
  }

  async limit(queue: string, declared: number | undefined): Promise<void> {
    await this.queries.query(LIMIT_WINDOW, [queue, this.clock.now(), declared ?? null]);
  }

  async end(queue: string): Promise<void> {
    await this.queries.query('DELETE FROM rate_limit WHERE queue = $1', [queue]);
  }
}
