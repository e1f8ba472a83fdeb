import { HttpException } from '@nestjs/common';
import { inspect } from 'node:util';
import type { TaskFailure } from '../engine/task.js';

/** Longer messages and stacks are cut: each task stores them, and each caller that reads the task receives them. */
const LONGEST_MESSAGE = 4_096;
const LONGEST_STACK = 16_384;
/** Errors inside one error whose stacks are kept: its cause, the cause of that, the errors of an AggregateError. */
const INNER_ERRORS_KEPT = 5;

/**
 * Makes the stored form of a thrown value. The value may be anything: an error, also of another realm, a string,
 * `undefined`, an object whose properties throw when they are read. It never throws itself.
 *
 * The message says what was wrong, also where an error keeps that elsewhere: the response of an `HttpException` (the
 * fields that a `ValidationPipe` refused) and the errors of an `AggregateError`. The stack contains the causes.
 */
export function toFailure(thrown: unknown): TaskFailure {
  try {
    return isErrorLike(thrown) ? failureOfError(thrown) : failureOfValue(thrown);
  } catch {
    return { name: 'Error', message: 'The task threw a value that cannot be read: one of its properties throws.' };
  }
}

function failureOfError(error: Error): TaskFailure {
  const { code } = error as { code?: unknown };
  const stack = stackOf(error);
  return {
    name: cut(error.name || 'Error', 200),
    message: cut(messageOf(error) || error.name || 'Error', LONGEST_MESSAGE),
    ...(typeof code === 'string' || typeof code === 'number' ? { code: cut(String(code), 200) } : {}),
    ...(error instanceof HttpException && { exposable: true }),
    ...(stack !== undefined && { stack: cut(stack, LONGEST_STACK) }),
  };
}

function failureOfValue(thrown: unknown): TaskFailure {
  const message = typeof thrown === 'string' && thrown !== '' ? thrown : `${inspect(thrown, { depth: 2 })} was thrown`;
  return { name: 'Error', message: cut(message, LONGEST_MESSAGE) };
}

function messageOf(error: Error): string {
  if (error instanceof HttpException) return messageOfResponse(error.getResponse()) ?? error.message;
  const inner = aggregated(error);
  if (inner.length === 0) return error.message;
  const texts = inner.map((one) => (isErrorLike(one) ? one.message : String(one)));
  return `${error.message || `${inner.length} errors`}: ${texts.join('; ')}`;
}

/** What the body of an HTTP error says: its message or messages, else the body itself. */
function messageOfResponse(response: unknown): string | undefined {
  if (typeof response === 'string') return response;
  if (typeof response !== 'object' || response === null) return undefined;
  const { message } = response as { message?: unknown };
  if (typeof message === 'string') return message;
  if (Array.isArray(message))
    return message.map((one) => (typeof one === 'string' ? one : JSON.stringify(one))).join('; ');
  return JSON.stringify(message ?? response);
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
    stacks.push(`Caused by: ${isErrorLike(inner) ? (inner.stack ?? inner.message) : inspect(inner, { depth: 2 })}`);
    if (isErrorLike(inner)) pending.push(...innerErrors(inner));
  }
  return stacks.join('\n');
}

function innerErrors(error: Error): unknown[] {
  return [...(error.cause === undefined || error.cause === null ? [] : [error.cause]), ...aggregated(error)];
}

function aggregated(error: Error): readonly unknown[] {
  const { errors } = error as { errors?: unknown };
  return error.name === 'AggregateError' && Array.isArray(errors) ? errors : [];
}

function isErrorLike(thrown: unknown): thrown is Error {
  return (
    typeof thrown === 'object' &&
    thrown !== null &&
    'message' in thrown &&
    typeof thrown.message === 'string' &&
    'name' in thrown &&
    typeof thrown.name === 'string'
  );
}

function cut(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text;
}
