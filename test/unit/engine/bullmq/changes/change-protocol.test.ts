import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  changeMessages,
  FIRST_POLL,
  JUST_STORED,
  readChangeMessage,
  readRequest,
  RECENT_CHANGES,
  SLOWEST_POLL,
  WATCH_REQUEST_LIFE,
  watchRequests,
  type ChangeMessage,
} from '../../../../../lib/engine/bullmq/changes/change-protocol.js';
import { readFields, writeMessage, type Fields } from '../../../../../lib/engine/bullmq/checked-bus.js';
import { LARGEST_MESSAGE } from '../../../../../lib/engine/bullmq/message-bus.js';
import { SUCCESS_FIELDS, type JobSuccess } from '../../../../../lib/engine/bullmq/jobs/job-success.js';

const LARGEST_PUBLIC = 5_800;

const parseRequest = (text: string) => parsed(text, readRequest);
const parseChangeMessage = (text: string) => parsed(text, readChangeMessage);

/** Reads a text as `CheckedBus` does. */
function parsed<T>(text: string, read: (fields: Fields) => T | undefined): T | undefined {
  const fields = readFields(text);
  return fields && read(fields);
}

const INBOX = 'inbox:00000000-0000-0000-0000-000000000000';
/** A queue's name of 63 characters, a dot and 22 characters. */
const LONGEST_ID = 'q'.repeat(86);

const idsOf = (count: number) => Array.from({ length: count }, (_, index) => `q.${index}`);

it('has times that fit together', () => {
  // A worker remembers a watcher although the message of one poll is lost.
  expect(WATCH_REQUEST_LIFE).toBeGreaterThan(2 * SLOWEST_POLL);
  // A worker remembers a change until the first poll of a watcher.
  expect(RECENT_CHANGES).toBeGreaterThan(FIRST_POLL);
  // A task that this process has just stored need not be fetched: a worker still remembers its end.
  expect(JUST_STORED).toBeLessThanOrEqual(RECENT_CHANGES / 2);
});

describe('watchRequests', () => {
  it.each([
    [0, []],
    [1, [1]],
    [60, [60]],
    [61, [60, 1]],
    [150, [60, 60, 30]],
  ])('divides %d ids among requests of %j', (count, sizes) => {
    const requests = watchRequests(idsOf(count), INBOX, false);
    expect(requests.map(({ ids }) => ids.length)).toEqual(sizes);
    expect(requests.flatMap(({ ids }) => ids)).toEqual(idsOf(count));
  });

  it.each([true, false])('sends endOnly %p and the reply channel with each request', (endOnly) => {
    for (const request of watchRequests(idsOf(61), INBOX, endOnly)) {
      expect(request).toEqual({ type: 'watch', ids: request.ids, inbox: INBOX, endOnly });
    }
  });

  it('makes no request that is too large for a message, even of the longest ids', () => {
    const [request] = watchRequests(Array<string>(60).fill(LONGEST_ID), INBOX, false);
    expect(bytesOf(writeMessage(request!))).toBeLessThanOrEqual(LARGEST_PUBLIC);
  });
});

function bytesOf(text: string): number {
  return Buffer.byteLength(text);
}

/** A success whose JSON, with the id `q.1`, has this many bytes. */
function successOf(bytes: number, character = 'x'): JobSuccess {
  const spare = bytes - bytesOf(JSON.stringify(['q.1', ['']]));
  const width = bytesOf(character);
  return [character.repeat(Math.floor(spare / width)) + 'x'.repeat(spare % width)];
}

function messagesOf(...changes: (readonly [id: string, success?: JobSuccess])[]): ChangeMessage[] {
  const messages = changeMessages(new Map(changes.map(([id, success]) => [id, success])), LARGEST_MESSAGE);
  for (const message of messages) expect(bytesOf(writeMessage(message))).toBeLessThanOrEqual(LARGEST_MESSAGE);
  return messages;
}

