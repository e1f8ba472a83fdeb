import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import type { Figures, Place } from './contender.js';

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

/** A new place on a server. A contender and its helper share one place. */
export function freePlace(store: Place['store'], connection: string): Place {
  return { store, connection, prefix: `bench_${randomUUID().replaceAll('-', '').slice(0, 12)}` };
}

/** The parent's side of a contender's process. It sends commands and waits for the answers. */
export class Rival {
  private constructor(
    private readonly child: ChildProcess,
    readonly info: unknown,
  ) {}

  /**
   * @param file of the comparison
   * @param name of the contender
   * @param profiles a folder for a profile of its processor time
   */
  static async start(file: string, name: string, place: Place, variant = 0, profiles?: string): Promise<Rival> {
    const profile = profiles ? `${profiles}/${place.store}-${name.replaceAll(/\W+/g, '-')}.cpuprofile` : '';
    const child = fork(path('contender-process.ts'), [file, name, JSON.stringify(place), `${variant}`, profile], {
      execArgv: [
        '--import',
        path('../../test/support/typescript-loader.js'),
        '--expose-gc',
        '--disable-warning=DeprecationWarning',
      ],
      env: { ...process.env, NODE_ENV: 'production' },
    });
    return new Rival(child, await answerOf(child, name));
  }

  get pid(): number {
    return this.child.pid as number;
  }

  round(): Promise<Figures> {
    return this.ask('round') as Promise<Figures>;
  }

  /** One of {@link Contender.steps}. */
  step(name: string): Promise<Figures> {
    return this.ask(name) as Promise<Figures>;
  }

  /** Milliseconds of processor time that the process has used so far. */
  cpu(): Promise<number> {
    return this.ask('cpu') as Promise<number>;
  }

  /** The resident bytes of the process. */
  memory(): Promise<number> {
    return this.ask('memory') as Promise<number>;
  }

  async close(): Promise<void> {
    const exited = once(this.child, 'exit');
    await this.ask('close');
    await exited;
  }

  private ask(question: string): Promise<unknown> {
    this.child.send(question);
    return answerOf(this.child, question);
  }
}

async function answerOf(child: ChildProcess, what: string): Promise<unknown> {
  const done = new AbortController();
  const { signal } = done;
  const [message] = (await Promise.race([once(child, 'message', { signal }), once(child, 'exit', { signal })])) as [
    unknown,
  ];
  done.abort();
  if (typeof message === 'object' && message !== null) return (message as { answer?: unknown }).answer;
  throw new Error(`The process of a contender ended during "${what}".`);
}
