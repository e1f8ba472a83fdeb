import { Inject, Injectable } from '@nestjs/common';
import {
  chain,
  chord,
  group,
  InjectTasks,
  Task,
  TaskContext,
  type Signature,
  type TaskError,
  type Tasks,
} from 'nestjs-task-queue';
import { comparable, FAILED, type LinkRun } from './evaluate-shape.js';
import { STEPS, type Shape } from './workflow-shapes.js';

export const SHAPE_LISTENER = Symbol('SHAPE_LISTENER');

/** Receives what the tasks of a random workflow do. */
export interface ShapeListener {
  /** Every task calls this first and waits for it. */
  started(): Promise<void>;
  linked(id: string, link: LinkRun): void;
  /** The last step of a workflow has run, see {@link ShapeTasks.end}. */
  ended(id: string): void;
}

/** The tasks that random workflows are made of, see workflow-shapes.ts. */
@Injectable()
export class ShapeTasks {
  constructor(
    private readonly task: TaskContext,
    @InjectTasks(ShapeTasks) private readonly own: Tasks<ShapeTasks>,
    @Inject(SHAPE_LISTENER) private readonly listener: ShapeListener,
  ) {}

  @Task()
  async give(value: unknown): Promise<unknown> {
    await this.listener.started();
    return value;
  }

  @Task()
  async add(input: unknown, value: number): Promise<unknown> {
    await this.listener.started();
    return STEPS.add(input, value);
  }

  @Task()
  async double(input: unknown): Promise<unknown> {
    await this.listener.started();
    return STEPS.double(input);
  }

  @Task()
  async sum(input: unknown): Promise<unknown> {
    await this.listener.started();
    return STEPS.sum(input);
  }

  @Task()
  async text(input: unknown): Promise<unknown> {
    await this.listener.started();
    return STEPS.text(input);
  }

  @Task()
  async wrap(input: unknown): Promise<unknown> {
    await this.listener.started();
    return STEPS.wrap(input);
  }

  @Task()
  async nothing(_input: unknown): Promise<unknown> {
    await this.listener.started();
    return STEPS.nothing();
  }

  /** Succeeds in its second attempt. */
  @Task({ retries: 1, backoff: { type: 'fixed', delay: 10, jitter: 0 } })
  async flaky(input: unknown): Promise<unknown> {
    await this.listener.started();
    if (this.task.attempt === 1) throw new Error('once');
    return input;
  }

  @Task()
  async fail(_input: unknown): Promise<unknown> {
    await this.listener.started();
    throw new Error('on purpose');
  }

  /** Replaces itself by a workflow. */
  @Task()
  async become(input: unknown, shape: Shape): Promise<unknown> {
    await this.listener.started();
    return this.task.replaceWith(chain(this.own.give.signature(input), signatureOf(shape, this.own)));
  }

  @Task()
  async succeeded(result: unknown, tag: string): Promise<void> {
    this.listener.linked(this.task.id, { tag, value: comparable(result) });
  }

  @Task()
  async failed(_error: TaskError, tag: string): Promise<void> {
    this.listener.linked(this.task.id, { tag, value: FAILED });
  }

  /** The last step of a workflow, for listeners that need to know its end. */
  @Task()
  async end(result: unknown): Promise<unknown> {
    await this.listener.started();
    this.listener.ended(this.task.id);
    return result;
  }
}

/** The workflow that a shape describes. */
export function signatureOf(shape: Shape, tasks: Tasks<ShapeTasks>): Signature {
  const all = (some: readonly Shape[]) => some.map((each) => signatureOf(each, tasks));
  switch (shape.kind) {
    case 'add':
      return tasks.add.signature(shape.value);
    case 'immutable':
      return tasks.add.signature(shape.value, shape.value).immutable();
    case 'map':
      return tasks.double.map([...shape.values]);
    case 'chunks':
      return tasks.add.chunks(
        shape.values.map((each): [number, number] => [each, each]),
        shape.size,
      );
    case 'become':
      return tasks.become.signature(shape.of);
    case 'linked':
      return signatureOf(shape.of, tasks)
        .onSuccess(tasks.succeeded.signature(shape.tag))
        .onError(tasks.failed.signature(shape.tag));
    case 'chain':
      return (chain as (...steps: Signature[]) => Signature)(...all(shape.steps));
    case 'group':
      return shape.collect ? group(all(shape.members), { onFailure: 'collect' }) : group(all(shape.members));
    case 'chord':
      return chord(group(all(shape.members)) as Signature, signatureOf(shape.callback, tasks));
    default:
      return tasks[shape.kind].signature();
  }
}
