import { connect, createServer, type Server } from 'node:net';
import { hostname } from 'node:os';

/** A process that listens on a socket of the lock, as it describes itself. */
export interface LockProcess {
  /** Unknown when the process does not answer: its event loop is busy, or the process is stopped. */
  readonly pid?: number;
  readonly host?: string;
  /** Whether the process has the lock; false while it still finds out whether it may have the lock. */
  readonly holds: boolean;
  /** Where the process answers requests, as {@link RequestSocket.name} says it; only of a process that has the lock. */
  readonly requests?: string;
}

/** What a process says of itself while it listens. */
export type LockState = Pick<LockProcess, 'holds' | 'requests'>;

/**
 * Milliseconds. Enough for a busy event loop. A process that takes longer is alive as well, only its name is unknown.
 */
const ANSWER_TIMEOUT = 1_000;

/** Characters. An answer has less than half of this: the name of a host has at most 255. */
const LONGEST_ANSWER = 1_000;

/** The path of a socket for requests, behind the folder of the lock, or a pipe of Windows. */
const REQUESTS = /^(requests[\\/][0-9a-f]{16}|\\\\\.\\pipe\\nestjs-task-queue-[0-9a-f-]{1,100})$/;

/**
 * Listens on `path` (a Unix domain socket or a Windows named pipe) and describes this process to each process that
 * connects.
 */
export async function answerOn(path: string, state: () => LockState): Promise<Server> {
  const server = createServer((socket) => {
    const answer: LockProcess = { pid: process.pid, host: hostname(), ...state() };
    socket.on('error', () => undefined);
    socket.end(JSON.stringify(answer), () => socket.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    // Without `exclusive`, the primary process would listen for a worker of node:cluster, and outlive the worker.
    server.listen({ path, exclusive: true }, resolve);
  });
  server.on('error', () => undefined);
  // The lock must not keep the process alive.
  return server.unref();
}

/** Reads the answer of a process; `undefined` when it is not the text that {@link answerOn} sends, or only a part of it. */
export function parseAnswer(text: string): LockProcess | undefined {
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof answer !== 'object' || answer === null) return undefined;
  const { pid, host, holds, requests } = answer as Record<string, unknown>;
  if (!Number.isSafeInteger(pid) || (pid as number) <= 0 || typeof holds !== 'boolean') return undefined;
  return {
    pid: pid as number,
    // The error about the lock shows the name of the host.
    ...(typeof host === 'string' && /^[\w.-]{1,255}$/.test(host) && { host }),
    holds,
    ...(typeof requests === 'string' && REQUESTS.test(requests) && { requests }),
  };
}

/**
 * Finds the process that listens on `path`; `undefined` when none does. The kernel closes the sockets of a process
 * however the process ends. So neither a timeout decides, nor a process id, which another process may have by now.
 */
export function findListener(path: string): Promise<LockProcess | undefined> {
  return new Promise((resolve, reject) => {
    let answer = '';
    // A process that closes the connection without an answer has just given up the lock, or gives way: worth another
    // try. So is an answer that cannot be read, perhaps the first part of the answer of a process that has just ended.
    let unknown: LockProcess = { holds: false };
    const socket = connect({ path });
    const timer = setTimeout(() => {
      unknown = { holds: true };
      socket.destroy();
    }, ANSWER_TIMEOUT);
    socket.setEncoding('utf8').on('data', (data: string) => {
      answer += data;
      if (answer.length > LONGEST_ANSWER) socket.destroy();
    });
    socket.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED' || error.code === 'ENOENT') resolve(undefined);
      // EAGAIN: too many processes connect at once. The others: the process closes the connection.
      else if (!['EAGAIN', 'ECONNRESET', 'EPIPE'].includes(error.code ?? '')) reject(error);
    });
    // Called after an error too. The promise may be settled by then.
    socket.once('close', () => {
      clearTimeout(timer);
      resolve(parseAnswer(answer) ?? unknown);
    });
  });
}
