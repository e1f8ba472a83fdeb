import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { sizeBeyond, storableText, toJson, type Json } from '../../../lib/engine/json.js';
import { NotSerializableError } from '../../../lib/errors.js';
import { anyCharacter, anyText } from '../../support/any-text.js';

it('toJson returns any JSON as JSON.parse(JSON.stringify()) does', () => {
  fc.assert(
    fc.property(fc.jsonValue({ stringUnit: anyCharacter }), (value) => {
      fc.pre(!/\\u0000|\\ud[89a-f]/i.test(JSON.stringify(value)));
      expect(toJson(value, 'value')).toEqual(JSON.parse(JSON.stringify(value)));
    }),
  );
});

it('toJson either refuses a value or returns what survives JSON', () => {
  fc.assert(
    fc.property(
      fc.anything({
        withBigInt: true,
        withDate: true,
        withMap: true,
        withSet: true,
        withTypedArray: true,
        withSparseArray: true,
      }),
      (value) => {
        try {
          const json = toJson(value, 'value');
          expect(JSON.parse(JSON.stringify(json))).toEqual(JSON.parse(JSON.stringify(value)));
        } catch (error) {
          expect(error).toBeInstanceOf(NotSerializableError);
          expect((error as NotSerializableError).path).toMatch(/^value/);
        }
      },
    ),
  );
});

it('toJson keeps a key named __proto__ as a key', () => {
  const json = toJson(JSON.parse('{"__proto__": {"admin": true}}'), 'value') as Record<string, unknown>;
  expect(Object.keys(json)).toEqual(['__proto__']);
  expect((json as { admin?: boolean }).admin).toBeUndefined();
});

it('toJson accepts the same object twice, side by side', () => {
  const shared = { a: 1 };
  expect(toJson([shared, shared], 'value')).toEqual([{ a: 1 }, { a: 1 }]);
});

it('toJson takes the return value of toJSON(), and refuses an invalid date', () => {
  expect(toJson({ url: new URL('http://localhost/') }, 'value')).toEqual({ url: 'http://localhost/' });
  expect(() => toJson({ when: new Date(Number.NaN) }, 'value')).toThrow('value.when is an invalid Date');
});

describe('toJson with an instance of a class', () => {
  class Address {
    city = 'Bonn';
    zip?: string;
  }
  class Customer {
    name = 'Ada';
    addresses = [new Address()];
    greet(): string {
      return this.name;
    }
  }
  class Vip extends Customer {
    level = 3;
  }
  class Filter {
    page?: number;
    size = undefined;
  }

  it.each([
    ['a DTO', new Address(), { city: 'Bonn' }],
    ['a DTO with methods and DTOs in it', new Customer(), { name: 'Ada', addresses: [{ city: 'Bonn' }] }],
    ['a subclass', new Vip(), { name: 'Ada', addresses: [{ city: 'Bonn' }], level: 3 }],
    ['a DTO whose properties are all missing', new Filter(), {}],
    [
      'a class without a name',
      new (class {
        colour = '#fff';
      })(),
      { colour: '#fff' },
    ],
  ])('takes %s as the JSON that it is', (_, value, json) => {
    expect(toJson(value, 'value')).toEqual(json);
  });

  class Money {
    #cents = 1;
    currency = 'EUR';
    get cents(): number {
      return this.#cents;
    }
  }
  class Total extends Address {
    get text(): string {
      return this.city;
    }
  }
  class Compiled {
    constructor(cents: number) {
      STATE.set(this, cents);
    }
  }
  const STATE = new WeakMap<Compiled, number>();
  class Cart extends Map<string, number> {
    owner = 'Ada';
  }
  class Tagged {
    name = 'x';
    constructor() {
      Object.assign(this, { [Symbol.for('tag')]: 1 });
    }
  }

  it.each<[unknown, string]>([
    [new Money(), 'value.a is an instance of Money. JSON would lose its private field #cents. Send a plain object'],
    [new Total(), 'is an instance of Total. JSON would lose its getter text.'],
    [
      new (class Empty {})(),
      'is an instance of Empty. JSON would lose all of it, because it has no properties of its own.',
    ],
    [
      new Compiled(5),
      'is an instance of Compiled. JSON would lose all of it, because it has no properties of its own.',
    ],
    [new Cart(), 'is an instance of Cart. JSON would lose what it has as a Map.'],
    [new Tagged(), 'is an instance of Tagged. JSON would lose its hidden property Symbol(tag).'],
    [new Map(), 'is an instance of Map. JSON would lose what it has as a Map.'],
    [/x/, 'is an instance of RegExp. JSON would lose what it has as a RegExp.'],
    [new TypeError('x'), 'is an instance of TypeError. JSON would lose what it has as a TypeError.'],
    [Promise.resolve(), 'is an instance of Promise. JSON would lose what it has as a Promise.'],
  ])('refuses one of which JSON would lose a part: %p', (value, message) => {
    expect(() => toJson({ a: value }, 'value')).toThrow(NotSerializableError);
    expect(() => toJson({ a: value }, 'value')).toThrow(message);
  });
});

it('storableText makes any text storable', () => {
  fc.assert(
    fc.property(anyText(), (text) => {
      expect(() => toJson(storableText(text), 'text')).not.toThrow();
    }),
  );
});

describe('sizeBeyond', () => {
  it('returns a size only when it is above the limit, and then the exact size', () => {
    const json = fc.jsonValue().map((value) => value as Json);
    fc.assert(
      fc.property(json, fc.nat(200), (value, limit) => {
        const size = Buffer.byteLength(JSON.stringify(value));
        expect(sizeBeyond(value, limit)).toBe(size > limit ? size : undefined);
      }),
    );
  });

  it('counts bytes, escapes included', () => {
    expect(sizeBeyond('€€€', 10)).toBe(11);
    expect(sizeBeyond('€€€', 11)).toBeUndefined();
    expect(sizeBeyond('\u0001', 7)).toBe(8);
    expect(sizeBeyond({ a: [-1.5e300, null, true] }, 22)).toBe(JSON.stringify({ a: [-1.5e300, null, true] }).length);
  });
});
