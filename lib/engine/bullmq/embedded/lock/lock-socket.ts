import { connect, createServer, type Server } from 'node:net';
import { hostname } from 'node:os';

/** Who listens on a lock's socket. */
export interface Holder {
  /** Not known when it does not answer: its event loop is busy, or the process is stopped. */
  readonly pid?: number;
  readonly host?: string;
  /** False while it is still finding out whether it may have the lock. */
  readonly holds: boolean;
}

/** Milliseconds. Enough for a busy event loop; one that takes longer is alive all the same, only nameless. */
const answerTimeout = 1_000;

/** Listens on `path` (a Unix domain socket or a Windows named pipe) and tells whoever connects who we are. */
export async function answerOn(path: string, holds: () => boolean): Promise<Server> {
  const server = createServer((socket) => {
    const answer: Holder = { pid: process.pid, host: hostname(), holds: holds() };
    socket.on('error', () => undefined);
    socket.end(JSON.stringify(answer), () => socket.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    // exclusive: for a worker of node:cluster the primary process would listen, and outlive it.
    server.listen({ path, exclusive: true }, resolve);
  });
  server.on('error', () => undefined);
  // A lock is no reason for a process to go on.
  return server.unref();
}

/**
 * Asks who listens on `path`; `undefined` means nobody. The kernel closes the sockets of a process at its end, whatever
 * end that is, so neither a timeout nor a process id, which another process may have by now, decides.
 */
export function askOn(path: string): Promise<Holder | undefined> {
  return new Promise((resolve, reject) => {
    let answer = '';
    // Whoever hangs up without a word has just given up the lock, or steps back: worth another try.
    let nameless: Holder = { holds: false };
    const socket = connect({ path });
    const timer = setTimeout(() => {
      nameless = { holds: true };
      socket.destroy();
    }, answerTimeout);
    socket.setEncoding('utf8').on('data', (data: string) => (answer += data));
    socket.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED' || error.code === 'ENOENT') resolve(undefined);
      // EAGAIN: too many are asking at once. The others: it hangs up.
      else if (!['EAGAIN', 'ECONNRESET', 'EPIPE'].includes(error.code ?? '')) reject(error);
    });
    // After an error too; then the promise may be settled already.
    socket.once('close', () => {
      clearTimeout(timer);
      resolve(answer ? (JSON.parse(answer) as Holder) : nameless);
    });
  });
}
