import { EngineUnavailableError } from '../errors.js';
import { withRefusal } from './refusal.js';

/** The error of a call to an engine that was closed. @param what names the call */
export function closedError(what: string, cause?: Error): EngineUnavailableError {
  const error = new EngineUnavailableError(`${what}: the application closes or is closed.`, cause && { cause });
  return withRefusal(error, 'closed');
}
