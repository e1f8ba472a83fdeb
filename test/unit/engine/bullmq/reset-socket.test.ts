import { afterEach, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { resetSocket } from '../../../../lib/engine/bullmq/reset-socket.js';

/** More bytes than the system keeps for a connection whose other side does not read. */
const MUCH = 20_000_000;

let server: Server;
afterEach(() => void server.close());

/** A connection, both sides of it, and the errors of the first. */
async function connection(): Promise<{ socket: Socket; other: Socket; errors: Error[] }> {
  server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const accepted = once(server, 'connection');
  const socket = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', allowHalfOpen: true });
  const errors: Error[] = [];
  socket.on('error', (error) => errors.push(error));
  const [[other]] = (await Promise.all([accepted, once(socket, 'connect')])) as [[Socket], unknown];
  return { socket, other, errors };
}

// That the socket is closed in the end, the environment of every suite checks: it fails a suite that leaves one open.
test('the other side sees a reset', async () => {
  const { socket, other, errors } = await connection();
  const seen = once(other.resume(), 'error');
  resetSocket(socket);
  expect(await seen).toMatchObject([{ code: 'ECONNRESET' }]);
  expect(errors).toEqual([]);
});

test('data that the other side does not read is discarded at once', async () => {
  const { socket, other } = await connection();
  other.pause();
  socket.write(Buffer.alloc(MUCH));
  const closed = once(socket, 'close');
  resetSocket(socket);
  await closed;
  other.destroy();
});

test.each([
  ['just ended', async (socket: Socket) => void socket.end()],
  ['that ended before', (socket: Socket) => new Promise<void>((done) => void socket.end(done))],
  ['that was reset before', async (socket: Socket) => resetSocket(socket)],
])('a socket %s is closed without an error', async (_, prepare) => {
  const { socket, other, errors } = await connection();
  const closed = once(socket, 'close');
  await prepare(socket);
  resetSocket(socket);
  await closed;
  expect(errors).toEqual([]);
  other.destroy();
});

test('a socket that connects is closed without an error', async () => {
  server = createServer((other) => other.destroy()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const socket = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1' });
  const closed = once(socket, 'close');
  resetSocket(socket);
  await closed;
});