describe('changeMessages', () => {
  it('makes no message of no change', () => {
    expect(messagesOf()).toEqual([]);
  });

  it('sends ids and successes together in one message', () => {
    expect(messagesOf(['q.1'], ['q.2', ['Mail.send', false]], ['q.3'])).toEqual([
      { ids: ['q.1', 'q.3'], successes: [['q.2', ['Mail.send', false]]] },
    ]);
  });

  it('leaves out the list that would be empty', () => {
    expect(messagesOf(['q.1'])).toEqual([{ ids: ['q.1'] }]);
    expect(messagesOf(['q.1', ['a']])).toEqual([{ successes: [['q.1', ['a']]] }]);
  });

  // A message without entries has 31 bytes, and each entry a comma.
  const LIMIT = LARGEST_MESSAGE - 31 - 1;

  it.each([
    ['of plain text', 'x'],
    ['of characters of two bytes', 'ä'],
    ['of characters of four bytes', '𝟚'],
  ])('sends a success %s that is just small enough for a message, and of a larger one the id', (_, character) => {
    const largest = successOf(LIMIT - 1, character);
    expect(messagesOf(['q.1', largest])).toEqual([{ successes: [['q.1', largest]] }]);
    expect(messagesOf(['q.1', successOf(LIMIT, character)])).toEqual([{ ids: ['q.1'] }]);
  });

  it('begins a new message for the entry that no longer fits, and keeps their order', () => {
    const small = successOf(1_000);
    const rest = successOf(LIMIT - 1_001);
    expect(messagesOf(['q.1', small], ['q.2', rest])).toHaveLength(1);
    expect(messagesOf(['q.1', small], ['q.2', [`${rest[0] as string}x`]])).toEqual([
      { successes: [['q.1', small]] },
      { successes: [['q.2', [`${rest[0] as string}x`]]] },
    ]);
  });

  it('fills a message again after one was full', () => {
    const large = successOf(5_000);
    expect(messagesOf(['q.1', large], ['q.2', large], ['q.3'], ['q.4'])).toEqual([
      { successes: [['q.1', large]] },
      { ids: ['q.3', 'q.4'], successes: [['q.2', large]] },
    ]);
  });

  it('sends as few messages as hold the ids', () => {
    const perMessage = Math.floor((LARGEST_MESSAGE - 31) / (LONGEST_ID.length + 3));
    const ids = Array.from({ length: 2 * perMessage + 1 }, (_, index) => `${index}`.padStart(86, 'q'));
    const messages = messagesOf(...ids.map((id) => [id] as const));
    expect(messages.map((message) => message.ids?.length)).toEqual([perMessage, perMessage, 1]);
  });

  it('sends every change once, and no message that is too large', () => {
    const success = fc.option(fc.tuple(fc.string({ unit: 'grapheme', maxLength: 9_000 })), { nil: undefined });
    fc.assert(
      fc.property(fc.dictionary(fc.string({ minLength: 1, maxLength: 86 }), success, { maxKeys: 30 }), (changes) => {
        const sent = messagesOf(...Object.entries(changes)).flatMap(({ ids = [], successes = [] }) => [
          ...ids,
          ...successes.map(([id, stored]) => {
            expect(stored).toEqual(changes[id]);
            return id;
          }),
        ]);
        expect(sent.toSorted()).toEqual(Object.keys(changes).toSorted());
      }),
      { numRuns: 50 },
    );
  });
});

const ID = `q.${'x'.repeat(22)}`;
const SUCCESS: JobSuccess = SUCCESS_FIELDS.map((field) => (field === 'progress' ? false : field));
/** Texts and values that neither side sends. */
const FOREIGN = ['', ' ', 'not json', '{', 'null', 'true', '5', '"text"', '[]', '[[]]', '{}', '{"type":"other"}'];

