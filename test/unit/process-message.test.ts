import { expect, it } from '@jest/globals';
import { readMessage, toMessage } from '../../lib/process-message.js';

it('a message between two processes of this package is read', () => {
  const message = { type: 'ready', memory: 5 };
  expect(readMessage(structuredClone(toMessage(message)))).toEqual(message);
});

it.each([
  'ready',
  '',
  null,
  undefined,
  5,
  true,
  [],
  ['ready'],
  {},
  { type: 'ready' },
  { type: 'ended', run: 1, outcome: { kind: 'succeeded' } },
  { 'nestjs-task-queue': null },
  { 'nestjs-task-queue': 'ready' },
  { 'nestjs-task-queue': {} },
])('%j of the application is not', (received) => {
  expect(readMessage(received)).toBeUndefined();
});
