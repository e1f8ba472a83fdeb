import type { Type } from '@nestjs/common';

/** The values of `TaskStatus.state`. */
const STATES = ['scheduled', 'queued', 'waiting', 'running', 'retrying', 'succeeded', 'failed', 'cancelled', 'expired'];

const TIME = { type: 'string', format: 'date-time', nullable: true };

const STATUS_SCHEMA = {
  type: 'object',
  required: ['id', 'name', 'queue', 'state', 'progress', 'result', 'error', 'attempt', 'maxAttempts', 'enqueuedAt'],
  properties: {
    id: { type: 'string' },
    name: { type: 'string', example: 'ReportTasks.build' },
    queue: { type: 'string', example: 'default' },
    state: { type: 'string', enum: STATES },
    progress: {
      nullable: true,
      description: 'The last progress report of the task: { current, total, message? }, or any JSON.',
    },
    result: { nullable: true, description: 'The return value of the task, once it succeeded.' },
    error: {
      type: 'object',
      nullable: true,
      required: ['name', 'message'],
      properties: { name: { type: 'string' }, message: { type: 'string' }, code: { type: 'string' } },
    },
    attempt: { type: 'integer', description: 'Number of the current or last attempt; 0 before the first.' },
    maxAttempts: { type: 'integer' },
    enqueuedAt: { type: 'string', format: 'date-time' },
    startedAt: TIME,
    finishedAt: TIME,
    blockedBy: {
      type: 'string',
      nullable: true,
      enum: ['paused', 'rate-limit', 'concurrency', 'key', 'no-worker', null],
      description: 'Why a queued task does not start; null when only the tasks before it keep it waiting.',
    },
    position: {
      type: 'integer',
      nullable: true,
      description: 'How many tasks start before a queued one. Only with the option http.details.',
    },
    estimatedStart: { ...TIME, description: 'Only with the option http.details.' },
    expiresAt: { ...TIME, description: 'The time at which the record of a final task is removed.' },
  },
};

const PROBLEM_SCHEMA = {
  type: 'object',
  required: ['type', 'title', 'status', 'detail', 'code'],
  properties: {
    type: { type: 'string', example: 'about:blank' },
    title: { type: 'string', example: 'Not Found' },
    status: { type: 'integer', example: 404 },
    detail: { type: 'string', example: 'There is no such task.' },
    code: { type: 'string', example: 'TASK_NOT_FOUND' },
  },
};

const TEXT = { type: 'string' };
const STATUS = { 'application/json': { schema: STATUS_SCHEMA } };
const PROBLEM = { 'application/problem+json': { schema: PROBLEM_SCHEMA } };
const RETRY_AFTER = { description: 'Seconds, while the task is not final.', schema: { type: 'integer' } };
const ID = { in: 'path', name: 'id', required: true, schema: TEXT };
const REFUSALS = {
  404: { description: 'The id is unknown or expired, or the request may not see the task.', content: PROBLEM },
  503: { description: 'Tasks cannot be reached at the moment.', content: PROBLEM },
};
const TRY_AGAIN_AFTER = { description: 'Seconds.', schema: { type: 'integer' } };
/** The refusals of requests that are held open. */
const HELD_REFUSALS = {
  429: {
    description: 'Too many requests of this client wait or receive events.',
    headers: { 'Retry-After': TRY_AGAIN_AFTER },
    content: PROBLEM,
  },
  503: {
    description: 'Tasks cannot be reached at the moment, or too many requests wait or receive events.',
    headers: { 'Retry-After': TRY_AGAIN_AFTER },
    content: PROBLEM,
  },
};

const GET = {
  apiOperation: {
    summary: 'The status of a task',
    description:
      'Answers at once. With `Prefer: wait=20` or `?wait=20`, answers as soon as the task is final, after at most 20 ' +
      'seconds. With `Accept: text/event-stream`, sends an event named `status` at every change.',
  },
  apiParameters: [
    ID,
    { in: 'query', name: 'wait', required: false, schema: { type: 'integer', minimum: 0, maximum: 60 } },
    { in: 'header', name: 'Prefer', required: false, schema: TEXT, example: 'wait=20' },
    { in: 'header', name: 'If-None-Match', required: false, schema: TEXT },
    { in: 'header', name: 'Last-Event-ID', required: false, schema: TEXT },
  ],
  apiResponse: {
    200: {
      description: 'The status.',
      headers: { ETag: { schema: TEXT }, 'Retry-After': RETRY_AFTER },
      content: { ...STATUS, 'text/event-stream': { schema: TEXT } },
    },
    204: { description: 'The event stream is over: the client has the final event.' },
    304: { description: 'The client has the current status.' },
    ...REFUSALS,
    ...HELD_REFUSALS,
  },
};

const CANCEL = {
  apiOperation: { summary: 'Cancel a task' },
  apiParameters: [ID],
  apiResponse: {
    200: { description: 'The task was final already.', content: STATUS },
    202: { description: 'The task is being cancelled.', headers: { 'Retry-After': RETRY_AFTER }, content: STATUS },
    ...REFUSALS,
  },
};

/**
 * Describes the controller for `@nestjs/swagger`: writes the metadata that the decorators of that package would write.
 * The decorators themselves are not used, because loading the package takes 200 ms. A process that builds no document,
 * such as a worker, would waste that time.
 */
export function documentTaskController(type: Type): void {
  Reflect.defineMetadata('swagger/apiUseTags', ['tasks'], type);
  describe(type, 'get', GET);
  describe(type, 'cancel', CANCEL);
}

function describe(type: Type, method: string, description: object): void {
  const { value } = Object.getOwnPropertyDescriptor(type.prototype, method) as { value: object };
  // Each controller gets a copy: the reader of the metadata may change it, and there may be several controllers.
  for (const [key, part] of Object.entries(structuredClone(description))) {
    Reflect.defineMetadata(`swagger/${key}`, part, value);
  }
}