describe('parseRequest', () => {
  const watch = { type: 'watch', ids: [ID], inbox: INBOX, endOnly: true };
  const cancel = { type: 'cancel', id: ID };

  it.each([watch, { ...watch, ids: Array(80).fill(ID), endOnly: false }, { ...watch, ids: [] }, cancel])(
    'reads %j',
    (request) => {
      expect(parseRequest(JSON.stringify(request))).toEqual(request);
    },
  );

  it('reads the requests that watchRequests makes', () => {
    for (const request of watchRequests(Array(200).fill(ID), INBOX, true)) {
      expect(parseRequest(JSON.stringify(request))).toEqual(request);
    }
  });

  it('leaves unknown fields out', () => {
    expect(parseRequest(JSON.stringify({ ...watch, more: 1 }))).toEqual(watch);
    // Version 0.1.0 sends the reason, too.
    expect(parseRequest(JSON.stringify({ ...cancel, reason: 'enough' }))).toEqual(cancel);
  });

  it.each([
    ...FOREIGN,
    ...[null, 5, 'q.1', {}, [null], [5], ['q.1'], [[ID]], [`${ID} `], Array(81).fill(ID)].map((ids) => ({
      ...watch,
      ids,
    })),
    ...[null, 5, '', 'workers', 'inbox:', 'inbox:a', `${INBOX}0`, INBOX.toUpperCase(), [INBOX]].map((inbox) => ({
      ...watch,
      inbox,
    })),
    ...[null, 0, 'true', undefined].map((endOnly) => ({ ...watch, endOnly })),
    ...[null, 5, '', 'q.1', [ID], {}, undefined].map((id) => ({ ...cancel, id })),
    { ...watch, type: 'Watch' },
    { ...watch, type: ['watch'] },
    { ...cancel, reason: 'x'.repeat(10_000_000) },
    { ids: [ID] },
  ])('does not read %p', (message) => {
    expect(parseRequest(typeof message === 'string' ? message : JSON.stringify(message))).toBeUndefined();
  });
});

describe('parseChangeMessage', () => {
  it.each([
    { ids: [ID] },
    { ids: [ID, ID], successes: [[ID, SUCCESS]] },
    { successes: [[ID, SUCCESS]] },
    { repeat: true },
  ])('reads %j', (message) => {
    expect(parseChangeMessage(JSON.stringify(message))).toEqual(message);
  });

  it('reads the messages that changeMessages makes', () => {
    const ids = Array.from({ length: 1_000 }, (_, index) => `q.${`${index}`.padStart(22, '0')}`);
    const changes = new Map(ids.map((id, index) => [id, index % 2 ? SUCCESS : undefined]));
    const messages = changeMessages(changes, LARGEST_MESSAGE);
    expect(messages.map((message) => parseChangeMessage(writeMessage(message)))).toEqual(messages);
  });

  it('leaves unknown fields out', () => {
    expect(parseChangeMessage(JSON.stringify({ ids: [ID], more: 1 }))).toEqual({ ids: [ID] });
  });

  it.each([
    ...FOREIGN,
    ...[null, 5, ID, {}, [null], [5], ['q.1'], [[ID]], [ID, 'x'.repeat(86)]].map((ids) => ({ ids })),
    ...[null, 5, {}, [null], [ID], [[ID]], [[ID, null]], [[ID, 5]], [['q.1', SUCCESS]], [[ID, SUCCESS, 1]]].map(
      (successes) => ({ ids: [ID], successes }),
    ),
    { successes: [[ID, SUCCESS.slice(1)]] },
    { successes: [[ID, [...SUCCESS, '']]] },
    { successes: [[ID, SUCCESS.map(() => null)]] },
    { successes: [[ID, SUCCESS.map(() => true)]] },
    { successes: [[ID, SUCCESS.map(() => 1)]] },
    ...[null, false, 1, 'true', {}].map((repeat) => ({ ids: [ID], repeat })),
  ])('does not read %p', (message) => {
    expect(parseChangeMessage(typeof message === 'string' ? message : JSON.stringify(message))).toBeUndefined();
  });

  it('does not read a message that is too large', () => {
    expect(parseChangeMessage(JSON.stringify({ ids: Array(10_000).fill(ID) }))).toBeUndefined();
  });

  it('throws nothing, whatever the text is', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          fc.json().map((json) => `{"type":"watch","ids":${json}}`),
        ),
        (text) => {
          expect(() => [parseRequest(text), parseChangeMessage(text)]).not.toThrow();
        },
      ),
    );
  });
});
