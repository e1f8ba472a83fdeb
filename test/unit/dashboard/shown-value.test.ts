import { describe, expect, it, jest } from '@jest/globals';
import { valueAt, ValueView } from '../../../lib/dashboard/api/shown-value.js';
import type { Json } from '../../../lib/engine/json.js';

const MASKED = '[masked]';
type Redact = (path: string, value: unknown) => unknown;
const of = (value: Json, redact?: Redact, whole = false) => ValueView.of('args', value, redact, whole);

describe('a value that is shown', () => {
  it('has secrets masked by their names, in any case and at any depth', () => {
    const value = [
      { Password: 'a', API_KEY: 'b', 'x-api-key': 'c', accessToken: 'd', maxTokens: 5 },
      { list: [{ deep: { SECRET: { user: 'e' } } }], url: 'redis://ann:f@host', text: 'token=g' },
    ];
    const { value: shown, masked } = of(value);
    expect(shown).toEqual([
      { Password: MASKED, API_KEY: MASKED, 'x-api-key': MASKED, accessToken: MASKED, maxTokens: 5 },
      {
        list: [{ deep: { SECRET: MASKED } }],
        url: `redis://ann:${MASKED}@host`,
        text: `token=${MASKED}`,
      },
    ]);
    expect(masked).toEqual(['/0/Password', '/0/API_KEY', '/0/x-api-key', '/0/accessToken', '/1/list/0/deep/SECRET']);
  });

  it('is what redact returns, which is asked for each value from the outside to the inside, but not for secrets', () => {
    const asked: [string, unknown][] = [];
    const value = [{ email: 'a@b.c', tags: ['x', 1, null, true], password: 'p' }, 'text'];
    const { value: shown, masked } = of(value, (path, inner) => {
      asked.push([path, inner]);
      return path.endsWith('.email') ? '…' : inner;
    });
    expect(shown).toEqual([{ email: '…', tags: ['x', 1, null, true], password: MASKED }, 'text']);
    expect(masked).toEqual(['/0/password']);
    expect(asked).toEqual([
      ['args', value],
      ['args.0', value[0]],
      ['args.0.email', 'a@b.c'],
      ['args.0.tags', ['x', 1, null, true]],
      ['args.0.tags.0', 'x'],
      ['args.0.tags.1', 1],
      ['args.0.tags.2', null],
      ['args.0.tags.3', true],
      ['args.1', 'text'],
    ]);
  });

  it('is masked as a whole when redact returns undefined for it, and redact is not asked for what is inside', () => {
    const redact = jest.fn<Redact>((path, value) => (path === 'args.0' ? undefined : value));
    expect(of([{ email: 'a' }, 'b'], redact)).toMatchObject({ value: [MASKED, 'b'], masked: ['/0'] });
    expect(redact.mock.calls.map(([path]) => path)).toEqual(['args', 'args.0', 'args.1']);
  });

  it('may be another object, for whose values redact is asked too, and which has no secrets either', () => {
    const redact: Redact = (path, value) =>
      path === 'args.0' ? { name: 'Ann', email: 'a', token: 't' } : path.endsWith('.email') ? undefined : value;
    expect(of(['Ann'], redact).value).toEqual([{ name: 'Ann', email: MASKED, token: MASKED }]);
    expect(of(['x'], (path, value) => (path === 'args.0' ? 'see password=abc' : value)).value).toEqual([
      `see password=${MASKED}`,
    ]);
  });

  const cycle: { self?: unknown } = {};
  cycle.self = cycle;
  it.each<[string, () => unknown]>([
    [
      'throws',
      () => {
        throw new Error('a mistake in redact');
      },
    ],
    ['returns a promise', async () => 'shown'],
    [
      'returns a promise that rejects',
      async () => {
        throw new Error('a mistake in redact');
      },
    ],
    ['returns a function', () => () => 'shown'],
    ['returns a symbol', () => Symbol('shown')],
    ['returns a BigInt', () => 1n],
    ['returns a cycle', () => cycle],
    ['returns an object that cannot be read', () => new Proxy({}, { ownKeys: () => [1] as never })],
  ])('is masked when redact %s for it', async (_, answer) => {
    const { value, masked } = of([{ email: 'a@b.c' }, 'other'], (path, inner) =>
      path === 'args.0.email' ? answer() : inner,
    );
    expect([value, masked]).toEqual([[{ email: MASKED }, 'other'], ['/0/email']]);
    // A rejection that nothing handles would end the process in this turn.
    await new Promise((resolve) => setImmediate(resolve));
  });

  it.each<[unknown, Json]>([
    [Number.NaN, null],
    [new Date(0), '1970-01-01T00:00:00.000Z'],
    [new Map([[1, 2]]), {}],
    [{ a: undefined, b: true }, { b: true }],
    [[undefined], [null]],
    [0, 0],
    ['', ''],
    [false, false],
    [null, null],
  ])('is the JSON of what redact returns: %p', (answer, expected) => {
    expect(of(['x'], (path, value) => (path === 'args.0' ? answer : value)).value).toEqual([expected]);
  });

  it('has what a function has put into it masked, when that is not JSON', () => {
    const redact: Redact = (path, value) => {
      if (path === 'args.0') Object.assign(value as object, { a: 1n, b: () => 1, c: undefined });
      return value;
    };
    const { value } = of([{ d: 1 }], redact);
    expect(JSON.parse(JSON.stringify(value))).toEqual([{ a: MASKED, b: MASKED, c: MASKED, d: 1 }]);
  });

  it.each([false, true])('ends although redact returns ever more values (whole: %p)', (whole) => {
    for (const more of [(value: unknown) => ({ value }), (value: unknown) => [value, value]]) {
      const { value } = of(['x'], (_, inner) => more(typeof inner === 'string' ? inner : 'x'), whole);
      expect(JSON.stringify(value)).toEqual(expect.any(String));
    }
  });

  it.each<[string, Json, Redact | undefined]>([
    ['has a name of a secret', [{ password: 'p' }], undefined],
    ['has a secret in a text', ['redis://ann:f@host'], undefined],
    ['is too long', ['x'.repeat(3_000)], undefined],
    ['is redacted', [{ email: 'a@b.c' }], (path, value) => (path.endsWith('.email') ? '…' : value)],
    [
      'is changed by redact, which returns it',
      [{ email: 'a@b.c' }],
      (path, value) => (path === 'args.0' ? Object.assign(value as object, { email: '…' }) : value),
    ],
  ])('is not what is stored when a value %s', (_, value, redact) => {
    expect(of(value, redact).isStored).toBe(false);
  });

  it('is what is stored when nothing of it is hidden', () => {
    const value = [{ email: 'a@b.c', 2: ['x', 1.5, null, true], 1: {} }, 'text'];
    expect(of(value).isStored).toBe(true);
    expect(of(value, (_, inner) => inner).isStored).toBe(true);
  });

  it('has the name __proto__ as any other', () => {
    const value = JSON.parse('[{"__proto__":{"email":"a"}}]') as Json;
    const { value: shown } = of(value, (path, inner) => (path.endsWith('.email') ? undefined : inner));
    expect(JSON.stringify(shown)).toBe(`[{"__proto__":{"email":"${MASKED}"}}]`);
  });
});

describe('a value in a row of a list', () => {
  it('is masked as elsewhere', () => {
    const redact: Redact = (path, value) => (path === 'args.0.email' ? undefined : value);
    expect(ValueView.line([{ email: 'a', token: 't', n: 1 }], redact)).toBe(
      `{"email":"${MASKED}","token":"${MASKED}","n":1}`,
    );
  });

  it('is a mask when redact hides all arguments', () => {
    expect(ValueView.line(['a'], () => undefined)).not.toContain('"a"');
  });
});

it('a part of a value is found by its pointer, and nothing of a prototype', () => {
  const value = { 'a/b': { '~': [1, 2] } } as Json;
  expect(valueAt(value, '/a~1b/~0/1')).toBe(2);
  expect(valueAt(value, '/constructor')).toBeUndefined();
  expect(valueAt(value, '')).toBe(value);
});
