import { afterEach, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { Task, TaskQueue, TaskQueueModule } from 'nestjs-task-queue';
import { TaskTesting, type TaskTestingMode } from 'nestjs-task-queue/testing';

@Injectable()
class Renderer {
  draw(page: number): string {
    return `page ${page}`;
  }
}

@Injectable()
class PageTasks {
  constructor(private readonly renderer: Renderer) {}

  @Task({ isolate: { memory: '512mb' } })
  render(page: number): { drawn: string; pid: number } {
    return { drawn: this.renderer.draw(page), pid: process.pid };
  }
}

const MODES: TaskTestingMode[] = ['manual', 'inline', 'workers'];
/** No child process could boot it. */
const isolation = { app: '/nowhere/app.module.js' };

let moduleRef: TestingModule | undefined;
afterEach(() => moduleRef?.close());

async function start(mode: TaskTestingMode, replaced: typeof Renderer | typeof PageTasks, double: object) {
  const builder = Test.createTestingModule({
    imports: [TaskQueueModule.forRoot({ isolation })],
    providers: [PageTasks, Renderer],
  });
  moduleRef = await TaskTesting.configure(builder.overrideProvider(replaced).useValue(double), { mode }).compile();
  await moduleRef.init();
  return { tasks: moduleRef.get(TaskTesting), queue: moduleRef.get(TaskQueue) };
}

it.each(MODES)(
  'an isolated task runs in the process of the test, with a provider that it replaces: %s',
  async (mode) => {
    const { tasks, queue } = await start(mode, Renderer, { draw: () => 'a double' });
    const handle = await queue.of(PageTasks).render.enqueue(7);
    if (mode === 'manual') await tasks.drain();
    expect(await handle.result()).toEqual({ drawn: 'a double', pid: process.pid });
    expect(await tasks.run(PageTasks, 'render', 7)).toMatchObject({ result: { drawn: 'a double', pid: process.pid } });
  },
);

it.each(MODES)('so does a class of isolated tasks that the test replaces: %s', async (mode) => {
  const { tasks, queue } = await start(mode, PageTasks, { render: (page: number) => `double ${page}` });
  const handle = await queue.of(PageTasks).render.enqueue(7);
  if (mode === 'manual') await tasks.drain();
  expect(await handle.result()).toBe('double 7');
});
