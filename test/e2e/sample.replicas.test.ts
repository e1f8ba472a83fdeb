import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { ADMIN_PASSWORD, dataFolder, type Sample, startSample } from '../support/sample.js';
import { createDatabase, startRedis } from '../support/servers.js';
import { until } from '../support/until.js';

describe.each([
  ['Redis', ownRedis],
  ['PostgreSQL', ownDatabase],
])('two replicas of the sample on %s', (_, openServer) => {
  let server: Awaited<ReturnType<typeof openServer>>;
  let data: Awaited<ReturnType<typeof dataFolder>>;
  let replicas: Sample[];

  beforeAll(async () => {
    [server, data] = await Promise.all([openServer(), dataFolder()]);
    const env = { TASK_QUEUE_URL: server.url, SAMPLE_DATA: data.path };
    replicas = await Promise.all([startSample(env), startSample(env)]);
  });
  afterAll(async () => {
    await Promise.all(replicas.map((replica) => replica.stop()));
    await Promise.all([server?.close(), data?.remove()]);
  });

  test('a counter that an administrator makes and changes runs once at each of its times', async () => {
    const [first, second] = replicas as [Sample, Sample];
    const [one, other] = await Promise.all([administrator(first), administrator(second)]);
    /** The ticks for which the counter has a number, the last 30 of them. */
    const ticksOf = async (id: string) => {
      const counters = (await one('GET', '/counters')) as { id: string; counts: { tick: string }[] }[];
      const { counts = [] } = counters.find((counter) => counter.id === id) ?? {};
      return counts.map(({ tick }) => tick).toSorted();
    };
    const after = async (time: string) => (await ticksOf('often')).filter((tick) => tick > time);
    const every = (seconds: number) => ({
      counts: 'post',
      when: { cron: `*/${seconds} * * * * *` },
      overlap: 'allow',
      catchUp: 'one',
    });

    await one('POST', '/counters', { id: 'often', ...every(1) });
    await until(async () => (await ticksOf('often')).length >= 4);
    // The change is made at the other replica, and counts in both.
    await other('PUT', '/counters/often', every(2));
    const changed = new Date().toISOString();
    await until(async () => (await after(changed)).length >= 3);
    await second.stop();
    const stopped = new Date().toISOString();
    await until(async () => (await after(stopped)).length >= 1);

    const ticks = await ticksOf('often');
    expect(new Set(ticks).size).toBe(ticks.length);
    const [, ...later] = await after(changed);
    expect(later.filter((tick) => new Date(tick).getUTCSeconds() % 2 === 1)).toEqual([]);
  });
});

/** Requests as an administrator who has signed in. */
async function administrator({ url }: Sample) {
  const signedIn = await fetch(`${url}/sign-in`, {
    method: 'POST',
    redirect: 'manual',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ password: ADMIN_PASSWORD }),
  });
  const cookie = signedIn.headers
    .getSetCookie()
    .map((text) => text.split(';', 1)[0])
    .join('; ');
  return async (method: string, path: string, body?: object) => {
    const answer = await fetch(url + path, {
      method,
      headers: { cookie, ...(body && { 'Content-Type': 'application/json' }) },
      ...(body && { body: JSON.stringify(body) }),
    });
    if (!answer.ok) throw new Error(`${method} ${path} was answered with ${answer.status}.`);
    return answer.json();
  };
}

async function ownRedis() {
  const { url, close } = await startRedis();
  return { url, close };
}

async function ownDatabase() {
  const { url, drop } = await createDatabase(process.env.TEST_POSTGRES_URL as string);
  return { url, close: drop };
}
