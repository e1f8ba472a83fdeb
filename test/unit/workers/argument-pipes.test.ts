import {
  Body,
  DefaultValuePipe,
  Injectable,
  ParseArrayPipe,
  ParseIntPipe,
  ParseUUIDPipe,
  StandardSchemaValidationPipe,
  UsePipes,
  ValidationPipe,
  type ArgumentMetadata,
  type PipeTransform,
} from '@nestjs/common';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Type } from 'class-transformer';
import { IsDate, IsEmail, IsInt } from 'class-validator';
import { Task, TaskArg } from 'nestjs-task-queue';
import { z } from 'zod';
import { ArgumentPipes } from '../../../lib/workers/enhancers/argument-pipes.js';
import { TaskHarness } from './task-harness.js';

class Letter {
  @IsEmail()
  to!: string;

  @Type(() => Date)
  @IsDate()
  sendAt!: Date;
}

class Row {
  @IsInt()
  amount!: number;
}

class OwnError extends Error {
  override readonly name = 'OwnError';
}

@Injectable()
class Prefix {
  readonly value = 'injected';
}

@Injectable()
class PrefixPipe implements PipeTransform {
  constructor(private readonly prefix: Prefix) {}

  transform(value: unknown, { metatype, type }: ArgumentMetadata): string {
    return `${this.prefix.value} ${metatype?.name} ${type} ${String(value)}`;
  }
}

const validate = new ValidationPipe({ transform: true });
const calls: unknown[][] = [];

@Injectable()
class Mailing {
  @Task()
  @UsePipes(validate)
  send(letter: Letter, copies: number): string {
    calls.push([letter, copies]);
    return `${letter.constructor.name} ${letter.sendAt.constructor.name} ${typeof copies}`;
  }

  @Task()
  close(@TaskArg(ParseUUIDPipe) account: string, @TaskArg(new ParseArrayPipe({ items: Row })) rows: Row[]): number {
    calls.push([account, rows]);
    return rows.length;
  }

  @Task()
  @UsePipes(PrefixPipe)
  prefixed(text: string, flag: boolean): string[] {
    return [text, String(flag)];
  }

  @Task()
  route(@Body('n', ParseIntPipe) n: number): number {
    return n;
  }

  @Task()
  missing(@TaskArg(new DefaultValuePipe('none')) a: string, b?: string, ...rest: string[]): unknown[] {
    return [a, b === undefined, rest.length];
  }

  @Task()
  @UsePipes(new ValidationPipe({ exceptionFactory: () => new OwnError('own') }))
  ownError(row: Row): void {
    calls.push([row]);
  }

  @Task()
  schema(
    @Body({ schema: z.object({ n: z.number() }), pipes: [new StandardSchemaValidationPipe()] }) value: { n: number },
  ): number {
    return value.n;
  }
}

