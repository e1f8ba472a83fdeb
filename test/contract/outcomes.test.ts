import { afterAll, beforeAll, beforeEach, expect, it, jest } from '@jest/globals';
import {
  BadRequestException,
  type ArgumentsHost,
  Catch,
  type ExceptionFilter,
  Injectable,
  UseFilters,
  UsePipes,
  ValidationPipe,
} from '@nestjs/common';
import { IsEmail } from 'class-validator';
import { chain, chord, group, Task, TaskAdmin, TaskContext, TaskQueue, type Tasks } from 'nestjs-task-queue';
import { boot, type Booted } from '../support/boot.js';
import { describeEachEngine } from '../support/engines.js';
import { Gate } from '../support/gate.js';
import { until } from '../support/until.js';

/** The filter of Nest's documentation that catches everything: it reads a response, which a task does not have. */
@Catch()
class CatchAllFilter implements ExceptionFilter {
  catch(_error: unknown, host: ArgumentsHost): void {
    host.switchToHttp().getResponse<{ status(code: number): void }>().status(500);
  }
}

class Invitation {
  @IsEmail()
  email!: string;
}

/** Written for errors of an HTTP client, which carry a response. */
const isClientError = (error: unknown) => (error as { response: { status: number } }).response.status < 500;

/** Asynchronous, which the types forbid. */
const asksFirst = async () => {
  throw new Error('the service that knows cannot be reached');
};

@Injectable()
class Work {
  static runs = 0;
  static gate = new Gate();
  static reported = new Gate();

  constructor(
    private readonly task: TaskContext,
    private readonly queue: TaskQueue,
  ) {}

  @Task({ retries: 2, backoff: { type: 'fixed', delay: 1 }, giveUpOn: isClientError })
  async undecided(): Promise<void> {
    Work.runs++;
    throw new Error('connect ECONNREFUSED');
  }

  @Task({ retries: 2, backoff: { type: 'fixed', delay: 1 }, giveUpOn: asksFirst as unknown as () => boolean })
  async undecidedLater(): Promise<void> {
    Work.runs++;
    throw new Error('connect ECONNREFUSED');
  }

  @Task({ unique: { while: 'running' } })
  async single(n: number): Promise<number> {
    return n;
  }

  @Task()
  async load(): Promise<number> {
    Work.runs++;
    return 1;
  }

  @Task({ retries: 2 })
  async becomeSingle(): Promise<number> {
    Work.runs++;
    return this.task.replaceWith(this.queue.of(Work).single.signature(1));
  }

  @Task()
  @UseFilters(CatchAllFilter)
  async filtered(): Promise<void> {
    throw new Error('insufficient funds');
  }

  @Task()
  @UsePipes(new ValidationPipe())
  async invite(invitation: Invitation): Promise<string> {
    return invitation.email;
  }

  @Task()
  async manyErrors(): Promise<void> {
    throw new AggregateError([new Error('first host refused'), new Error('second host refused')], 'no host answered');
  }

  @Task()
  async refusedInside(): Promise<void> {
    const refusal = new BadRequestException({
      statusCode: 400,
      message: 'Validation failed',
      errors: ['no such month'],
    });
    throw new AggregateError([refusal], 'one of three');
  }

  @Task()
  async unreadable(): Promise<void> {
    throw new Proxy(new Error('hidden'), {
      get: () => {
        throw new Error('no property of this error can be read');
      },
    });
  }

  @Task({ timeout: 100 })
  async blocking(): Promise<string> {
    const end = performance.now() + 300;
    while (performance.now() < end);
    return 'too late';
  }

  @Task({ timeout: 100 })
  async reportsOn(): Promise<void> {
    await Work.gate.opened;
    await this.task.progress('after the end');
    await this.task.log('after the end');
    Work.reported.open();
  }

