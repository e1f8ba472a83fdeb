import { STEPS, type Shape } from './workflow-shapes.js';

/** One run of a link: the task that follows a workflow. */
export interface LinkRun {
  readonly tag: string;
  /** The result as {@link comparable} returns it, or `FAILED`. */
  readonly value: unknown;
}

/** The expected end of a workflow. */
export interface Expected {
  readonly result: { readonly ok: true; readonly value: unknown } | { readonly ok: false };
  /** Each link runs exactly once. */
  readonly links: readonly LinkRun[];
  /** `false` when the links depend on timing: beside a member that fails, the other members may run or may not. */
  readonly knowsLinks: boolean;
}

/** Replaces every error, because its message contains ids, and because either of two members may fail first. */
export const FAILED = 'failed';

/** Computes the result of a workflow in plain JavaScript. */
export function evaluate(shape: Shape, input: unknown): Expected {
  const evaluation = new Evaluation();
  let result: Expected['result'];
  try {
    result = { ok: true, value: comparable(evaluation.run(shape, input)) };
  } catch {
    result = { ok: false };
  }
  return { result, links: evaluation.links, knowsLinks: evaluation.knowsLinks };
}

/** Makes two results comparable: sorts the keys, and replaces each collected error by `FAILED`. */
export function comparable(result: unknown): unknown {
  if (Array.isArray(result)) return result.map(comparable);
  if (typeof result !== 'object' || result === null) return result;
  if ('ok' in result && result.ok === false) return { ok: false, error: FAILED };
  const entries = Object.entries(result).toSorted(([a], [b]) => a.localeCompare(b));
  return Object.fromEntries(entries.map(([key, each]) => [key, comparable(each)]));
}

class Evaluation {
  readonly links: LinkRun[] = [];
  knowsLinks = true;

  run(shape: Shape, input: unknown): unknown {
    switch (shape.kind) {
      case 'add':
        return asJson(STEPS.add(input, shape.value));
      case 'immutable':
        return shape.value + shape.value;
      case 'flaky':
        return input;
      case 'fail':
        throw new Error('on purpose');
      case 'map':
        return shape.values.map((each) => asJson(each * 2));
      case 'chunks':
        return chunked(shape.values, shape.size).map((chunk) => chunk.map((each) => each + each));
      case 'become':
      case 'with':
        return this.run(shape.of, input);
      case 'linked':
        return this.linked(shape, input);
      case 'chain':
        return this.sequence(shape.steps, input);
      case 'group':
        return this.group(shape.members, shape.collect, input);
      case 'chord':
        return this.sequence([{ kind: 'group', members: shape.members, collect: false }, shape.callback], input);
      default:
        return asJson(STEPS[shape.kind](input));
    }
  }

  private linked({ of, tag }: Extract<Shape, { kind: 'linked' }>, input: unknown): unknown {
    try {
      const result = this.run(of, input);
      this.links.push({ tag, value: comparable(result) });
      return result;
    } catch (error) {
      this.links.push({ tag, value: FAILED });
      throw error;
    }
  }

  private sequence(steps: readonly Shape[], input: unknown): unknown {
    let result = input;
    for (const [index, step] of steps.entries()) {
      try {
        result = this.run(step, result);
      } catch (error) {
        for (const later of steps.slice(index + 1)) this.cannotRun(later);
        throw error;
      }
    }
    return result;
  }

  private group(members: readonly Shape[], collect: boolean, input: unknown): unknown {
    return members.map((member) => {
      try {
        const value = this.run(member, input);
        return collect ? { ok: true, value } : value;
      } catch (error) {
        if (collect) return { ok: false, error: {} };
        if (members.length > 1) this.knowsLinks = false;
        throw error;
      }
    });
  }

  /** Records the links of a step that cannot run: when a step fails, the later steps fail too, and their links run. */
  private cannotRun(shape: Shape): void {
    if (shape.kind === 'chord') this.cannotRun(shape.callback);
    if (shape.kind === 'chain') for (const step of shape.steps) this.cannotRun(step);
    if (shape.kind === 'with') this.cannotRun(shape.of);
    if (shape.kind !== 'linked') return;
    this.links.push({ tag: shape.tag, value: FAILED });
    this.cannotRun(shape.of);
  }
}

/**
 * The value as the store returns it.
 *
 * @throws Error when JSON has no form for it
 */
function asJson(result: unknown): unknown {
  if (typeof result === 'number' && !Number.isFinite(result)) throw new Error('Not JSON.');
  return JSON.parse(JSON.stringify(result));
}

function chunked<T>(list: readonly T[], size: number): T[][] {
  return list.flatMap((_, index) => (index % size === 0 ? [list.slice(index, index + size)] : []));
}