describe('the pipes of a task', () => {
  let tasks: TaskHarness;
  const warnings: unknown[] = [];
  beforeAll(async () => {
    const logger = { error: () => undefined, log: () => undefined, warn: (text: unknown) => warnings.push(text) };
    tasks = await TaskHarness.start({ providers: [Mailing, Prefix], logger });
  });
  afterAll(() => tasks.close());

  it('give the method the values that a ValidationPipe makes of each declared type', async () => {
    const letter = { to: 'a@example.com', sendAt: new Date() };
    await expect(tasks.result('Mailing.send', letter, 3)).resolves.toBe('Letter Date number');
    expect(warnings).toEqual([]);
  });

  it.each<[string, string, unknown[], string]>([
    ['a DTO that is not valid', 'Mailing.send', [{ to: 'nobody', sendAt: '2026-01-01' }, 1], 'BadRequestException'],
    ['a missing DTO', 'Mailing.send', [], 'BadRequestException'],
    ['an argument that the pipe of one parameter refuses', 'Mailing.close', ['7', []], 'BadRequestException'],
    [
      'one bad element of a list',
      'Mailing.close',
      ['9c858901-8a57-4791-81fe-4c455b099bc9', [{ amount: 1 }, { amount: 'two' }]],
      'BadRequestException',
    ],
    ['an argument that a schema refuses', 'Mailing.schema', [{ n: 'x' }], 'BadRequestException'],
    [
      'an argument for which the exceptionFactory returns an own error',
      'Mailing.ownError',
      [{ amount: 'x' }],
      'OwnError',
    ],
  ])('make the task fail without another attempt: %s', async (_, name, args, error) => {
    calls.length = 0;
    const outcome = await tasks.run(name, args, { options: { attempts: 5 } });
    expect(outcome).toMatchObject({ kind: 'failed', failure: { name: error } });
    expect(calls).toEqual([]);
  });

  it('run for their own parameter alone', async () => {
    const account = '9c858901-8a57-4791-81fe-4c455b099bc9';
    await expect(tasks.result('Mailing.close', account, [{ amount: 1 }, { amount: 2 }])).resolves.toBe(2);
  });

  it('get the declared type, as for a body, and are created by Nest', async () => {
    await expect(tasks.result('Mailing.prefixed', 'x', true)).resolves.toEqual([
      'injected String body x',
      'injected Boolean body true',
    ]);
  });

  it('run for the task when they are bound to a parameter of a route', async () => {
    await expect(tasks.result('Mailing.route', '42')).resolves.toBe(42);
    await expect(tasks.result('Mailing.schema', { n: 1 })).resolves.toBe(1);
  });

  it('may return a default for a missing argument, and add no further arguments', async () => {
    await expect(tasks.result('Mailing.missing')).resolves.toEqual(['none', true, 0]);
    await expect(tasks.result('Mailing.missing', 'a', 'b', 'c', 'd')).resolves.toEqual(['a', false, 2]);
  });

  it('check every argument of a rest parameter, with the type of the last declared parameter', async () => {
    const pipes = new ArgumentPipes([validate], [{ metatype: Row, pipes: [], schema: undefined }], true);
    await expect(pipes.apply([{ amount: 1 }, { amount: 2 }], () => undefined)).resolves.toHaveLength(2);
    await expect(pipes.apply([{ amount: 1 }, { amount: 'two' }], () => undefined)).rejects.toThrow('Bad Request');
  });

  it.each([
    ['with types', true],
    ['without types', false],
  ])('cause no warning for a method without parameters, compiled %s', async (_, hasTypes) => {
    class Base {
      run(): string {
        return 'ran';
      }
    }
    class Derived extends Base {
      override run(): string {
        return 'derived';
      }
    }
    if (hasTypes) Reflect.defineMetadata('design:paramtypes', [], Base.prototype, 'run');
    UsePipes(validate)(Base.prototype, 'run', Object.getOwnPropertyDescriptor(Base.prototype, 'run')!);
    Task()(Base.prototype, 'run', Object.getOwnPropertyDescriptor(Base.prototype, 'run')!);
    const logged: unknown[] = [];
    const logger = { error: () => undefined, log: () => undefined, warn: (text: unknown) => logged.push(text) };
    const providers = hasTypes ? [Base, Derived] : [Base];
    await (await TaskHarness.start({ providers, logger })).close();
    expect(logged).toEqual([]);
  });
  it('cause a warning when the compiler left no types to validate against', async () => {
    class Untyped {
      run(row: Row): Row {
        return row;
      }
    }
    UsePipes(validate)(Untyped.prototype, 'run', Object.getOwnPropertyDescriptor(Untyped.prototype, 'run')!);
    Task()(Untyped.prototype, 'run', Object.getOwnPropertyDescriptor(Untyped.prototype, 'run')!);
    const logged: unknown[] = [];
    const logger = { error: () => undefined, log: () => undefined, warn: (text: unknown) => logged.push(text) };
    await (await TaskHarness.start({ providers: [Untyped], logger })).close();
    expect(logged).toEqual([expect.stringMatching(/Untyped\.run.*emitDecoratorMetadata/s)]);
  });
});
