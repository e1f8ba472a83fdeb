import type { Engine } from '../engine/engine.js';
import type { Headers } from '../engine/task.js';
import { toJson } from '../engine/json.js';
import { newTaskId } from '../engine/task-id.js';
import { PayloadTooLargeError } from '../errors.js';
import { TaskHandle } from '../results/task-handle.js';
import type { TaskResults } from '../results/task-results.js';
import { DEFAULT_QUEUE, type TaskDefinition } from '../tasks/task-definition.js';
import { validateArguments } from '../tasks/validate-arguments.js';
import { compilePlan, refuseLoneTasks } from './compile-plan.js';
import { describePlan } from './describe-plan.js';
import { queueOf, stepsOf, tasksOf, withInput, type Plan, type TaskPlan } from './plan.js';
import type { StartsWorkflows } from './running-apps.js';

/** The parts of the application that a workflow needs to start. */
export interface WorkflowStarterDeps {
  readonly engine: Engine;
  readonly results: TaskResults;
  /** Bytes of JSON of the arguments of a task. */
  readonly maxPayload: number;
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

  async start(partial: Plan, input: readonly unknown[] = []): Promise<TaskHandle> {
    const { engine, results, currentHeaders } = this.#deps;
    const plan = input.length > 0 ? this.#complete(partial, input[0]) : partial;
    refuseLoneTasks(plan);
    await this.#validate(plan);
    const queue = queueOf(plan) ?? anyQueue(plan);
    const root = newTaskId(queue);
    const context = { headers: currentHeaders(), now: engine.now(), root, queue };
    const tree = compilePlan(plan, root, context);
    const { id, deduplicated, state } = await engine.enqueueTree(tree);
    const name = 'task' in plan ? tree.name : describePlan(plan);
    return new TaskHandle(results, { id, name, deduplicated, initialState: state });
  }

  /** The plan with the argument that it lacked. @throws NotSerializableError, PayloadTooLargeError */
  #complete(partial: Plan, input: unknown): Plan {
    const { maxPayload } = this.#deps;
    const plan = withInput(partial, toJson(input, 'args[0]'));
    for (const { task, args } of completeTasks(plan)) {
      const size = Buffer.byteLength(JSON.stringify(args));
      if (size > maxPayload) throw new PayloadTooLargeError(`The arguments of task "${task}"`, size, maxPayload);
    }
    return plan;
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

/** The tasks whose arguments are complete: they get no earlier result. */
function completeTasks(plan: Plan): TaskPlan[] {
  const [first, ...rest] = stepsOf(plan);
  const later = rest.flatMap((step) => [...tasksOf(step)]).filter(({ immutable, each }) => immutable || each);
  if (!first) return later;
  return [...('group' in first ? first.group.flatMap(completeTasks) : [first]), ...later];
}

function anyQueue(plan: Plan): string {
  for (const { queue } of tasksOf(plan)) return queue;
  return DEFAULT_QUEUE;
}
