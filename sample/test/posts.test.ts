/** How an application tests tasks that call another service: a fake of its interface, and no time to wait for. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { StandardSchemaValidationPipe } from '@nestjs/common';
import { APP_PIPE } from '@nestjs/core';
import { Test, type TestingModule } from '@nestjs/testing';
import { TaskQueueModule } from 'nestjs-task-queue';
import { TaskTesting } from 'nestjs-task-queue/testing';
import { Database } from '../src/database/database.js';
import { openSqliteDatabase } from '../src/database/open-database.js';
import { DatabaseModule } from '../src/database/database.module.js';
import { OutsideModule } from '../src/outside/outside.module.js';
import { Network, type Publication } from '../src/posts/network.js';
import { PostTasks } from '../src/posts/post.tasks.js';
import { PostsController } from '../src/posts/posts.controller.js';
import { PostsModule } from '../src/posts/posts.module.js';

/** Answers each call with the next of its answers, and with success once there are none. */
class FakeNetwork {
  readonly calls: Publication[] = [];
  readonly answers: Response[] = [];

  async join(): Promise<string> {
    return 'a secret';
  }

  async publish(publication: Publication): Promise<Response> {
    this.calls.push(publication);
    return this.answers.shift() ?? Response.json({ url: `https://network.example/${publication.key}` });
  }

  async messagesOf(): Promise<never[]> {
    return [];
  }
}

describe('posts', () => {
  let moduleRef: TestingModule;
  let tasks: TaskTesting;
  let posts: PostsController;
  let network: FakeNetwork;

  beforeEach(async () => {
    network = new FakeNetwork();
    const builder = Test.createTestingModule({
      imports: [TaskQueueModule.forRoot(), DatabaseModule, OutsideModule, PostsModule],
      providers: [{ provide: APP_PIPE, useClass: StandardSchemaValidationPipe }],
    })
      .overrideProvider(Database)
      .useValue(openSqliteDatabase(':memory:'))
      .overrideProvider(Network)
      .useValue(network);
    moduleRef = await TaskTesting.configure(builder, { transactions: 'hold' }).compile();
    tasks = moduleRef.get(TaskTesting);
    posts = moduleRef.get(PostsController);
    await posts.connect('ann', { name: 'Ann' });
  });
  afterEach(() => moduleRef.close());

  const list = async () => (await posts.list('ann')).posts;

  /** Saves a post, and commits what its transaction has enqueued. */
  async function save(text = 'Hello') {
    const handle = await posts.save('ann', { text });
    await tasks.commit();
    return handle;
  }

  it('a post is enqueued with its transaction, by its id and without the token', async () => {
    await posts.save('ann', { text: 'Hello' });
    tasks.expectNothingEnqueued();
    await tasks.commit();
    const [post] = await list();
    const call = tasks.expectEnqueued(PostTasks, 'publish', [post?.id ?? '']);
    expect(JSON.stringify(call)).not.toContain('a secret');
    expect(post).toMatchObject({ text: 'Hello', url: null, published_at: null, task: call.id });
  });

  it('the row gets the address of the message', async () => {
    const handle = await save();
    await tasks.drain();
    const [post] = await list();
    expect(post).toMatchObject({ url: await handle.result(), published_at: expect.any(String) });
  });

  it('a limit of calls postpones the task for as long as the network says, and uses up no attempt', async () => {
    network.answers.push(new Response(null, { status: 429, headers: { 'Retry-After': '7' } }));
    const handle = await save();
    await tasks.drain();
    expect(await handle.status()).toMatchObject({ progress: { wait: 'The network asked to come back in 7 s.' } });
    await tasks.advance('6s');
    await tasks.drain();
    expect(network.calls).toHaveLength(1);
    await tasks.advance('1s');
    await tasks.drain();
    expect(await handle.status()).toMatchObject({ state: 'succeeded', attempt: 1 });
  });

  it('a network that is out of order is called again', async () => {
    network.answers.push(new Response(null, { status: 503 }));
    const handle = await save();
    await tasks.drain();
    expect(await handle.status()).toMatchObject({ state: 'retrying', attempt: 1 });
    await tasks.advance('1s');
    await tasks.drain();
    expect(await handle.status()).toMatchObject({ state: 'succeeded', attempt: 2 });
  });

  it('a token that is no longer valid fails the task at once, and a new one cures it', async () => {
    network.answers.push(new Response(null, { status: 401 }));
    const handle = await save();
    await expect(tasks.drain()).rejects.toThrow('The network no longer accepts your token.');
    const [post] = await list();
    await posts.connect('ann', { name: 'Ann' });
    await posts.retry('ann', post?.id ?? '');
    await tasks.drain();
    expect(await handle.status()).toMatchObject({ state: 'succeeded' });
  });

  it('a task that runs twice, because its worker died, calls the network with the same key', async () => {
    await tasks.runTwice(await save());
    const [first, second] = network.calls;
    expect(network.calls).toHaveLength(2);
    expect(second?.key).toBe(first?.key);
  });

  it('nobody runs the task of another visitor again', async () => {
    await save();
    const [post] = await list();
    await expect(posts.retry('eve', post?.id ?? '')).rejects.toThrow('There is no such post.');
  });
});
