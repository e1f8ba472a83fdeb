import { Controller, Delete, Get, Headers, Post, Query } from '@nestjs/common';
import { describe, expect, test } from '@jest/globals';
import { z } from 'zod';
import type { ProducerDeps } from '../../lib/producers/task-producer.js';
import { TaskQueue } from '../../lib/producers/task-queue.js';
import { TaskResults } from '../../lib/results/task-results.js';
import { defineTask } from '../../lib/tasks/task-contract.js';
import { FakeEngine } from '../support/fake-engine.js';
import { storesOf } from '../support/stores-of.js';
import { platforms, startApp } from '../support/http-app.js';
import { request } from '../support/http-client.js';
import { ONE_SHARD } from '../../lib/engine/shards/topology.js';

const charge = defineTask<(cents: number) => void>('charge');
const welcome = defineTask<(email: string) => void>('welcome', {
  unique: { while: 'running', key: (email: string) => email },
});
const greet = defineTask<(user: { name: string }) => void>('greet', {
  unique: { while: 'running', key: (user: { name: string }) => user.name.trim() },
  schema: z.tuple([z.object({ name: z.string() })]),
});

@Controller('orders')
class OrdersController {
  constructor(private readonly queue: TaskQueue) {}

  @Post()
  charge(@Headers('idempotency-key') idempotencyKey: string, @Headers('x-user') idempotencyScope: string) {
    return this.queue.of(charge).with({ idempotencyKey, idempotencyScope }).enqueue(1);
  }

  @Post('welcome')
  welcome(@Query('email') email: string) {
    return this.queue.of(welcome).enqueue(email);
  }

  @Post('greet')
  greet() {
    return this.queue.of(greet).enqueue({} as { name: string });
  }

  @Post('headers')
  headers(@Query('name') name: string, @Query('value') value: string) {
    return this.queue
      .of(charge)
      .with({ headers: { [name]: value } })
      .enqueue(1);
  }

  @Get()
  status(@Query('id') id: string) {
    return this.queue.handle(id).status();
  }

  @Delete()
  cancel(@Query('id') id: string) {
    return this.queue.handle(id).cancel();
  }
}

function queueOn(engine: FakeEngine, results: TaskResults): TaskQueue {
  const deps: ProducerDeps = {
    stores: storesOf(engine),
    results,
    starter: { start: () => Promise.reject(new Error('The test starts no workflow.')) },
    maxPayload: 10_000,
    hasPriorities: () => false,
    topology: ONE_SHARD,
    currentHeaders: () => ({}),
  };
  return new TaskQueue(deps, {}, () => undefined);
}

describe.each(platforms)('texts of clients on %s', (platform) => {
  const engineOfTest = new FakeEngine();
  const long = 'x'.repeat(256);
  test.each<[string, number, string, string, Record<string, string>?]>([
    ['a key of 255 characters', 202, 'POST', '/orders', { 'Idempotency-Key': 'x'.repeat(255), 'X-User': 'ann' }],
    ['a key of 256 characters', 400, 'POST', '/orders', { 'Idempotency-Key': long, 'X-User': 'ann' }],
    ['an empty key', 400, 'POST', '/orders', { 'Idempotency-Key': '', 'X-User': 'ann' }],
    ['no key', 202, 'POST', '/orders', { 'X-User': 'ann' }],
    ['a scope of 256 characters', 400, 'POST', '/orders', { 'Idempotency-Key': 'k', 'X-User': long }],
    ['a unique value of 256 characters', 400, 'POST', `/orders/welcome?email=${long}`],
    ['a unique value with NUL', 400, 'POST', '/orders/welcome?email=%00'],
    ['a list in place of a unique value', 400, 'POST', '/orders/welcome?email=a&email=b'],
    ['arguments that the schema refuses and unique.key cannot read', 400, 'POST', '/orders/greet'],
    ['a task header with NUL', 400, 'POST', '/orders/headers?name=a&value=%00'],
    ['a name of a task header with NUL', 400, 'POST', '/orders/headers?name=%00&value=a'],
    ['a task header that is a list', 400, 'POST', '/orders/headers?name=a&value=a&value=b'],
    ['a task header that is missing', 400, 'POST', '/orders/headers?name=a'],
    ['no id', 404, 'GET', '/orders'],
    ['a list of ids', 404, 'GET', '/orders?id=a&id=b'],
    ['an id with NUL', 404, 'GET', '/orders?id=%00'],
    ['no id to cancel', 404, 'DELETE', '/orders'],
    ['a Last-Event-ID of any text', 200, 'GET', '/tasks/default.final', { 'Last-Event-ID': `\u00ff,${long}` }],
  ])('%s is answered with %d', async (_, expected, method, path, headers = {}) => {
    const { app, engine, url, log } = await startApp(platform, {
      controllers: [OrdersController],
      providers: [
        {
          provide: TaskQueue,
          inject: [TaskResults],
          useFactory: (results: TaskResults) => queueOn(engineOfTest, results),
        },
      ],
      engine: engineOfTest,
    });
    engine.add({ id: 'default.final', state: 'succeeded' });
    const accept = path.startsWith('/tasks') ? { Accept: 'text/event-stream' } : {};
    const { status, headers: answered } = await request(url, path, { method, headers: { ...accept, ...headers } });
    expect(status).toBe(expected);
    if (status >= 400) expect(answered['content-type']).toBe('application/problem+json; charset=utf-8');
    expect(log.errors).toEqual([]);
    await app.close();
  });
});
