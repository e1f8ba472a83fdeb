import { installLibraries } from '../orms/install.js';
import { programsOf, requirePrograms } from './programs.js';
import { useRunFolder } from './run-folder.js';
import { startPostgres, startRedis } from './servers.js';

/** Projects whose tests share one Redis and one PostgreSQL. */
const WITH_SERVERS = ['contract', 'limits', 'e2e', 'matrix', 'orms'];

/**
 * Prepares what a project needs, before its first test. Programs are checked and installed here: once, without a time
 * limit, and not by two test workers at the same time.
 *
 * @param {unknown} _options of the run
 * @param {{ displayName?: { name: string } }} project
 * @throws Error when a program is missing and the run may not install it
 */
export default async function prepare(_options, { displayName }) {
  const project = displayName?.name ?? '';
  requirePrograms(programsOf(project));
  await useRunFolder();
  if (project === 'orms') installLibraries();
  if (WITH_SERVERS.includes(project)) await startServers();
}

/**
 * Starts one Redis and one PostgreSQL for the run, unless TEST_REDIS_URL and TEST_POSTGRES_URL name servers. The test
 * workers inherit the URLs. There is no teardown: the servers stop when this process ends.
 */
async function startServers() {
  const [redis, postgres] = await Promise.all([
    process.env.TEST_REDIS_URL || startRedis().then(({ url }) => url),
    process.env.TEST_POSTGRES_URL || startPostgres().then(({ url }) => url),
  ]);
  process.env.TEST_REDIS_URL = redis;
  process.env.TEST_POSTGRES_URL = postgres;
}
