import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { defineTask, TaskQueue } from 'nestjs-task-queue';
import { describeEachEngine } from '../support/engines.js';
import { childEnvironment } from '../support/isolated-children.js';
import { AppModule, LaterTasks, PerRun, Posters, Renderer } from '../support/isolated-corners.js';

childEnvironment();

describeEachEngine('isolated tasks of an application with forRootAsync()', (engine) => {
  let app: INestApplicationContext;
  let queue: TaskQueue;

  beforeAll(async () => {
    process.env['CORNERS'] = JSON.stringify(await engine.place());
    app = await NestFactory.createApplicationContext(AppModule, { logger: false, abortOnError: false });
    queue = app.get(TaskQueue);
  }, 60_000);
  afterAll(async () => {
    await app.close();
    delete process.env['CORNERS'];
  });

  it('run what a factory returns for an abstract class, with the guard of the overridden method', async () => {
    const { render } = queue.of(Renderer);
    const handle = await render.with({ headers: { user: 'anna' } }).enqueue(7);
    expect(await handle.result({ timeout: '25s' })).toEqual({ drawn: 'page 7!', pid: expect.any(Number) });
    expect((await handle.result()).pid).not.toBe(process.pid);
    await expect((await render.enqueue(7)).result({ timeout: '25s' })).rejects.toMatchObject({
      cause: { name: 'ForbiddenException' },
    });
  });

  it('have a new instance of a request-scoped provider for each run', async () => {
    const handles = await queue.of(PerRun).instance.enqueueMany([[], []]);
    const runs = await Promise.all(handles.map((handle) => handle.result({ timeout: '25s' })));
    expect(new Set(runs.map(({ number }) => number)).size).toBe(2);
    expect(runs.map(({ id }) => id)).toEqual(handles.map(({ id }) => id));
  });

  it('run what waits under an earlier name of their task', async () => {
    const earlier = defineTask<Posters['print']>('OldPosters.print', { queue: 'corners' });
    for (const producer of [queue.of(earlier), queue.of(Posters).print]) {
      const handle = await producer.enqueue('circus');
      expect(await handle.result({ timeout: '25s' })).toEqual({ title: 'circus', pid: expect.any(Number) });
      expect((await handle.result()).pid).not.toBe(process.pid);
    }
  });

  it('run in a module that the application loads at its start', async () => {
    const handle = await queue.of(LaterTasks).place.enqueue();
    expect(await handle.result({ timeout: '25s' })).not.toBe(process.pid);
  });
});
