import type { Json } from '../json.js';

/** Answers a request of another process. What it throws becomes the answer's error. */
export type AnswerRequest = (request: Json) => Promise<Json>;

/** Requests of processes that cannot open the store themselves. */
export interface RequestPort {
  /**
   * Answers the requests of other processes of the same user, until the engine closes. Only a store that one process alone can
   * open gets any: a folder of the embedded engine. Processes open every other store themselves.
   */
  serveRequests(answer: AnswerRequest): void;
}
