import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { resetSocket } from '../../lib/engine/bullmq/reset-socket.js';

/**
 * A connection through the proxy: two sockets. While the line is dead, the proxy keeps what either side sends, because
 * on a real network TCP would send it again and again. The proxy drops it when the sender resets the connection,
 * because the sender's system would then stop sending.
 */
interface Line {
  readonly sockets: readonly [Socket, Socket];
  dead: boolean;
  /** Neither side hears any more of the other, also not of its end. */
  forgotten: boolean;
  held: { readonly to: Socket; readonly chunk: Buffer | null }[];
}

export type TcpProxy = Awaited<ReturnType<typeof startProxy>>;

/**
 * Starts a TCP proxy to a port of this machine. A test breaks its connections in the ways in which networks break.
 *
 * @param delay milliseconds that everything takes from one side to the other
 */
export async function startProxy(target: number, delay = 0) {
  const lines = new Set<Line>();
  let frozen = false;
  let port = target;

  const server = createServer({ allowHalfOpen: true }, (client) => {
    const upstream = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    const line: Line = { sockets: [client, upstream], dead: frozen, forgotten: false, held: [] };
    lines.add(line);
    forward(line, client, upstream);
    forward(line, upstream, client);
  });

  function forward(line: Line, from: Socket, to: Socket): void {
    const write = (chunk: Buffer) => {
      if (!to.destroyed) to.write(chunk);
    };
    const pass = delay === 0 ? write : (chunk: Buffer) => setTimeout(write, delay, chunk);
    from.on('data', (chunk) => (line.dead ? line.held.push({ to, chunk }) : pass(chunk)));
    from.on('end', () => (line.dead ? line.held.push({ to, chunk: null }) : to.end()));
    from.on('error', () => {
      line.held = line.held.filter((held) => held.to !== to);
    });
    from.on('close', () => {
      if (line.forgotten || (line.dead && line.held.length > 0)) return;
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

    /** Passes nothing on, without an error on either side. New connections are accepted and get no answer either. */
    freeze(): void {
      frozen = true;
      for (const line of lines) line.dead = true;
    },
    /** Passes everything on again, beginning with what was sent meanwhile. */
    thaw(): void {
      frozen = false;
      for (const line of lines) {
        line.dead = line.forgotten;
        if (line.dead) continue;
        for (const { to, chunk } of line.held.splice(0)) {
          if (to.destroyed) continue;
          if (chunk) to.write(chunk);
          else to.end();
        }
      }
    },
    /** Open connections never pass anything on again, without an error on either side. New connections work. */
    forget(): void {
      for (const line of lines) Object.assign(line, { dead: true, forgotten: true });
    },
    /** Resets all open connections. */
    cut(): void {
      for (const line of [...lines]) {
        lines.delete(line);
        for (const socket of line.sockets) resetSocket(socket);
      }
    },
    /** New connections lead to another port, as after a failover. Open ones are reset. */
    leadTo(otherPort: number): void {
      this.leadNewTo(otherPort);
      this.cut();
    },
    /** New connections lead to another port, and open ones stay with the server that they have. */
    leadNewTo(otherPort: number): void {
      port = otherPort;
    },
    async close(): Promise<void> {
      for (const line of [...lines]) drop(line);
      server.close();
      await once(server, 'close');
    },
  };
}
