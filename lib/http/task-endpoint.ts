import type { HttpAdapterHost } from '@nestjs/core';
import { TaskNotFoundError } from '../errors.js';
import { isFinal, type TaskRecord } from '../engine/task.js';
import type { TaskResults } from '../results/task-results.js';
import type { AccessCheck } from './access-check.js';
import type { ClientConnections } from './client-connections.js';
import type { EventStreams } from './event-streams.js';
import { HttpExchange } from './http-exchange.js';
import type { HeldRequests, Responder } from './held-requests.js';
import type { HttpRequest, ResolvedHttpOptions } from './http-options.js';
import { problemOf } from './problem-details.js';
import { isKnown, prefersEvents } from './request-preferences.js';
import type { TaskView } from './task-view.js';

/** Seconds after which a client may poll a task again: the value of `Retry-After`. */
export const POLL_AGAIN_AFTER = '1';

export interface TaskEndpointDeps {
  readonly results: TaskResults;
  readonly access: AccessCheck;
  readonly view: TaskView;
  readonly connections: ClientConnections;
  readonly streams: EventStreams;
  readonly requests: HeldRequests;
  readonly adapterHost: HttpAdapterHost;
  readonly options: false | ResolvedHttpOptions;
}

/**
 * Implements `GET /tasks/:id` and `DELETE /tasks/:id`. The endpoint sends refusals itself, so that no filter of the
 * application changes them.
 */
export class TaskEndpoint {
  constructor(private readonly deps: TaskEndpointDeps) {}

  /** Sends the status at once, when the task is final, or at every change, as the request asks. */
  get(request: HttpRequest, response: unknown): Promise<void> {
    return this.serve(request, response, async (exchange, options) => {
      const record = await this.findAuthorized(exchange);
      // An interceptor of the application has answered meanwhile, or the client has disconnected.
      if (exchange.isOver) return;
      exchange.vary('Accept');
      if (prefersEvents(exchange.header('accept')) && !exchange.isHead) return this.deps.streams.open(exchange, record);
      const wait = exchange.waitPreference(options.longestWait);
      const headers: Record<string, string> = wait?.applied ? { 'Preference-Applied': wait.applied } : {};
      if (!wait || wait.milliseconds === 0 || isFinal(record.state)) {
        const known = await this.deps.results.withBlock(record);
        return exchange.isOver ? undefined : this.answer(exchange, known, headers);
      }
      this.answerOnceFinal(exchange, record, wait.milliseconds, headers);
    });
  }

  /** Requests the cancellation of a task. Answers 202, or 200 when nothing is left to cancel. */
  cancel(request: HttpRequest, response: unknown): Promise<void> {
    return this.serve(request, response, async (exchange) => {
      const record = await this.findAuthorized(exchange);
      const wasFinal = isFinal(record.state);
      const updated = wasFinal ? record : await this.deps.results.cancel(record.id);
      if (!updated) throw new TaskNotFoundError(record.id);
      // The task may also have ended in another way while the cancellation was under way.
      const tooLate = wasFinal || (isFinal(updated.state) && updated.state !== 'cancelled');
      exchange.answer({
        status: tooLate ? 200 : 202,
        headers: {
          'Content-Type': 'application/json; charset=utf-8',
          'Cache-Control': 'no-store',
          ...(!isFinal(updated.state) && { 'Retry-After': POLL_AGAIN_AFTER }),
        },
        body: this.deps.view.of(updated).json,
      });
    });
  }

  private async serve(
    request: HttpRequest,
    response: unknown,
    respond: (exchange: HttpExchange, options: ResolvedHttpOptions) => Promise<void>,
  ): Promise<void> {
    const { adapterHost, connections, options } = this.deps;
    const exchange = new HttpExchange(adapterHost.httpAdapter, request, response);
    connections.add(exchange);
    try {
      if (!options) throw new TaskNotFoundError(exchange.id);
      await respond(exchange, options);
    } catch (error) {
      this.refuse(exchange, error);
    }
    connections.checkWaiting(exchange);
  }

  /** @throws TaskNotFoundError for an unknown id, and also for a task that this request may not see */
  private async findAuthorized(exchange: HttpExchange): Promise<TaskRecord> {
    const { id, request } = exchange;
    const record = await this.deps.results.find(id);
    if (!record) throw new TaskNotFoundError(id);
    if (!(await this.deps.access.maySee(request, record))) throw new TaskNotFoundError(id);
    return record;
  }

  private answerOnceFinal(
    exchange: HttpExchange,
    record: TaskRecord,
    timeout: number,
    headers: Readonly<Record<string, string>>,
  ): void {
    let latest = record;
    const responder: Responder = {
      send: (changed) => {
        latest = changed;
        if (isFinal(changed.state)) this.answer(exchange, changed, headers);
      },
      finish: (error) => {
        if (error instanceof TaskNotFoundError) return this.refuse(exchange, error);
        if (error !== undefined && !problemOf(error)) throw error;
        // The time is up, or the application closes: `Retry-After` asks the client to poll again.
        this.answer(exchange, latest, headers);
      },
    };
    const { requests } = this.deps;
    requests.checkLimits(exchange);
    exchange.detach();
    requests.keepOpen(exchange, record.id, responder, timeout);
  }

  private answer(exchange: HttpExchange, record: TaskRecord, extraHeaders: Readonly<Record<string, string>>): void {
    const { json, version, final } = this.deps.view.of(record);
    const headers = {
      // The tag is weak, because proxies may compress the body. `private`: another client may not be allowed to see it.
      ETag: `W/"${version}"`,
      'Cache-Control': 'private, no-cache',
      ...(!final && { 'Retry-After': POLL_AGAIN_AFTER }),
      ...extraHeaders,
    };
    if (isKnown(exchange.header('if-none-match'), version)) return exchange.answer({ status: 304, headers });
    exchange.answer({
      status: 200,
      headers: { ...headers, 'Content-Type': 'application/json; charset=utf-8' },
      body: json,
    });
  }

  /** @throws the error itself when it is a fault and no refusal; Nest then answers 500 and logs it */
  private refuse(exchange: HttpExchange, error: unknown): void {
    const problem = problemOf(error);
    if (!problem) throw error;
    exchange.answer({ status: problem.body.status, headers: problem.headers, body: JSON.stringify(problem.body) });
  }
}
