import type { IQueueBackend } from 'bullmq';

type TakingBackend = Pick<IQueueBackend, 'moveToActive'>;

/** What is done around each request of a worker for a job. */
export interface TakingStep {
  /** Called before the request. */
  readonly asks?: () => void;
  /** @returns the answer, or another in its place */
  readonly taken?: (next: unknown[]) => unknown[];
  /** @throws the error of the request, or another in its place */
  readonly failed?: (error: unknown) => never | Promise<never>;
}

/** The steps of each function that stands for `moveToActive`. */
const stepsOf = new WeakMap<TakingBackend['moveToActive'], TakingStep[]>();

/**
 * Does a step around each request of a worker for a job, outside of the steps that were added before. All steps that are added in a row
 * share one promise: a worker asks before each job, and an idle one starts its job sooner with fewer promises.
 */
export function aroundTaking(backend: TakingBackend, step: TakingStep): void {
  const known = stepsOf.get(backend.moveToActive);
  if (known) {
    known.push(step);
    return;
  }
  const steps = [step];
  const moveToActive = backend.moveToActive.bind(backend);
  const taken = (next: unknown[]): unknown[] => {
    let answer = next;
    for (const one of steps) answer = one.taken?.(answer) ?? answer;
    return answer;
  };
  const failed = async (error: unknown): Promise<never> => {
    let thrown = error;
    for (const one of steps) {
      try {
        await one.failed?.(thrown);
      } catch (other) {
        thrown = other;
      }
    }
    throw thrown;
  };
  backend.moveToActive = (token, name) => {
    for (const one of steps) one.asks?.();
    return moveToActive(token, name).then(taken, failed);
  };
  stepsOf.set(backend.moveToActive, steps);
}
