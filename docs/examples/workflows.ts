// Each example of docs/workflows.md in a function of its own, so that the compiler checks it. test/contract/canvas-guide.test.ts runs them.
/* eslint-disable no-unused-vars, no-shadow -- the examples are those of the page, each by itself */
import { Injectable } from '@nestjs/common';
import { chain, chord, group, InjectTasks, Task, TaskContext, TaskQueue, type Tasks } from 'nestjs-task-queue';
import { GuideTasks } from '../../test/support/guide-tasks.js';

const range = (length: number) => Array.from({ length }, (_, index) => index);

export function examples(taskQueue: TaskQueue) {
  const { add, mul, xsum, raising, resetBuffers, logResult, logError } = taskQueue.of(GuideTasks);
  const { createUser, importContacts, sendWelcomeEmail, importContact, notifyComplete } = taskQueue.of(GuideTasks);
  const contacts = ['ann', 'bob'];
  const pairs = range(30).map((index): [number, number] => [index, index]);
  const members = [add.signature(1, 1), add.signature(2, 2)];
  const job = group(members);
  const signature = add.signature(2, 2);
  const whole = () => chord(members, xsum.signature()).enqueue();
  return [
    async () => {
      add.signature(2, 2).with({ delay: '10s' });
    },
    async () => {
      taskQueue.of('tasks.add').signature(2, 2);
    },
    async () => {
      const partial = add.signature(2);
      await partial.enqueue(4);
      await partial.with({ delay: '1s' }).enqueue(5);
    },
    async () => {
      await add.signature(2, 2).onSuccess(resetBuffers.signature().immutable()).enqueue();
    },
    async () => {
      await add.signature(2, 2).onSuccess(add.signature(8)).enqueue();
    },
    async () => {
      const handle = await chain(add.signature(2, 2), add.signature(4), add.signature(8)).enqueue();
      await handle.result(); // 16
    },
    async () => {
      const [first, second, third] = [add.signature(2, 2), add.signature(4, 4), add.signature(8, 8)];
      const handle = await chain(first, second.immutable(), third.immutable()).enqueue();
      const [four, eight, sixteen] = await handle.children();
      await eight?.result(); // 8
    },
    async () => {
      await group(range(10).map((i) => add.signature(i, i))).enqueue();
    },
    async () => {
      await chord(
        range(10).map((i) => add.signature(i, i)),
        xsum.signature(),
      ).enqueue();
    },
    async () => {
      await chord(
        contacts.map((contact) => importContact.signature(contact)),
        notifyComplete.signature(7).immutable(),
      ).enqueue();
    },
    async () => {
      const c1 = chain(add.signature(4), mul.signature(8));
      await (await c1.enqueue(16)).result(); // 160
    },
    async () => {
      const c2 = chain(add.signature(4, 16), mul.signature(2), chain(add.signature(4), mul.signature(8)));
    },
    async () => {
      const c3 = chain(group(range(10).map((i) => add.signature(i, i))), xsum.signature());
    },
    async () => {
      const newUser = chain(createUser.signature(), group([importContacts.signature(), sendWelcomeEmail.signature()]));
      await newUser.enqueue({ username: 'ann', email: 'ann@example.com' });
    },
    async () => {
      chain(add.signature(4, 4), group(range(10).map((i) => add.signature(i, i).immutable())));
    },
    async () => {
      const handle = await chain(add.signature(2, 2), mul.signature(16)).enqueue();
      const [first, second] = await handle.children();
      await second?.result(); // 64
    },
    async () => {
      add.signature(2, 2).onSuccess(mul.signature(4)).onSuccess(logResult.signature());
    },
    async () => {
      await add.signature(2, 2).onError(logError.signature()).enqueue();
    },
    async () => {
      await chain(add.signature(2, 2), raising.signature().immutable(), mul.signature(8))
        .onError(logError.signature())
        .enqueue();
    },
    async () => {
      const handle = await chain(add.signature(4, 4), mul.signature(8), mul.signature(10)).enqueue();
      const steps = await handle.children();
      await Promise.all(steps.map((step) => step.result())); // [8, 64, 640]
    },
    async () => {
      const handle = await whole();
      const [header, callback] = await handle.children(); // of a chord
      const members = await header?.children();
    },
    async () => {
      group([add.signature(2, 2), add.signature(4, 4)]);
    },
    async () => {
      group([add.signature(2, 2), add.signature(4, 4)]).onSuccess(logResult.signature());
    },
    async () => {
      group([add.signature(2, 2), raising.signature()]).onError(logError.signature());
    },
    async () => {
      const handle = await job.enqueue();
      const { state, progress } = await handle.status(); // progress: { current: 2, total: 3 }
      const states = (await handle.children()).map(({ state }) => state);
      await handle.result();
    },
    async () => {
      const handle = await whole();
      await handle.cancel('not needed any more');
    },
    async () => {
      group([group([add.signature(1, 1), add.signature(2, 2)]), group([add.signature(3, 3)])]);
    },
    async () => {
      await chord(
        range(100).map((i) => add.signature(i, i)),
        xsum.signature(),
      ).enqueue();
    },
    async () => {
      await (
        await chord([add.signature(4, 4), raising.signature(), add.signature(8, 8)], xsum.signature()).enqueue()
      ).result();
      // WorkflowFailedError: `member` has the id and the task, `position` is 1, `cause` is the error
    },
    async () => {
      chord(members, xsum.signature().onError(logError.signature()));
    },
    async () => {
      group([add.signature(4, 4), raising.signature(), add.signature(8, 8)], { onFailure: 'collect' });
      // [{ ok: true, value: 8 }, { ok: false, error: { name, message } }, { ok: true, value: 16 }]
    },
    async () => {
      xsum.map([range(10), range(100)]);
    },
    async () => {
      add.starmap(range(10).map((i) => [i, i]));
    },
    async () => {
      await add
        .starmap(range(10).map((i) => [i, i]))
        .with({ delay: '10s' })
        .enqueue();
    },
    async () => {
      await add
        .chunks(
          range(100).map((i) => [i, i]),
          10,
        )
        .enqueue();
    },
    async () => {
      const parts = range(3).map((i) => add.starmap(pairs.slice(10 * i, 10 * i + 10)).with({ delay: `${i + 1}s` }));
      await group(parts).enqueue();
    },
    async () => {
      signature.with({ headers: { import: '7' } });
    },
  ];
}

@Injectable()
export class Delegate {
  constructor(
    private readonly task: TaskContext,
    @InjectTasks(GuideTasks) private readonly tasks: Tasks<GuideTasks>,
  ) {}

  @Task()
  async run(): Promise<number> {
    return this.task.replaceWith(this.tasks.add.signature(2, 2));
  }
}
