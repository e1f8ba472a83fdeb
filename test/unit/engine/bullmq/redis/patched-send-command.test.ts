import { beforeEach, expect, it } from '@jest/globals';
import { Writable } from 'node:stream';
import type { Cluster, Command, Redis } from 'ioredis';
import { patchSendCommand } from '../../../../../lib/engine/bullmq/redis/patched-send-command.js';

/** A connection that records which commands came in one packet. */
class Connection extends Writable {
  readonly packets: string[][] = [];

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.packets.push([chunk.toString()]);
    done();
  }

  override _writev(chunks: { chunk: Buffer }[], done: () => void): void {
    this.packets.push(chunks.map(({ chunk }) => chunk.toString()));
    done();
  }
}

class Client {
  status = 'ready';
  stream = new Connection();
  readonly commandQueue: string[] = [];

  sendCommand(command: string): void {
    this.stream.write(command);
    this.commandQueue.push(command);
  }
}

let client: Client;

const send = (...names: string[]) => {
  for (const name of names) (client as unknown as Redis).sendCommand(name as unknown as Command);
};
const names = (count: number) => Array.from({ length: count }, (_, n) => `command ${n}`);
const nextTick = () => new Promise<void>((resolve) => process.nextTick(resolve));

beforeEach(() => {
  client = new Client();
  patchSendCommand(client as unknown as Redis);
});

it('a command is sent at once while the server has nothing to do', () => {
  send('first');
  expect(client.stream.packets).toEqual([['first']]);
});

it('the commands of one tick are sent in a few packets, in order, and not all in one packet', async () => {
  client.commandQueue.push(...names(20));
  send(...names(20));
  await nextTick();
  const { packets } = client.stream;
  expect(packets.flat()).toEqual(names(20));
  expect(packets.length).toBeGreaterThan(2);
  expect(packets.length).toBeLessThan(6);
});

it('a packet has eight commands at most, however many answers are owed', async () => {
  client.commandQueue.push(...names(1_000));
  send(...names(20));
  await nextTick();
  expect(client.stream.packets.map(({ length }) => length)).toEqual([8, 8, 4]);
});

it('no command waits beyond the tick', async () => {
  client.commandQueue.push(...names(20));
  send('only');
  expect(client.stream.packets).toEqual([]);
  await nextTick();
  expect(client.stream.packets).toEqual([['only']]);
});

it('a connection that replaces another is not left corked', async () => {
  client.commandQueue.push(...names(20));
  send('before');
  client.stream.destroy();
  client.stream = new Connection();
  await nextTick();
  expect(client.stream.writableCorked).toBe(0);
  send('after');
  await nextTick();
  expect(client.stream.packets).toEqual([['after']]);
});

it('a command that comes before the connection is ready is left to the client', () => {
  client.status = 'connect';
  client.commandQueue.push('hello');
  send('info');
  expect(client.stream.packets).toEqual([['info']]);
});

it('a cluster is left as it is', () => {
  const { sendCommand } = client;
  const cluster = { nodes: () => [], sendCommand } as unknown as Cluster;
  expect(patchSendCommand(cluster).sendCommand).toBe(sendCommand);
});
