import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';

/**
 * A connection through the proxy, as two sockets. While the line is dead, what either side sends is held, as a network
 * would have it sent again and again; and it is dropped when its sender resets the connection, as a system then would.
 */
interface Line {
  readonly sockets: readonly [Socket, Socket];
  dead: boolean;
  held: { readonly to: Socket; readonly chunk: Buffer | null }[];
}

export type TcpProxy = Awaited<ReturnType<typeof startProxy>>;

/** A TCP proxy to a port of this machine, on a port of its own, that breaks in the ways in which networks do. */
export async function startProxy(target: number) {
  const lines = new Set<Line>();
  let frozen = false;

  const server = createServer({ allowHalfOpen: true }, (client) => {
    const upstream = connect({ port: target, host: '127.0.0.1', allowHalfOpen: true });
    const line: Line = { sockets: [client, upstream], dead: frozen, held: [] };
    lines.add(line);
    forward(line, client, upstream);
    forward(line, upstream, client);
  });

  function forward(line: Line, from: Socket, to: Socket): void {
    from.on('data', (chunk) => (line.dead ? line.held.push({ to, chunk }) : to.write(chunk)));
    from.on('end', () => (line.dead ? line.held.push({ to, chunk: null }) : to.end()));
    from.on('error', () => {
      line.held = line.held.filter((held) => held.to !== to);
    });
    from.on('close', () => {
      if (line.dead && line.held.length > 0) return;
      drop(line);
    });
  }

  function drop(line: Line): void {
    lines.delete(line);
    for (const socket of line.sockets) socket.destroy();
  }

  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  return {
    port: (server.address() as AddressInfo).port,

    /** Nothing passes, nobody is told. New connections are accepted and get no answer either. */
    freeze(): void {
      frozen = true;
      for (const line of lines) line.dead = true;
    },
    /** Everything passes again, and what was sent meanwhile arrives. */
    thaw(): void {
      frozen = false;
      for (const line of lines) {
        line.dead = false;
        for (const { to, chunk } of line.held.splice(0)) {
          if (to.destroyed) continue;
          if (chunk) to.write(chunk);
          else to.end();
        }
      }
    },
    /** Those that are open never carry anything again, and nobody is told; new ones work. */
    forget(): void {
      for (const line of lines) line.dead = true;
    },
    /** Ends all that are open. */
    cut(): void {
      for (const line of [...lines]) {
        lines.delete(line);
        for (const socket of line.sockets) socket.resetAndDestroy();
      }
    },
    async close(): Promise<void> {
      for (const line of [...lines]) drop(line);
      server.close();
      await once(server, 'close');
    },
  };
}
