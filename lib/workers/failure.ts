import { HttpException } from '@nestjs/common';
import { inspect, types } from 'node:util';
import type { TaskFailure } from '../engine/task.js';
import { readable } from '../thrown-text.js';

/** Longer messages and stacks are cut: each task stores them, and each caller that reads the task receives them. */
const LONGEST_MESSAGE = 4_096;
const LONGEST_STACK = 16_384;
/** Errors inside one error whose stacks are kept: its cause, the cause of that, the errors of an AggregateError. */
const INNER_ERRORS_KEPT = 5;
/** Errors of an AggregateError whose messages become part of its message. */
const MESSAGES_JOINED = 100;
/** Levels of errors inside errors whose messages become part of the message. */
const INNER_LEVELS = 2;

const UNREADABLE = 'The task threw a value that cannot be read: one of its properties throws.';

/**
 * Makes the stored form of a thrown value. The value may be anything: an error, also of another realm, a string,
 * `undefined`, an object whose properties throw when they are read. It never throws itself, and a property that cannot be
 * read hides none of the others.
 *
 * The message says what was wrong, also where an error keeps that elsewhere: the response of an `HttpException` (the
 * fields that a `ValidationPipe` refused) and the errors of an `AggregateError`. The stack contains the causes.
 */
export function toFailure(thrown: unknown): TaskFailure {
  try {
    return isErrorLike(thrown) ? failureOfError(thrown) : failureOfValue(thrown);
  } catch {
    return { name: 'Error', message: UNREADABLE };
  }
}

function failureOfError(error: Error): TaskFailure {
  const name = textIn(() => error.name) || 'Error';
  const code = codeOf(error);
  const stack = readable(() => stackOf(error));
  return {
    name: cut(name, 200),
    message: cut(readable(() => messageOf(error)) ?? ownMessage(error) ?? UNREADABLE, LONGEST_MESSAGE) || name,
    ...(typeof code === 'string' || typeof code === 'number' ? { code: cut(String(code), 200) } : {}),
    ...(error instanceof HttpException && { exposable: true }),
    ...(stack !== undefined && { stack: cut(stack, LONGEST_STACK) }),
  };
}

/** The code of an error; else the one that Nest's exceptions take as the option `errorCode`. */
function codeOf(error: Error): unknown {
  const code = readable(() => (error as { code?: unknown }).code);
  if (code !== undefined || !(error instanceof HttpException)) return code;
  return readable(() => (error as { errorCode?: unknown }).errorCode);
}

function failureOfValue(thrown: unknown): TaskFailure {
  const message = typeof thrown === 'string' && thrown !== '' ? thrown : `${inspect(thrown, { depth: 2 })} was thrown`;
  return { name: 'Error', message: cut(message, LONGEST_MESSAGE) };
}

/** What was wrong, also where an error keeps it outside of its own message. @param depth levels of errors inside errors */
function messageOf(error: Error, depth = INNER_LEVELS): string | undefined {
  const body = bodyOf(error);
  if (body !== undefined) return messageOfBody(body) ?? ownMessage(error);
  const inner = depth > 0 ? aggregated(error) : [];
  if (inner.length === 0) return ownMessage(error);
  const texts = inner
    .slice(0, MESSAGES_JOINED)
    .map((one) => readable(() => messageOfInner(one, depth - 1)) ?? UNREADABLE);
  const more = inner.length > MESSAGES_JOINED ? [`and ${inner.length - MESSAGES_JOINED} more`] : [];
  return `${ownMessage(error) || `${inner.length} errors`}: ${[...texts, ...more].join('; ')}`;
}

function messageOfInner(inner: unknown, depth: number): string {
  if (!isErrorLike(inner)) return String(inner);
  const message = messageOf(inner, depth);
  // An error without a message has a name. One whose message cannot be read says so.
  return message === undefined ? UNREADABLE : message || textIn(() => inner.name) || UNREADABLE;
}

/** What an exception of Nest tells its caller; `undefined` for any other error. */
function bodyOf(error: Error): unknown {
  if (error instanceof HttpException) return error.getResponse();
  const { getError } = error as { getError?: unknown };
  const isOfOtherTransport = isA(error, 'RpcException') || isA(error, 'WsException');
  return isOfOtherTransport && typeof getError === 'function' ? (getError.call(error) as unknown) : undefined;
}

/** An application may assign something else than a text. `undefined` when the message cannot be read. */
function ownMessage(error: Error): string | undefined {
  return readable(() => {
    const message: unknown = error.message;
    return typeof message === 'string' ? message : inspect(message, { depth: 2 });
  });
}

