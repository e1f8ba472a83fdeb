import { randomBytes } from 'node:crypto';
import { chmod, lstat, mkdir, readdir, rm } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { EngineUnavailableError, TaskQueueError } from '../../../../errors.js';
import type { Json } from '../../../json.js';
import type { AnswerRequest } from '../../../ports/request-port.js';

/** The folder of the sockets, which only the user of the process may enter. */
const FOLDER = 'requests';
/** Characters of one request. The arguments of a task have at most 1 MiB by default. */
const LONGEST_REQUEST = 8 * 1024 * 1024;
/** Characters of one answer: a page of tasks with their results. */
const LONGEST_ANSWER = 256 * 1024 * 1024;
const MOST_CONNECTIONS = 16;
/** Milliseconds without an answer after which the other process counts as stuck. A request may wait 10 s for a task. */
const PATIENCE = 20_000;

/** The format of requests and answers. */
const FORMAT = 1;

/** A socket on which this process answers requests. */
export interface RequestSocket {
  /** The part of its path behind the folder of the lock. */
  readonly name: string;
  close(): Promise<void>;
}

/**
 * Answers requests, one line of JSON each, from processes of the same user. Only the process that has locked the folder may
 * call it, because it removes the sockets that earlier processes left behind.
 *
 * @param place the folder of the lock
 * @param short a path to it that is short enough for the address of a socket
 * @returns `undefined` when the system does not let this process make such a socket
 */
export async function answerRequests(
  place: string,
  short: string,
  answer: AnswerRequest,
): Promise<RequestSocket | undefined> {
  try {
    const folder = join(place, FOLDER);
    await makePrivate(folder);
    const name = randomBytes(8).toString('hex');
    const { server, sockets } = await listen(join(short, FOLDER, name), answer);
    return {
      name: join(FOLDER, name),
      async close() {
        server.close();
        for (const socket of sockets) socket.destroy();
        await rm(join(folder, name), { force: true });
      },
    };
  } catch {
    // The application runs without: only commands of other processes do not reach it.
    return undefined;
  }
}

/** Answers requests on a pipe of Windows. */
export async function answerOnPipe(pipe: string, answer: AnswerRequest): Promise<RequestSocket | undefined> {
  try {
    const { server, sockets } = await listen(pipe, answer);
    const close = async () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    };
    return { name: pipe, close };
  } catch {
    return undefined;
  }
}

/**
 * Asks the process that answers on this path.
 *
 * @throws EngineUnavailableError when it has ended, or does not answer
 * @throws RequestRefusedError with the error of the other process
 */
export function askOn(path: string, request: Json): Promise<Json> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path });
    let text = '';
    socket.setEncoding('utf8').setTimeout(PATIENCE, () => fail('does not answer. Look at what it does, or restart it'));
    socket.once('error', (error) => fail(`cannot be asked: ${error.message}`));
    socket.once('close', () => fail('ended before it answered. Try again'));
    socket.on('data', (data: string) => {
      text += data;
      if (text.length > LONGEST_ANSWER) return fail('gave an answer that is too large. Ask for less');
      if (!text.endsWith('\n')) return undefined;
      return settle(text);
    });
    socket.write(`${JSON.stringify({ v: FORMAT, request })}\n`);

    function settle(line: string): void {
      try {
        const { result, error } = JSON.parse(line) as { result?: Json; error?: SentError };
        if (error) reject(new RequestRefusedError(error));
        else resolve(result ?? null);
        socket.destroy();
      } catch {
        fail('gave an answer that cannot be read. Use the command line of the same version');
      }
    }
    function fail(reason: string): void {
      socket.destroy();
      reject(new EngineUnavailableError(`The process that has opened the folder ${reason}.`));
    }
  });
}

interface SentError {
  readonly name: string;
  readonly message: string;
  readonly code?: string;
}

/** The error with which another process answered. It has the name, message and code of the original. */
export class RequestRefusedError extends TaskQueueError {
  readonly code: string;
  readonly #name: string;

  constructor({ name, message, code }: SentError) {
    super(message);
    this.#name = name;
    this.code = code ?? 'FAILED';
  }

  override get name(): string {
    return this.#name;
  }
}

/** @throws Error when the folder belongs to another user: that user could read the requests */
async function makePrivate(folder: string): Promise<void> {
  await mkdir(folder, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  const info = await lstat(folder);
  if (!info.isDirectory() || info.uid !== process.getuid?.()) throw new Error(`${folder} belongs to another user`);
  await chmod(folder, 0o700);
  for (const left of await readdir(folder)) await rm(join(folder, left), { force: true });
}

async function listen(path: string, answer: AnswerRequest): Promise<{ server: Server; sockets: ReadonlySet<Socket> }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket)).on('error', () => undefined);
    // A process that asks must not keep this one alive.
    socket.unref();
    answerOne(socket, answer);
  });
  server.maxConnections = MOST_CONNECTIONS;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ path, exclusive: true }, resolve);
  });
  server.on('error', () => undefined).unref();
  return { server, sockets };
}

/** Reads one request and answers it. */
function answerOne(socket: Socket, answer: AnswerRequest): void {
  let text = '';
  let isRead = false;
  socket.setEncoding('utf8').on('data', (data: string) => {
    if (isRead) return;
    text += data;
    if (text.length > LONGEST_REQUEST) return void socket.destroy();
    if (!text.endsWith('\n')) return;
    isRead = true;
    void replyTo(text, answer).then((reply) => socket.end(`${JSON.stringify(reply)}\n`));
  });
}

async function replyTo(line: string, answer: AnswerRequest): Promise<{ result: Json } | { error: SentError }> {
  try {
    const { v, request } = JSON.parse(line) as { v?: unknown; request?: Json };
    if (v !== FORMAT) throw new Error('The process that has opened the folder runs another version of this package.');
    return { result: (await answer(request ?? null)) ?? null };
  } catch (error) {
    const { name, message, code } = error as Error & { code?: unknown };
    return { error: { name, message, ...(typeof code === 'string' && { code }) } };
  }
}