  /** Its first attempt goes on while the second one runs. */
  @Task({ timeout: 500, retries: 1, backoff: { type: 'fixed', delay: 1 } })
  async overtaken(): Promise<string> {
    if (this.task.attempt === 1) {
      await Work.gate.opened;
      await this.task.progress('first attempt');
      await this.task.log('first attempt');
      Work.reported.open();
      return 'first attempt';
    }
    await this.task.progress('second attempt');
    await this.task.log('second attempt');
    Work.gate.open();
    await Work.reported.opened;
    return 'second attempt';
  }

  @Task({ expires: 300, retries: 1, backoff: { type: 'fixed', delay: 600, jitter: 0 } })
  async onceMore(): Promise<string> {
    if (this.task.attempt === 1) throw new Error('once');
    return 'started in time';
  }

  @Task({ retries: 3, backoff: { type: 'fixed', delay: 1 } })
  async retried(): Promise<void> {
    Work.runs++;
    throw new Error('no');
  }

  @Task()
  async listening(): Promise<void> {
    this.task.signal.addEventListener('abort', () => {
      throw new Error('from a listener');
    });
    Object.assign(this.task.signal, {
      onabort() {
        throw new Error('from onabort');
      },
    });
    Work.gate.open();
    await new Promise((_, reject) => {
      this.task.signal.addEventListener('abort', () => reject(this.task.signal.reason as Error));
    });
  }

  @Task()
  async careless(): Promise<string> {
    void this.task.progress(Number.NaN);
    void this.task.progress(1n as never);
    void this.task.log('a line', 'no level' as never);
    return 'goes on';
  }
}

