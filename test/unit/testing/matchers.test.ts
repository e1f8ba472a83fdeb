import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { Task, TaskQueue, TaskQueueModule } from 'nestjs-task-queue';
import { TaskTesting } from 'nestjs-task-queue/testing';
import { taskMatchers, type TaskMatchers } from 'nestjs-task-queue/testing/matchers';

declare module 'expect' {
  interface Matchers<R, T> extends TaskMatchers<R> {}
}

@Injectable()
class MailTasks {
  @Task()
  async welcome(_user: number): Promise<void> {}
}

let moduleRef: TestingModule;
beforeAll(async () => {
  expect.extend(taskMatchers);
  const builder = Test.createTestingModule({ imports: [TaskQueueModule.forRoot()], providers: [MailTasks] });
  moduleRef = await TaskTesting.configure(builder).compile();
  await moduleRef.get(TaskQueue).of(MailTasks).welcome.enqueue(17);
});
afterAll(() => moduleRef.close());

it('toHaveEnqueued() checks as expectEnqueued() does', () => {
  const tasks = moduleRef.get(TaskTesting);
  expect(tasks).toHaveEnqueued(MailTasks);
  expect(tasks).toHaveEnqueued(MailTasks, 'welcome');
  expect(tasks).toHaveEnqueued(MailTasks, 'welcome', [17]);
  expect(tasks).not.toHaveEnqueued(MailTasks, 'welcome', [18]);
  expect(() => expect(tasks).toHaveEnqueued(MailTasks, 'welcome', [18])).toThrow('args[0]: expected 18, enqueued 17');
  expect(() => expect(tasks).not.toHaveEnqueued(MailTasks, 'welcome')).toThrow('Expected not to be enqueued');
  expect(() => expect(1).toHaveEnqueued(MailTasks)).toThrow('takes the TaskTesting');
});
