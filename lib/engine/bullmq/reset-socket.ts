import type { Socket } from 'node:net';

/**
 * Ends a connection at once, with whatever was written to it: the system would else go on sending that for many minutes,
 * in case the other side can be reached again.
 */
export function resetSocket(socket: Socket): void {
  try {
    socket.resetAndDestroy();
  } catch {
    // Under TLS there is no such way; what is left to send is sent, should the other side come back.
    socket.destroy();
  }
}
