/**
 * What JSON makes of types. `JsonOf` is about results, `JsonInput` about arguments, and both say in types what
 * `toJson()` does to values.
 *
 * A type that contains itself must not be converted at once, or the compiler stops with TS2589. Objects are converted
 * by a mapped type and arrays by an array type, because the compiler evaluates the properties and items of these only
 * where they are read.
 */

/**
 * The compiler reports this type at an argument that cannot be sent, because JSON cannot represent its type. No value
 * is meant to have it.
 */
export interface NotJson<T> {
  readonly 'JSON cannot represent this type': T;
}

/** JSON keeps values of these types as they are. */
type Scalar = string | number | boolean | null | undefined | void;

/** `toJson()` refuses these values, also when they have a `toJSON()`. */
type Unsupported = bigint | symbol | Function;

/* eslint-disable typescript/no-explicit-any -- matches collections of every type, and every `toJSON()` */
/** `toJson()` refuses these values. */
type Collection = ReadonlyMap<any, any> | ReadonlySet<any> | WeakMap<any, any> | WeakSet<any>;

interface HasToJson<J> {
  toJSON(...args: any[]): J;
}
/* eslint-enable typescript/no-explicit-any */

/** Whether a type is `any` or `unknown`. The compiler cannot know what JSON changes in them, so they stay. */
type IsOpen<T> = unknown extends T ? true : false;

/** Whether a type is an array and not a tuple. The types of tuples with a first item have the key `'0'`. */
type IsArray<T> = T extends readonly (infer Item)[]
  ? '0' extends keyof T
    ? false
    : Item[] extends T
      ? true
      : readonly Item[] extends T
        ? true
        : false
  : false;

/** Whether each of two types is assignable to the other. */
type IsSame<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false;

/**
 * The type of a value that came out of JSON: a `Date` became text, and an object with `toJSON()` became the result of
 * that method. The same applies to all properties and items. A type that JSON does not change stays the same type.
 *
 * @typeParam T the type before JSON
 * @example JsonOf<{ at: Date; tags: string[] }> // { at: string; tags: string[] }
 */
export type JsonOf<T> = IsSame<T, Parsed<T>> extends true ? T : Parsed<T>;

// Only `JsonOf` compares the types: a comparison at each level would not end for a type that contains itself.
type Parsed<T> =
  IsOpen<T> extends true
    ? T
    : T extends Scalar
      ? T
      : T extends Unsupported
        ? NotJson<T>
        : T extends HasToJson<infer J>
          ? IsOpen<J> extends true
            ? J
            : // A `toJSON()` that returns `this`.
              IsSame<T, J> extends true
              ? ParsedItems<Omit<T, 'toJSON'>>
              : Parsed<J>
          : T extends Collection
            ? NotJson<T>
            : ParsedItems<T>;

/** JSON leaves out properties whose keys are symbols, and types use such keys as brands, so these types stay. */
type ParsedItems<T> = T extends readonly unknown[]
  ? IsArray<T> extends true
    ? T extends unknown[]
      ? Parsed<T[number]>[]
      : readonly Parsed<T[number]>[]
    : { [K in keyof T]: Parsed<T[K]> }
  : { [K in keyof T]: K extends symbol ? T[K] : Parsed<T[K]> };

/** Whether JSON cannot represent a part of a type. */
export type HasNotJson<T> =
  IsSame<T, Parsed<T>> extends true ? false : [Parsed<T>] extends [WithoutNotJson<Parsed<T>>] ? false : true;

/** Differs from `P` only where `P` contains `NotJson`. */
type WithoutNotJson<P> =
  IsOpen<P> extends true
    ? P
    : P extends Scalar
      ? P
      : P extends NotJson<unknown>
        ? never
        : P extends readonly unknown[]
          ? IsArray<P> extends true
            ? readonly WithoutNotJson<P[number]>[]
            : { [K in keyof P]: WithoutNotJson<P[K]> }
          : { [K in keyof P]: K extends symbol ? P[K] : WithoutNotJson<P[K]> };

/**
 * The type of the values that a caller may send for a parameter: a `Date` or its text for a `Date`, and a plain object
 * without the methods for a class. The same applies to all properties and items. A type that JSON does not change stays
 * the same type.
 *
 * @typeParam T the declared type of the parameter
 * @example JsonInput<{ since: Date }> // { since: Date | string }
 */
export type JsonInput<T> = IsSame<T, Sendable<T>> extends true ? T : Sendable<T>;

type Sendable<T> =
  IsOpen<T> extends true
    ? T
    : T extends Scalar
      ? T
      : T extends Unsupported
        ? NotJson<T>
        : T extends HasToJson<infer J>
          ? | T
            | (IsOpen<J> extends true
                ? J
                : // A `toJSON()` that returns `this`.
                  IsSame<T, J> extends true
                  ? SendableItems<Omit<T, 'toJSON'>>
                  : Sendable<J>)
          : T extends Collection
            ? NotJson<T>
            : SendableItems<T>;

type SendableItems<T> = T extends readonly unknown[]
  ? IsArray<T> extends true
    ? T extends unknown[]
      ? Sendable<T[number]>[]
      : readonly Sendable<T[number]>[]
    : { [K in keyof T]: Sendable<T[K]> }
  : [MethodOf<T>] extends [never]
    ? SendableProperties<T, keyof T>
    : SendableProperties<T, Exclude<keyof T, MethodOf<T>>> & { readonly [K in MethodOf<T>]?: NotJson<T[K]> };

type SendableProperties<T, Keys extends keyof T> = { [K in Keys]: K extends symbol ? T[K] : Sendable<T[K]> };

/** The names of the properties that are functions. */
type MethodOf<T> = { [K in keyof T]-?: K extends symbol ? never : IsMethod<T[K]> extends true ? K : never }[keyof T];

type IsMethod<V> =
  IsOpen<V> extends true
    ? false
    : [NonNullable<V>] extends [never]
      ? false
      : [NonNullable<V>] extends [Function]
        ? true
        : false;
