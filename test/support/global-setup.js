import { findChromium, findProgram } from './programs.js';
import { startPostgres, startRedis } from './servers.js';

/**
 * What has to be there before a project's first test. Programs that are missing are installed here, once and with all
 * the time it takes, and not by two test workers at once within a test's time limit.
 *
 * @type {Readonly<Record<string, () => void | Promise<void>>>}
 */
const preparations = {
  unit: installServers,
  faults: installServers,
  contract: startServers,
  limits: startServers,
  async e2e() {
    process.env.CHROMIUM_PATH = findChromium();
    await startServers();
  },
};

/**
 * @param {unknown} _options of the run
 * @param {{ displayName?: { name: string } }} project
 */
export default async function prepare(_options, { displayName }) {
  await preparations[displayName?.name ?? '']?.();
}

function installServers() {
  for (const program of /** @type {const} */ (['redis', 'postgres', 'openssl'])) findProgram(program);
}

/**
 * One Redis and one PostgreSQL a run, unless the environment names some. The workers inherit the URLs. There is no
 * teardown: the servers end with this process.
 */
async function startServers() {
  const [redis, postgres] = await Promise.all([
    process.env.TEST_REDIS_URL ?? startRedis().then(({ url }) => url),
    process.env.TEST_POSTGRES_URL ?? startPostgres().then(({ url }) => url),
  ]);
  process.env.TEST_REDIS_URL = redis;
  process.env.TEST_POSTGRES_URL = postgres;
}
