import { HttpException, Logger } from '@nestjs/common';
import type { HttpAdapterHost } from '@nestjs/core';
import { TaskNotFoundError } from '../errors.js';
import { isFinal, type TaskRecord } from '../engine/task.js';
import type { TaskResults } from '../results/task-results.js';
import { toStatus } from '../results/task-status.js';
import type { EventStreams } from './event-streams.js';
import { HttpExchange } from './http-exchange.js';
import type { Answering, HeldRequests } from './held-requests.js';
import type { HttpRequest, ResolvedHttpOptions } from './http-options.js';
import { problemOf } from './problem-details.js';
import { isKnown, prefersEvents } from './request-preferences.js';
import type { TaskView } from './task-view.js';

/** Seconds after which asking again is worth while. */
export const ASK_AGAIN_AFTER = '1';

export interface TaskEndpointDeps {
  readonly results: TaskResults;
  readonly view: TaskView;
  readonly streams: EventStreams;
  readonly requests: HeldRequests;
  readonly adapterHost: HttpAdapterHost;
  readonly options: false | ResolvedHttpOptions;
}

/** What `GET /tasks/:id` and `DELETE /tasks/:id` do. Refusals are answered here, so no filter of the app changes them. */
export class TaskEndpoint {
  private readonly logger = new Logger('TaskQueue');

  constructor(private readonly deps: TaskEndpointDeps) {}

  /** The status at once, once it is final, or at every change, as the request asks. */
  get(request: HttpRequest, response: unknown): Promise<void> {
    return this.serve(request, response, async (exchange, options) => {
      const record = await this.admit(exchange, options);
      // An interceptor of the app has answered meanwhile, or the client is gone.
      if (exchange.isOver) return;
      exchange.vary('Accept');
      if (prefersEvents(exchange.header('accept')) && !exchange.isHead) return this.deps.streams.open(exchange, record);
      const wait = exchange.waitPreference(options.longestWait);
      const headers: Record<string, string> = wait?.applied ? { 'Preference-Applied': wait.applied } : {};
      if (!wait || wait.milliseconds === 0 || isFinal(record.state)) return this.answer(exchange, record, headers);
      this.answerOnceFinal(exchange, record, wait.milliseconds, headers);
    });
  }

  /** Asks for cancellation: 202, or 200 when there was nothing left to cancel. */
  cancel(request: HttpRequest, response: unknown): Promise<void> {
    return this.serve(request, response, async (exchange, options) => {
      const record = await this.admit(exchange, options);
      const wasFinal = isFinal(record.state);
      const after = wasFinal ? record : await this.deps.results.cancel(record.id);
      if (!after) throw new TaskNotFoundError(record.id);
      // It may also have ended otherwise while it was being asked about.
      const tooLate = wasFinal || (isFinal(after.state) && after.state !== 'cancelled');
      exchange.answer({
        status: tooLate ? 200 : 202,
        headers: {
          'Content-Type': 'application/json; charset=utf-8',
          'Cache-Control': 'no-store',
          ...(!isFinal(after.state) && { 'Retry-After': ASK_AGAIN_AFTER }),
        },
        body: this.deps.view.of(after).json,
      });
    });
  }

  private async serve(
    request: HttpRequest,
    response: unknown,
    work: (exchange: HttpExchange, options: ResolvedHttpOptions) => Promise<void>,
  ): Promise<void> {
    const { adapterHost, options } = this.deps;
    const exchange = new HttpExchange(adapterHost.httpAdapter, request, response);
    try {
      if (!options) throw new TaskNotFoundError(exchange.id);
      await work(exchange, options);
    } catch (error) {
      this.refuse(exchange, error);
    }
  }

  /** @throws TaskNotFoundError for what is unknown, and just the same for what this request may not see */
  private async admit(exchange: HttpExchange, { authorize }: ResolvedHttpOptions): Promise<TaskRecord> {
    const { id, request } = exchange;
    const record = await this.deps.results.find(id);
    if (!record) throw new TaskNotFoundError(id);
    if (!authorize) return record;
    let allowed: boolean;
    try {
      allowed = await authorize(request, toStatus(record), record.headers);
    } catch (error) {
      // An HttpException is a way of saying no; anything else is a fault that nobody would see otherwise.
      if (!(error instanceof HttpException))
        this.logger.error(`http.authorize failed for task ${id}`, errorText(error));
      throw new TaskNotFoundError(id);
    }
    if (!allowed) throw new TaskNotFoundError(id);
    return record;
  }

  private answerOnceFinal(
    exchange: HttpExchange,
    record: TaskRecord,
    timeout: number,
    headers: Readonly<Record<string, string>>,
  ): void {
    let latest = record;
    const answering: Answering = {
      show: (changed) => {
        latest = changed;
        if (isFinal(changed.state)) this.answer(exchange, changed, headers);
      },
      finish: (error) => {
        if (error instanceof TaskNotFoundError) return this.refuse(exchange, error);
        if (error !== undefined && !problemOf(error)) throw error;
        // `Retry-After` says to come again.
        this.answer(exchange, latest, headers);
      },
    };
    this.deps.requests.hold(exchange.detach(), record.id, answering, timeout);
  }

  private answer(exchange: HttpExchange, record: TaskRecord, more: Readonly<Record<string, string>>): void {
    const { json, version, final } = this.deps.view.of(record);
    const headers = {
      // Weak, for proxies may compress what they pass on. `private`: whoever asks next may not be allowed to see it.
      ETag: `W/"${version}"`,
      'Cache-Control': 'private, no-cache',
      ...(!final && { 'Retry-After': ASK_AGAIN_AFTER }),
      ...more,
    };
    if (isKnown(exchange.header('if-none-match'), version)) return exchange.answer({ status: 304, headers });
    exchange.answer({
      status: 200,
      headers: { ...headers, 'Content-Type': 'application/json; charset=utf-8' },
      body: json,
    });
  }

  /** @throws what is no refusal but a fault: Nest answers 500 and logs it */
  private refuse(exchange: HttpExchange, error: unknown): void {
    const problem = problemOf(error);
    if (!problem) throw error;
    exchange.answer({ status: problem.body.status, headers: problem.headers, body: JSON.stringify(problem.body) });
  }
}

function errorText(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
