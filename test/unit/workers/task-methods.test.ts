import {
  Body,
  Controller,
  Get,
  Injectable,
  Param,
  ParseIntPipe,
  Post,
  UseGuards,
  UseInterceptors,
  ValidationPipe,
  type CallHandler,
  type CanActivate,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { IsInt } from 'class-validator';
import { Task } from 'nestjs-task-queue';
import { map, type Observable } from 'rxjs';
import request from 'supertest';
import type { App } from 'supertest/types.js';
import { TaskHarness } from './task-harness.js';

/** A decorator like those for transactions and caches: it replaces the method. */
function Wrapped(): MethodDecorator {
  return (_, __, descriptor: PropertyDescriptor) => {
    const method = descriptor.value as (...args: unknown[]) => unknown;
    descriptor.value = function wrapper(...args: unknown[]) {
      return `wrapped ${String(method.apply(this, args))}`;
    };
  };
}

class Guard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    guarded.push(`${context.getType()} ${context.getClass().name} ${context.getHandler().name}`);
    return true;
  }
}

class Marking implements NestInterceptor {
  intercept(_: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(map((value) => `intercepted ${String(value)}`));
  }
}

class Amount {
  @IsInt()
  cents!: number;
}

const guarded: string[] = [];

@Injectable()
class Orders {
  private readonly state = 'state';

  @Task()
  @Wrapped()
  above(text: string): string {
    return `${text} ${this.state}`;
  }

  @Wrapped()
  @Task()
  below(text: string): string {
    return `${text} ${this.state}`;
  }

  @UseGuards(Guard)
  @UseInterceptors(Marking)
  @Task()
  @Wrapped()
  enhanced(text: string): string {
    return `${text} ${this.state}`;
  }

  @Task()
  stack(): string {
    return new Error('for its stack').stack!;
  }
}

@Injectable()
@UseInterceptors(Marking)
class Inherited extends Orders {}

class Base {
  @Task()
  @UseGuards(Guard)
  run(text: string): string {
    return `base ${text}`;
  }

  @Task('base.other')
  @UseGuards(Guard)
  other(): string {
    return 'base';
  }
}

@Injectable()
class Overriding extends Base {
  override run(text: string): string {
    return `derived ${super.run(text)}`;
  }

  @Task('derived.other')
  @UseInterceptors(Marking)
  override other(): string {
    return 'derived';
  }
}

@Controller('payments')
@UseGuards(Guard)
class Payments {
  @Get(':id')
  @Task()
  find(@Param('id', ParseIntPipe) id: number, verbose?: boolean): unknown {
    return { id, verbose };
  }

  @Post()
  @Task()
  create(@Body(new ValidationPipe()) amount: Amount): unknown {
    return { cents: amount.cents };
  }
}

describe('methods that are tasks', () => {
  let tasks: TaskHarness;
  beforeEach(async () => {
    guarded.length = 0;
    tasks = await TaskHarness.start({
      providers: [Orders, { provide: 'derived', useClass: Inherited }, Overriding],
      controllers: [Payments],
    });
  });
  afterEach(() => tasks.close());

  it.each(['above', 'below'])('run as other decorators replaced them: %s', async (method) => {
    await expect(tasks.result(`Orders.${method}`, 'x')).resolves.toBe('wrapped x state');
    await expect(tasks.result(`Inherited.${method}`, 'x')).resolves.toBe('intercepted wrapped x state');
  });

  it('have their enhancers around the method as other decorators replaced it', async () => {
    await expect(tasks.result('Orders.enhanced', 'x')).resolves.toBe('intercepted wrapped x state');
    expect(guarded).toEqual(['task Orders wrapper']);
  });

  it('stay ordinary methods', () => {
    expect(tasks.app.get(Orders).enhanced('x')).toBe('wrapped x state');
    expect(guarded).toEqual([]);
  });

  it('can be replaced while the application runs', async () => {
    const orders = tasks.app.get(Orders);
    jest.spyOn(orders, 'above').mockReturnValue('mocked');
    jest.spyOn(orders, 'enhanced').mockReturnValue('mocked');
    await expect(tasks.result('Orders.above')).resolves.toBe('mocked');
    await expect(tasks.result('Orders.enhanced')).resolves.toBe('intercepted mocked');
  });

  it('are inherited with the enhancers of the method and of the derived class', async () => {
    await expect(tasks.result('Inherited.enhanced', 'x')).resolves.toBe('intercepted intercepted wrapped x state');
    expect(guarded).toEqual(['task Inherited wrapper']);
  });

  it('keep the enhancers of the base method when they are overridden', async () => {
    await expect(tasks.result('Overriding.run', 'x')).resolves.toBe('derived base x');
    expect(guarded).toEqual(['task Overriding run']);
  });

  it('have only their own enhancers when they are declared again', async () => {
    await expect(tasks.result('derived.other')).resolves.toBe('intercepted derived');
    expect(guarded).toEqual([]);
  });

  it('may be routes at the same time', async () => {
    const server = tasks.app.getHttpServer() as App;
    await request(server).get('/payments/7').expect(200, { id: 7 });
    await request(server).get('/payments/x').expect(400);
    await request(server).post('/payments').send({ cents: 5 }).expect(201, { cents: 5 });
    await request(server).post('/payments').send({ cents: 'five' }).expect(400);
    expect(new Set(guarded)).toEqual(new Set(['http Payments find', 'http Payments create']));
    guarded.length = 0;

    await expect(tasks.result('Payments.find', 7, true)).resolves.toEqual({ id: 7, verbose: true });
    await expect(tasks.run('Payments.find', ['x'], { options: { attempts: 3 } })).resolves.toMatchObject({
      kind: 'failed',
    });
    await expect(tasks.result('Payments.create', { cents: 5 })).resolves.toEqual({ cents: 5 });
    await expect(tasks.result('Payments.create', { cents: 'five' })).rejects.toMatchObject({
      name: 'BadRequestException',
    });
    expect(guarded[0]).toBe('task Payments find');
  });

  it('are called directly when they have no enhancers', async () => {
    const stack = (await tasks.result('Orders.stack')) as string;
    expect(stack).toContain('task-executor');
    expect(stack).not.toMatch(/EnhancedMethod|rxjs|@nestjs/);
    // The stack of a task with an interceptor does contain these names.
    expect(await tasks.result('Inherited.stack')).toMatch(/EnhancedMethod/);
  });
});