/** What the body of an exception says: its message or messages and its other details, or the body as a whole. */
function messageOfBody(body: unknown): string | undefined {
  if (typeof body === 'string') return body;
  if (typeof body !== 'object' || body === null) return undefined;
  const { message, ...rest } = body as Readonly<Record<string, unknown>>;
  if (message === undefined) return jsonOf(body);
  const text = messagesOf(message);
  const details = detailsOf(rest);
  return details === undefined || !text ? text || details : `${text}: ${details}`;
}

function messagesOf(message: unknown): string | undefined {
  if (typeof message === 'string') return message;
  if (Array.isArray(message)) return message.map((one) => (typeof one === 'string' ? one : jsonOf(one))).join('; ');
  return jsonOf(message);
}

/** The rest of a body as JSON, without what Nest itself adds: the status, its name, and the code, which a failure has by itself. */
function detailsOf({
  statusCode,
  error,
  errorCode: _code,
  ...details
}: Readonly<Record<string, unknown>>): string | undefined {
  const kept = {
    ...(error !== undefined && !(typeof error === 'string' && statusCode !== undefined) && { error }),
    ...details,
  };
  return Object.keys(kept).length > 0 ? jsonOf(kept) : undefined;
}

/** A body may contain what JSON cannot represent: a cycle, or a BigInt. */
function jsonOf(value: unknown): string | undefined {
  return readable(() => JSON.stringify(value)) ?? readable(() => inspect(value, { depth: 4 }));
}

/** The stack of an error, and those of the errors inside it. */
function stackOf(error: Error): string | undefined {
  if (typeof error.stack !== 'string') return undefined;
  const stacks = [error.stack];
  const seen = new Set<unknown>([error]);
  const pending = innerErrors(error);
  while (pending.length > 0 && stacks.length <= INNER_ERRORS_KEPT) {
    const inner = pending.shift();
    if (seen.has(inner)) continue;
    seen.add(inner);
    stacks.push(`Caused by: ${readable(() => stackOfInner(inner)) ?? UNREADABLE}`);
    if (isErrorLike(inner)) pending.push(...innerErrors(inner));
  }
  return stacks.join('\n');
}

function stackOfInner(inner: unknown): string {
  if (!isErrorLike(inner)) return inspect(inner, { depth: 2 });
  const message = messageOfInner(inner, 0);
  const stack = textIn(() => inner.stack);
  if (stack === '') return message;
  // A stack begins with the error's own message, which may be less than what was wrong.
  return stack.includes(message) ? stack : `${message}\n${stack}`;
}

function innerErrors(error: Error): unknown[] {
  const cause = readable(() => error.cause);
  return [...(cause === undefined || cause === null ? [] : [cause]), ...aggregated(error)];
}

/** The errors that an `AggregateError` or a `SuppressedError`, or a class derived from one of them, stands for. */
function aggregated(error: Error): readonly unknown[] {
  const inner = error as { readonly errors?: unknown; readonly error?: unknown; readonly suppressed?: unknown };
  if (isA(error, 'AggregateError')) {
    const errors = readable(() => inner.errors);
    return Array.isArray(errors) ? errors : [];
  }
  return isA(error, 'SuppressedError') ? [readable(() => inner.error), readable(() => inner.suppressed)] : [];
}

/** Also of another realm, and also where a library brings its own class. */
function isA(error: Error, type: string): boolean {
  if (textIn(() => error.name) === type) return true;
  for (let at: object | undefined = error; at; at = prototypeOf(at)) {
    if (nameOfClass(at) === type) return true;
  }
  return false;
}

function prototypeOf(object: object): object | undefined {
  return readable(() => Object.getPrototypeOf(object) as object | null) ?? undefined;
}

function nameOfClass(prototype: object): string | undefined {
  return readable(() => prototype.constructor.name);
}

/** Whether a value is an error, or says as much as one. */
function isErrorLike(thrown: unknown): thrown is Error {
  if (typeof thrown !== 'object' || thrown === null) return false;
  if (types.isNativeError(thrown)) return true;
  return (
    'message' in thrown && typeof thrown.message === 'string' && 'name' in thrown && typeof thrown.name === 'string'
  );
}

/** A text; empty when there is none, or when it cannot be read. */
function textIn(read: () => unknown): string {
  const text = readable(read);
  return typeof text === 'string' ? text : '';
}

function cut(text: string, length: number): string {
  if (text.length <= length) return text;
  // A cut through a pair of surrogates would leave half a character.
  return `${text.slice(0, length - 1).replace(/[\uD800-\uDBFF]$/, '')}…`;
}
