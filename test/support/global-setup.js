import { startPostgres, startRedis } from './servers.js';

/**
 * One Redis and one PostgreSQL a run, unless the environment names some. The workers inherit the URLs. There is no
 * teardown: the servers end with this process.
 */
export default async function startServers() {
  const [redis, postgres] = await Promise.all([
    process.env.TEST_REDIS_URL ?? startRedis().then(({ url }) => url),
    process.env.TEST_POSTGRES_URL ?? startPostgres().then(({ url }) => url),
  ]);
  process.env.TEST_REDIS_URL = redis;
  process.env.TEST_POSTGRES_URL = postgres;
}
