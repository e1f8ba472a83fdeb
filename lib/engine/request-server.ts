import { EngineUnavailableError } from '../errors.js';
import type { Json } from './json.js';
import type { AnswerRequest, RequestPort } from './ports/request-port.js';

/** Leads the requests of other processes to what answers them, which the application provides after the engine exists. */
export class RequestServer implements RequestPort {
  private answer: AnswerRequest | undefined;

  serveRequests(answer: AnswerRequest): void {
    this.answer = answer;
  }

  /** @throws EngineUnavailableError while the application still starts */
  async handle(request: Json): Promise<Json> {
    if (!this.answer) throw new EngineUnavailableError('The application still starts. Try again.');
    return this.answer(request);
  }
}
