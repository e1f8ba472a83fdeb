import type { Socket } from 'node:net';

/**
 * Ends a connection at once and discards the data that is still to be sent. After `destroy`, the operating system tries
 * for many minutes to send that data, and does so when the other side can be reached again.
 */
export function resetSocket(socket: Socket): void {
  try {
    socket.resetAndDestroy();
  } catch {
    // A socket with TLS cannot be reset. Its data is still sent when the other side can be reached again.
    socket.destroy();
  }
}
