import { once } from 'node:events';
import type { Server } from 'node:net';

/** A server on this machine that stands for a service of the internet. */
export interface StandIn {
  readonly url: string;
  close(): Promise<void>;
}

/** Starts a server on any free port of the loopback interface. */
export async function listen(server: Server, scheme: 'http' | 'smtp'): Promise<StandIn> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The server has no port.');
  return {
    url: `${scheme}://127.0.0.1:${address.port}`,
    close: async () => {
      if ('closeAllConnections' in server && typeof server.closeAllConnections === 'function')
        server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
