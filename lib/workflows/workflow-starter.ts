import type { Headers } from '../engine/task.js';
import { expiryDuties } from '../engine/duty-task.js';
import { toJson } from '../engine/json.js';
import { refuseTwoShards } from '../engine/shards/refuse-spanning-tree.js';
import type { Topology } from '../engine/shards/topology.js';
import { newTaskId, WORKFLOW_QUEUE } from '../engine/task-id.js';
import { TaskHandle } from '../results/task-handle.js';
import type { TaskResults } from '../results/task-results.js';
import type { TaskDefinition } from '../tasks/task-definition.js';
import { validateArguments } from '../tasks/validate-arguments.js';
import type { CallPlace, CallStores } from '../transactions/call-stores.js';
import { compilePlan, queueOf, refuseLoneTasks } from './compile-plan.js';
import { completePlan, completeTasks } from './complete-plan.js';
import { describePlan } from './describe-plan.js';
import { firstQueueOf, placedTasks, type Plan, type TaskPlan } from './plan.js';
import type { StartsWorkflows } from './running-apps.js';

/** The parts of the application that a workflow needs to start. */
export interface WorkflowStarterDeps {
  readonly stores: CallStores;
  readonly results: TaskResults;
  /** Bytes of JSON of the arguments of a task. */
  readonly maxPayload: number;
  readonly hasRateLimit: (queue: string) => boolean;
  readonly topology: Topology;
  /** The headers of the task that makes the call; empty outside of tasks. */
  readonly currentHeaders: () => Headers;
  /** The definition of a task, if this process declares it. */
  readonly definitionOf: (name: string) => TaskDefinition | undefined;
}

/** Checks the plan of a workflow, compiles it into a tree of tasks, and stores the tree. */
export class WorkflowStarter implements StartsWorkflows {
  readonly #deps: WorkflowStarterDeps;

  constructor(deps: WorkflowStarterDeps) {
    this.#deps = deps;
  }

  async start(partial: Plan, input: readonly unknown[] = [], place?: CallPlace): Promise<TaskHandle> {
    const { stores, results, currentHeaders, hasRateLimit, maxPayload, topology } = this.#deps;
    const { port, transaction } = place ? place(stores) : stores.ambient();
    const plan = input.length > 0 ? completePlan(partial, toJson(input[0], 'args[0]'), maxPayload) : partial;
    refuseLoneTasks(plan);
    refuseTwoShards(placedTasks([plan]), topology);
    await this.#validate(plan);
    await port.untilTimeKnown?.();
    const queue = firstQueueOf(plan) ?? WORKFLOW_QUEUE;
    const context = { headers: currentHeaders(), now: port.now(), queue, hasRateLimit, topology };
    const root = newTaskId(queueOf(plan, context));
    const tree = compilePlan(plan, root, { ...context, root });
    // Before the tree: a duty without its task does nothing, and a process may die in between.
    for (const duty of expiryDuties(tree, context.now, topology)) await port.enqueueTree(duty);
    const { id, deduplicated, state } = await port.enqueueTree(tree);
    const name = 'task' in plan ? tree.name : describePlan(plan);
    return new TaskHandle(results, { id, name, deduplicated, initialState: state, transaction });
  }

  /**
   * Checks complete arguments with the schemas of their tasks, as for every call. The arguments of the other tasks are
   * checked where the tasks run.
   *
   * @throws InvalidArgumentsError
   */
  async #validate(plan: Plan): Promise<void> {
    const complete = completeTasks(plan).flatMap((task) => {
      const definition = this.#deps.definitionOf(task.task);
      return definition?.schema ? [{ definition, task }] : [];
    });
    await Promise.all(
      complete.flatMap(({ definition, task }) =>
        (task.each ? (task.args as TaskPlan['args'][]) : [task.args]).map((args) =>
          validateArguments(definition, args),
        ),
      ),
    );
  }
}
