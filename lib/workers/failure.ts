import { HttpException } from '@nestjs/common';
import { inspect } from 'node:util';
import type { TaskFailure } from '../engine/task.js';

/** Longer messages and stacks are cut: each task stores them, and each caller that reads the task receives them. */
const LONGEST_MESSAGE = 4_096;
const LONGEST_STACK = 16_384;

/**
 * Makes the stored form of a thrown value. The value may be anything: an error, also of another realm, a string,
 * `undefined`.
 */
export function toFailure(thrown: unknown): TaskFailure {
  if (!isErrorLike(thrown)) {
    const message = typeof thrown === 'string' ? thrown : `${inspect(thrown, { depth: 2 })} was thrown`;
    return { name: 'Error', message: cut(message, LONGEST_MESSAGE) };
  }
  const { code, stack } = thrown as { code?: unknown; stack?: unknown };
  return {
    name: cut(thrown.name || 'Error', 200),
    message: cut(thrown.message || thrown.name, LONGEST_MESSAGE),
    ...(typeof code === 'string' || typeof code === 'number' ? { code: cut(String(code), 200) } : {}),
    ...(thrown instanceof HttpException && { exposable: true }),
    ...(typeof stack === 'string' && { stack: cut(stack, LONGEST_STACK) }),
  };
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
