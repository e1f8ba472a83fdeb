import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import type { ConsoleLogger } from '@nestjs/common';
import type { NestFactory } from '@nestjs/core';

/** A mistake in what the command was given: another attempt gives the same. */
export class WrongModuleError extends Error {}

/** The exports of a file: by the names that it exports, also when they are inside of `default`. */
export interface Exports {
  readonly names: readonly string[];
  get(name: string): unknown;
}

/**
 * Imports a compiled file of the application, which is an ES module or CommonJS.
 *
 * @throws WrongModuleError when the file cannot be read as JavaScript
 */
export async function importFile(file: string): Promise<Exports> {
  let namespace: object;
  try {
    namespace = (await import(pathToFileURL(file).href)) as object;
  } catch (error) {
    throw asWrongModule(error, file) ?? error;
  }
  // tsc and swc put the exports of CommonJS into `default`, and what calls itself an ES module once more inside.
  const layers: object[] = [];
  for (
    let layer: unknown = namespace;
    isObject(layer) && !layers.includes(layer);
    layer = Reflect.get(layer, 'default')
  )
    layers.push(layer);
  const names = layers.flatMap((layer) => (typeof layer === 'function' ? [] : Object.keys(layer)));
  return {
    names: [...new Set(names)].filter(
      (name) => name !== 'default' && name !== '__esModule' && name !== 'module.exports',
    ),
    get: (name) => layers.map((layer): unknown => Reflect.get(layer, name)).find((value) => value !== undefined),
  };
}

/**
 * The module of the application.
 *
 * @param name the name of the export. Default: `AppModule`, else the default export or the only class
 * @throws WrongModuleError when there is no such class
 */
export function moduleOf(exports: Exports, file: string, name: string | undefined): Class {
  const wanted = exports.get(name ?? 'AppModule');
  if (isClass(wanted)) return wanted;
  const classes = exports.names.filter((each) => isClass(exports.get(each)));
  const byDefault = exports.get('default');
  const only = isClass(byDefault) ? byDefault : classes.length === 1 ? exports.get(classes[0] as string) : undefined;
  if (name === undefined && isClass(only)) return only;
  const found = classes.length === 0 ? 'It exports no class' : `The classes that it exports are ${classes.join(', ')}`;
  throw new WrongModuleError(
    `${file} does not export the class ${name ?? 'AppModule'}. ${found}. Give the file of the application's module, and the name of its class: ` +
      `./dist/app.module.js#${classes[0] ?? 'AppModule'}.`,
  );
}

/**
 * What the application itself uses of Nest, because another copy of Nest does not know its modules.
 *
 * @throws WrongModuleError when Nest is not installed there
 */
export async function nestOf(file: string): Promise<Nest> {
  const require = createRequire(file);
  const load = async (name: string): Promise<unknown> => {
    try {
      return (await import(pathToFileURL(require.resolve(name)).href)) as object;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND') throw error;
      throw new WrongModuleError(
        `${file} cannot import ${name}. Install the packages of the application there: npm install.`,
      );
    }
  };
  return { ...((await load('@nestjs/core')) as Nest), ...((await load('@nestjs/common')) as Nest) };
}

export interface Nest {
  readonly NestFactory: typeof NestFactory;
  readonly ModulesContainer: Class;
  readonly ApplicationConfig: Class;
  readonly ModuleRef: Class;
  readonly ConsoleLogger: typeof ConsoleLogger;
  readonly Logger: { overrideLogger(logger: unknown): void };
}

export type Class = new (...args: never[]) => object;

function isClass(value: unknown): value is Class {
  return typeof value === 'function' && /^class\b/.test(Function.prototype.toString.call(value));
}

function isObject(value: unknown): value is object {
  return (typeof value === 'object' && value !== null) || typeof value === 'function';
}

function asWrongModule(error: unknown, file: string): WrongModuleError | undefined {
  const { code, name } = error as NodeJS.ErrnoException;
  if (/\.[cm]?tsx?$/.test(file) && (code === 'ERR_UNKNOWN_FILE_EXTENSION' || name === 'SyntaxError'))
    return new WrongModuleError(
      `${file} is TypeScript, which Node does not run. Compile the application, and give the file that comes out: ./dist/app.module.js.`,
    );
  return undefined;
}
