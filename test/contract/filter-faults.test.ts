import { createHash } from 'node:crypto';
import assert from 'node:assert/strict';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Catch, Injectable, UseFilters, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import { NEVER, of, throwError } from 'rxjs';
import { Task, type Tasks } from 'nestjs-task-queue';
import { boot, type Booted } from '../support/boot.js';
import { describeEachEngine } from '../support/engines.js';

class CardDeclined extends Error {
  override readonly name = 'CardDeclined';
}

class Translated extends Error {
  override readonly name = 'Translated';
}

type Handler = (error: Error, host: ArgumentsHost) => unknown;

/** Filters that go wrong in a task, or answer a client that is not there. The error of the method stands. */
const FAULTS: Readonly<Record<string, Handler>> = {
  'reads a response': (_, host) => host.switchToHttp().getResponse<{ status(code: number): unknown }>().status(500),
  'reads a request after a pause': async (_, host) => {
    await Promise.resolve();
    return host.switchToHttp().getRequest<{ headers: { cookie: string } }>().headers.cookie;
  },
  'sends to a socket': (_, host) => host.switchToWs().getClient<{ emit(name: string): void }>().emit('exception'),
  'hashes what is not there': (_, host) => createHash('sha1').update(host.getArgByIndex(5)).digest(),
  'parses what is not there': (_, host) => JSON.parse(host.getArgByIndex(5)),
  'writes JSON of a cycle': (error) => JSON.stringify(Object.assign(error, { error })),
  'makes a date of nothing': () => new Date(Number.NaN).toISOString(),
  'calls itself for ever': function forever(...args): unknown {
    return forever(...args);
  },
  'asserts that it runs in a request': (_, host) => assert.equal(host.getType(), 'http'),
  'asks a server that is not there': async () => fetch('http://127.0.0.1:1/'),
  'rejects with nothing': async () => Promise.reject(undefined),
  'throws null': () => {
    throw null as never;
  },
  'returns an Observable that fails by a mistake': () =>
    throwError(() => Object.assign(new TypeError('x is not a function'))),
  'returns a value': () => ({ statusCode: 500 }),
  'returns an Observable': () => of({ statusCode: 500 }),
  'returns a function': () => () => undefined,
  'throws the error again': (error) => {
    throw error;
  },
};

/** Filters that translate: the task fails with what they throw. */
const TRANSLATIONS: Readonly<Record<string, Handler>> = {
  'an error of its own class': () => {
    throw new Translated('translated');
  },
  'a rejected promise': async () => {
    await Promise.resolve();
    throw new Translated('translated');
  },
  'an Observable': () => throwError(() => new Translated('translated')),
  'a built-in class with a text of its own': () => {
    throw new TypeError('translated');
  },
  'a mistake that names its cause': (cause) => {
    throw new TypeError('translated: x is not a function', { cause });
  },
};

let handler: Handler = () => undefined;

@Catch()
class AnyFilter implements ExceptionFilter {
  catch(error: Error, host: ArgumentsHost): unknown {
    return handler(error, host);
  }
}

@Catch()
class EndlessFilter implements ExceptionFilter {
  catch(): unknown {
    return NEVER;
  }
}

@Injectable()
class Work {
  static runs = 0;

  @Task({ timeout: 300 })
  @UseFilters(AnyFilter)
  async charge(): Promise<void> {
    throw new CardDeclined('insufficient funds');
  }

  @Task({ timeout: 100, retries: 2, backoff: { type: 'fixed', delay: 1 }, giveUpOn: CardDeclined })
  @UseFilters(EndlessFilter)
  async endless(): Promise<void> {
    Work.runs++;
    throw new CardDeclined('insufficient funds');
  }
}

describeEachEngine('an exception filter that', (engine) => {
  let booted: Booted;
  let work: Tasks<Work>;

  beforeAll(async () => {
    booted = await boot({ ...(await engine.place()), abandonedAfter: '30s', enqueueTimeout: '20s' }, [Work]);
    work = booted.queue.of(Work);
  }, 60_000);
  afterAll(() => booted.app.close());

  const failureOf = async () => {
    const handle = await work.charge.enqueue();
    await handle.result({ timeout: '25s' }).catch(() => undefined);
    return handle.status();
  };

  it.each(Object.entries(FAULTS))('%s changes nothing', async (_, fault) => {
    handler = fault;
    expect(await failureOf()).toMatchObject({
      state: 'failed',
      error: { name: 'CardDeclined', message: 'insufficient funds' },
    });
  });

  it.each(Object.entries(TRANSLATIONS))('throws %s translates', async (_, translation) => {
    handler = translation;
    expect(await failureOf()).toMatchObject({
      state: 'failed',
      error: { message: expect.stringContaining('translated') },
    });
  });

  it('never ends leaves the error of the method, not a timeout, and the decision about retries', async () => {
    Work.runs = 0;
    const handle = await work.endless.enqueue();
    await expect(handle.result({ timeout: '25s' })).rejects.toMatchObject({ cause: { name: 'CardDeclined' } });
    expect(Work.runs).toBe(1);
  }, 30_000);
});
