import { Inject, Injectable } from '@nestjs/common';
import {
  chain,
  chord,
  group,
  InjectTasks,
  Task,
  TaskContext,
  type EnqueueOptions,
  type Signature,
  type TaskError,
  type Tasks,
} from 'nestjs-task-queue';
import { comparable, FAILED, type LinkRun } from './evaluate-shape.js';
import { STEPS, type Shape, type ShapeOptions } from './workflow-shapes.js';

export const SHAPE_LISTENER = Symbol('SHAPE_LISTENER');

/** Receives what the tasks of a random workflow do. */
export interface ShapeListener {
  /** Every task calls this first and waits for it. `run` tells the attempts of all tasks apart, but for items of a map. */
  started(run?: string): Promise<void>;
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

  /** Waits for the listener, which hears of each attempt of a task. */
  private started(): Promise<void> {
    return this.listener.started(`${this.task.name} ${this.task.id} ${this.task.attempt}`);
  }

  @Task()
  async give(value: unknown): Promise<unknown> {
    await this.started();
    return value;
  }

  @Task()
  async add(input: unknown, value: number): Promise<unknown> {
    await this.started();
    return STEPS.add(input, value);
  }

  @Task()
  async double(input: unknown): Promise<unknown> {
    await this.started();
    return STEPS.double(input);
  }

  @Task()
  async sum(input: unknown): Promise<unknown> {
    await this.started();
    return STEPS.sum(input);
  }

  @Task()
  async text(input: unknown): Promise<unknown> {
    await this.started();
    return STEPS.text(input);
  }

  @Task()
  async wrap(input: unknown): Promise<unknown> {
    await this.started();
    return STEPS.wrap(input);
  }

  @Task()
  async nothing(_input: unknown): Promise<unknown> {
    await this.started();
    return STEPS.nothing();
  }

  /** Succeeds in its second attempt. */
  @Task({ retries: 1, backoff: { type: 'fixed', delay: 10, jitter: 0 } })
  async flaky(input: unknown): Promise<unknown> {
    await this.started();
    if (this.task.attempt === 1) throw new Error('once');
    return input;
  }

  @Task()
  async fail(_input: unknown): Promise<unknown> {
    await this.started();
    throw new Error('on purpose');
  }

  /** An item of a map. Replaces itself for a negative value. */
  @Task()
  async item(value: number): Promise<number> {
    await this.listener.started();
    return value < 0 ? this.task.replaceWith(this.own.pair.signature(value, value)) : value * 2;
  }

  @Task()
  async pair(a: number, b: number): Promise<number> {
    await this.listener.started();
    return a + b;
  }

  /** Replaces itself by a workflow. */
  @Task()
  async become(input: unknown, shape: Shape): Promise<unknown> {
    await this.started();
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

  /** The last step of a workflow, for listeners that need to know its end. Its result is kept when those of the members are not. */
  @Task({ resultTtl: '1h' })
  async end(result: unknown): Promise<unknown> {
    await this.started();
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
      return tasks.item.map([...shape.values]);
    case 'chunks':
      return tasks.pair.chunks(
        shape.values.map((each): [number, number] => [each, each]),
        shape.size,
      );
    case 'become':
      return tasks.become.signature(shape.of);
    case 'with':
      return signatureOf(shape.of, tasks).with(optionsOf(shape.options));
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

function optionsOf({ delay, startIn, priority }: ShapeOptions): EnqueueOptions {
  return {
    ...(delay !== undefined && { delay }),
    ...(startIn !== undefined && { delay: new Date(Date.now() + startIn) }),
    ...(priority !== undefined && { priority }),
  };
}
