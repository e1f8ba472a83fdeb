import { expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { startPostgres, startRedis, type Server } from '../support/servers.js';

const serversModule = new URL('../support/servers.js', import.meta.url).href;

/** A process of its own that starts a server and then waits to be killed. */
function processWithServer(start: 'startRedis' | 'startPostgres') {
  const code = `import { ${start} } from '${serversModule}';
    console.log(JSON.stringify(await ${start}()));
    setInterval(() => {}, 1000);`;
  return spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: ['ignore', 'pipe', 'inherit'] });
}

async function gone(path: string): Promise<void> {
  while (existsSync(path)) await sleep(20);
}

test.each(['startRedis', 'startPostgres'] as const)(
  '%s: a SIGKILL of the tests takes server and folder along',
  async (start) => {
    const parent = processWithServer(start);
    const [line] = (await once(createInterface(parent.stdout), 'line')) as [string];
    const server = JSON.parse(line) as Server;
    const client = connect(server.port, '127.0.0.1').on('error', () => {});
    await once(client, 'connect');
    expect(existsSync(server.folder)).toBe(true);

    parent.kill('SIGKILL');
    await once(client, 'close');
    await gone(server.folder);
    expect(() => process.kill(server.pid, 0)).toThrow('ESRCH');
  },
);

test('a restarted server has its port and its data; after a kill, what was durable', async () => {
  const server = await startRedis({ durable: true, password: 'p@ss' });
  const client = new Redis(server.url, { retryStrategy: () => 20 });
  client.on('error', () => {});
  await client.set('key', 'before the restart');
  await server.restart();
  expect(await client.get('key')).toBe('before the restart');
  await client.set('key', 'before the kill');
  await server.kill();
  await server.restart();
  expect(await client.get('key')).toBe('before the kill');
  client.disconnect();
  await server.close();
});

test('a frozen server answers once it is thawed', async () => {
  const server = await startRedis();
  const client = new Redis(server.url);
  await client.ping();
  server.freeze();
  let thawed = false;
  const pong = client.ping().then(() => thawed);
  await new Promise(setImmediate);
  thawed = true;
  server.thaw();
  expect(await pong).toBe(true);
  client.disconnect();
  await server.close();
});

test('close() works in every state, and twice', async () => {
  const [stopped, frozen] = await Promise.all([startRedis(), startPostgres()]);
  await stopped.stop();
  frozen.freeze();
  for (const server of [stopped, frozen, stopped, frozen]) {
    await server.close();
    expect(existsSync(server.folder)).toBe(false);
  }
});
