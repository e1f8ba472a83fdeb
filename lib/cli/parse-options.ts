import { InvalidArgumentError } from 'commander';
import type { Json } from '../engine/json.js';
import { wrongUsage } from './exit-code.js';

/** The pairs of an option that may be given several times: `--header owner=7`. @throws CommandError */
export function pairsOf(texts: readonly string[], option: string): Record<string, string> {
  return Object.fromEntries(
    texts.map((text) => {
      const [, name, value] = /^([^=]+)=([^]*)$/.exec(text) ?? [];
      if (name === undefined || value === undefined) {
        throw wrongUsage(`${option} is "${text.slice(0, 60)}". Give a name and a value: ${option} owner=7.`);
      }
      return [name, value];
    }),
  );
}

/** Gathers the values of an option that may be given several times. */
export function collect(value: string, before: readonly string[]): string[] {
  return [...before, value];
}

/** @throws InvalidArgumentError, to which commander adds the option */
export function anyNumber(text: string): number {
  const number = Number(text);
  if (text.trim() !== '' && Number.isFinite(number)) return number;
  throw new InvalidArgumentError('Give a number.');
}

/** @throws InvalidArgumentError, to which commander adds the option */
export function wholeNumber(text: string): number {
  const number = Number(text);
  if (Number.isSafeInteger(number) && number >= 1) return number;
  throw new InvalidArgumentError('Give a whole number, at least 1.');
}

/** The arguments of a task. @throws CommandError when the text is no JSON list */
export function parseArgs(text: string): readonly Json[] {
  let args: unknown;
  try {
    args = JSON.parse(text);
  } catch (error) {
    throw wrongUsage(`--args is no JSON: ${(error as Error).message}. Give a list: --args '["2026-11", 7]'.`);
  }
  if (Array.isArray(args)) return args as Json[];
  throw wrongUsage(`--args is ${text.slice(0, 60)}. Give a list of arguments: --args '["2026-11", 7]'.`);
}
