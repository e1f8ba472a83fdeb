import type { Socket } from 'node:net';

/**
 * Ends a connection at once and discards the data that is still to be sent. After `destroy` alone, the operating system
 * tries for many minutes to send that data, and does so when the other side can be reached again.
 *
 * A socket with TLS cannot be reset, and neither can one whose end was sent already: Node fails with EINVAL then, and
 * never closes the socket. Their data is still sent when the other side can be reached again.
 */
export function resetSocket(socket: Socket): void {
  try {
    if (!socket.writableEnded) socket.resetAndDestroy();
  } catch {
    // The socket has TLS.
  }
  // For a socket that is not reset. One that still connects would be reset only once it is connected.
  socket.destroy();
}
