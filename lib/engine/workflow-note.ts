import type { Headers } from './headers.js';
import type { Json } from './json.js';

/**
 * What a workflow stores with each of its tasks, beside the call. `workflows/` writes it, `results/` reads from it how far
 * a workflow is, and an engine stores it as it is. Plans of tasks that come later are JSON here; `workflows/plan.ts`
 * turns them back into plans.
 */
export interface WorkflowNote {
  /** The first member of the task is the step before it. */
  readonly after?: true;
  /** The result of the step before becomes the first argument. */
  readonly piped?: true;
  /** The arguments are a list of argument lists: the method runs once for each (`map`, `starmap`, `chunks`). */
  readonly each?: true;
  /** What is known of each list of arguments, in order; `null` for those that run again. Absent before one is special. */
  readonly items?: readonly (ItemState | null)[];
  /** The attempts that the task used up as a part of another task. */
  readonly tried?: number;
  /** The place of the task in its chain, 0 for the first. Absent on the first step and outside of chains. */
  readonly step?: number;
  /** The task is the last of its chain, so its result is the result of the chain. */
  readonly last?: true;
  /** The task gathers the results of a group. */
  readonly group?: {
    readonly onFailure?: 'collect';
    /** Plans of members that are stored once the step before has a result. */
    readonly later?: readonly Json[];
  };
  /**
   * When the task may start after its members have ended: milliseconds from then, or a time. The engine's own delay would
   * also delay the failure of a member.
   */
  readonly delay?: number | { readonly at: number };
  /** The priority of tasks that follow a group and have none of their own. */
  readonly priority?: number;
  /** The task was replaced by another, which is its last member. */
  readonly replaced?: true;
  /** Plans that are enqueued with the result once the task succeeded. */
  readonly onSuccess?: readonly Json[];
  /** Plans that are enqueued with the error once the task failed. */
  readonly onError?: readonly Json[];
  /** The task calls no method: it does something that another task of a workflow left behind when it ended. */
  readonly duty?: Duty;
  /** What became of a call that is not stored under its own id. The task is stored to be found; see call-answer.ts. */
  readonly answer?: CallAnswer;
}

/** The result of one list of arguments, or the place of the member that gives the result. */
export type ItemState = { readonly value: Json } | { readonly member: number };

/** What is left to do for a task that has ended, in whatever process and for whatever reason. */
export interface Duty {
  /**
   * Enqueue its `onSuccess` or `onError`, cancel its members that have not ended, or fail the tasks that fail because of it, when no
   * worker takes them. `expiry`: report that the task, or a member of it, has expired, when no worker takes it. `run again`: run the
   * task again whose cancelled run has ended, when its worker died before it did so.
   */
  readonly kind: 'callbacks' | 'cancel members' | 'fail wholes' | 'expiry' | 'run again';
  readonly id: string;
  /** Of an expiry: the time at which the task expires, or members of it do. Of another run: the time of the cancellation. */
  readonly at?: number;
  /** The members expire at this time, and not the task itself. Only of an expiry. */
  readonly ofMembers?: true;
  /** The task that fails because of this one. Only of a duty to fail wholes. */
  readonly whole?: string;
  /** See `TaskRecord.reruns`: another run may have another end. */
  readonly reruns: number;
  /** The priority of the callbacks that have none of their own. */
  readonly priority?: number;
  /**
   * The end that the task was about to have. It stands for the record when that is no longer stored: its time to live may be
   * short, and a caller may forget it or run the task again at once. Absent for members that are to be cancelled.
   */
  readonly end?: DutyEnd;
}

/** What callbacks need of the end of a task. */
export interface DutyEnd {
  readonly kind: 'succeeded' | 'failed';
  readonly name: string;
  readonly queue: string;
  readonly headers: Headers;
  /** The first argument of the callbacks: the result, or the error. */
  readonly input: Json;
  /** The plans of the callbacks of this end. */
  readonly callbacks: readonly Json[];
}

/** The name of the task that gathers the results of a group. People see it. No declared task has a name with a space. */
export const GROUP_TASK = 'group of tasks';
/** Its name in version 0.1.0. */
export const EARLIER_GROUP_TASK = '$group';

/** The names of the tasks that do duties, for logs. */
export const DUTY_TASKS: Readonly<Record<Duty['kind'], string>> = {
  callbacks: 'workflow callbacks',
  'cancel members': 'workflow cancellation',
  'fail wholes': 'workflow failure',
  expiry: 'workflow expiry',
  'run again': 'task retry',
};

const DUTY_NAMES: ReadonlySet<string> = new Set(Object.values(DUTY_TASKS));

/** Whether this is the name of a task that does a duty. */
export function isDutyTask(name: string): boolean {
  return DUTY_NAMES.has(name);
}

/**
 * What became of a call that is not stored under its own id: the caller got the id before the engine was asked, and an
 * earlier task has the same key. The answer is a task of the package with an id of its own, derived from that of the call.
 * So every engine can store it, it is removed as any task is, and a process of an earlier version does it no harm.
 */
export interface CallAnswer {
  readonly name: string;
  readonly queue: string;
  /** The time of the answer. */
  readonly at: number;
  /** The earlier task, which stands for the call. */
  readonly task?: string;
  /** The call was refused. */
  readonly failure?: {
    readonly name: string;
    readonly message: string;
    readonly code?: string;
    readonly exposable?: boolean;
  };
}
