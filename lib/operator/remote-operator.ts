import type { Json } from '../engine/json.js';
import type { AnswerRequest } from '../engine/ports/request-port.js';
import { ConfigurationError } from '../errors.js';
import { isOperation, operatorOf, type Operator } from './operations.js';

/** An operator whose operations run in the process that answers the requests. */
export function remoteOperator(ask: (request: Json) => Promise<Json>): Operator {
  return operatorOf((operation, args) => ask({ operation, args: args as Json[] }));
}

/** Answers the requests of {@link remoteOperator}. Nothing but an operation can be asked for. */
export function answerOperations(operator: Operator): AnswerRequest {
  return async (request) => {
    const { operation, args } = (request ?? {}) as { operation?: unknown; args?: unknown };
    if (!isOperation(operation) || !Array.isArray(args)) {
      throw new ConfigurationError(
        `The process that has opened the folder does not know the command ${JSON.stringify(operation)?.slice(0, 60)}: it runs ` +
          'another version of this package. Use the command line of the same version.',
      );
    }
    const run = operator[operation] as (...args: readonly unknown[]) => Promise<Json | undefined>;
    return (await run(...(args as readonly unknown[]))) ?? null;
  };
}