/** The end of a task is told as it was, whatever throws around its method. */
describeEachEngine('the outcome of a task', (engine) => {
  let booted: Booted;
  let work: Tasks<Work>;

  beforeAll(async () => {
    booted = await boot({ ...(await engine.place()), abandonedAfter: '20s' }, [Work]);
    work = booted.queue.of(Work);
  });
  afterAll(() => booted.app.close());
  beforeEach(() => {
    Work.runs = 0;
    Work.gate = new Gate();
    Work.reported = new Gate();
  });

  it('is the error of the method when giveUpOn throws, after the retries of its declaration', async () => {
    const handle = await work.undecided.enqueue();
    await expect(handle.result({ timeout: '10s' })).rejects.toThrow('connect ECONNREFUSED');
    expect(Work.runs).toBe(3);
  });

  it.each([
    ['a chain', () => chain(work.load.signature(), work.single.signature())],
    ['a group after a step', () => chain(work.load.signature(), group([work.single.signature()]))],
    ['the callback of a chord', () => chord([work.load.signature()], work.single.signature(1).immutable())],
    ['onSuccess', () => work.load.signature().onSuccess(work.single.signature())],
    ['onError', () => work.load.signature().onError(work.single.signature(1).immutable())],
  ])('is no question for a unique task in %s, which is refused at enqueue', async (_, signature) => {
    await expect((signature() as ReturnType<typeof work.load.signature>).enqueue()).rejects.toMatchObject({
      code: 'CONFIGURATION',
      message: expect.stringContaining('"Work.single" is unique, so it cannot be part of a workflow'),
    });
    expect(Work.runs).toBe(0);
  });

  it('is the error of the method when giveUpOn returns a promise, and its rejection ends no process', async () => {
    const handle = await work.undecidedLater.enqueue();
    await expect(handle.result({ timeout: '10s' })).rejects.toThrow('connect ECONNREFUSED');
    expect(Work.runs).toBe(3);
  });

  it('is a failure at once when a task wants to become a unique task', async () => {
    const handle = await work.becomeSingle.enqueue();
    await expect(handle.result({ timeout: '10s' })).rejects.toThrow('"Work.single" is unique');
    expect(Work.runs).toBe(1);
  });

  it('is the original error when a filter crashes', async () => {
    const handle = await work.filtered.enqueue();
    await expect(handle.result({ timeout: '10s' })).rejects.toThrow('insufficient funds');
  });

  it('names the fields that a ValidationPipe refused', async () => {
    const handle = await work.invite.enqueue({ email: 'nonsense' });
    await expect(handle.result({ timeout: '10s' })).rejects.toThrow('email must be an email');
    expect((await handle.status()).error?.message).toBe('email must be an email');
  });

  it('names the errors of an AggregateError', async () => {
    const handle = await work.manyErrors.enqueue();
    const message = 'no host answered: first host refused; second host refused';
    await expect(handle.result({ timeout: '10s' })).rejects.toThrow(message);
  });

  it('names the details of an exception inside an AggregateError', async () => {
    const handle = await work.refusedInside.enqueue();
    const message = 'one of three: Validation failed: {"errors":["no such month"]}';
    await expect(handle.result({ timeout: '10s' })).rejects.toThrow(message);
    expect((await handle.status()).error?.message).toBe(message);
  });

  it('is a failure also when the error cannot be read', async () => {
    const handle = await work.unreadable.enqueue();
    await expect(handle.result({ timeout: '10s' })).rejects.toThrow('a value that cannot be read');
  });

  it('is a timeout when a method returns after its timeout, because it blocked the event loop', async () => {
    const handle = await work.blocking.enqueue();
    await expect(handle.result({ timeout: '10s' })).rejects.toMatchObject({ cause: { code: 'TASK_TIMEOUT' } });
  });

  it('is changed by no report of a method that goes on after the end', async () => {
    const handle = await work.reportsOn.enqueue();
    await expect(handle.result({ timeout: '10s' })).rejects.toMatchObject({ cause: { code: 'TASK_TIMEOUT' } });
    const ended = await handle.status();
    Work.gate.open();
    await Work.reported.opened;
    expect(await handle.status()).toEqual(ended);
    expect(ended.progress).toBeNull();
  });

  it('is told by the attempt that runs, and by no earlier one that goes on', async () => {
    const handle = await work.overtaken.enqueue();
    await expect(handle.result({ timeout: '10s' })).resolves.toBe('second attempt');
    expect(await handle.status()).toMatchObject({ attempt: 2, progress: 'second attempt' });
    const lines = (await booted.app.get(TaskAdmin).logs(handle.id)).map(({ text }) => text);
    expect(lines).toEqual(['second attempt']);
  });

  it('is that of the second attempt, although the expiry time passed after the first', async () => {
    const handle = await work.onceMore.enqueue();
    await expect(handle.result({ timeout: '10s' })).resolves.toBe('started in time');
  });

  it('comes after one run with({ retries: 0 }), whatever the declaration says', async () => {
    const handle = await work.retried.with({ retries: 0 }).enqueue();
    await expect(handle.result({ timeout: '10s' })).rejects.toThrow('no');
    expect(Work.runs).toBe(1);
    expect(await handle.status()).toMatchObject({ attempt: 1, maxAttempts: 1 });
  });

  it('is a cancellation when listeners of the signal throw, and the worker goes on', async () => {
    const handle = await work.listening.enqueue();
    await Work.gate.opened;
    await handle.cancel('enough');
    await expect(handle.result({ timeout: '10s' })).rejects.toMatchObject({ code: 'TASK_CANCELLED' });
    await expect((await work.load.enqueue()).result({ timeout: '10s' })).resolves.toBe(1);
  });

  it('is a success when a report that nobody awaits cannot be stored', async () => {
    const unhandled = jest.fn();
    process.on('unhandledRejection', unhandled);
    const handle = await work.careless.enqueue();
    await expect(handle.result({ timeout: '10s' })).resolves.toBe('goes on');
    await until(async () => (await handle.status()).state === 'succeeded', 'the task succeeded');
    await new Promise(setImmediate);
    process.off('unhandledRejection', unhandled);
    // It would end the worker.
    expect(unhandled).not.toHaveBeenCalled();
  });
});
