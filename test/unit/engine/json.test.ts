import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { sizeBeyond, storableText, toJson, type Json } from '../../../lib/engine/json.js';
import { NotSerializableError } from '../../../lib/errors.js';

it('toJson returns any JSON as JSON.parse(JSON.stringify()) does', () => {
  fc.assert(
    fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
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

it('storableText makes any text storable', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
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
