import { ConfigurationError } from './errors.js';

/** An amount of memory: a number of bytes, or a text of a number and a unit, for example `'512mb'` or `'1.5gb'`. */
export type MemorySize = number | `${number}${'kb' | 'mb' | 'gb'}`;

const UNITS: Readonly<Record<string, number>> = { kb: 1024, mb: 1024 ** 2, gb: 1024 ** 3 };
const TEXT = /^(\d+(?:\.\d+)?)([kmg]b)$/i;

/**
 * Converts an amount of memory to whole bytes.
 *
 * @param name the name of the option in the error
 * @param least the smallest amount that makes sense, in bytes
 * @throws ConfigurationError with the option and the value
 */
export function parseMemory(value: MemorySize, name: string, least: number): number {
  const [, number, unit = ''] = (typeof value === 'string' && TEXT.exec(value)) || [];
  const bytes = typeof value === 'number' ? value : Number(number) * (UNITS[unit.toLowerCase()] ?? NaN);
  if (Number.isFinite(bytes) && bytes >= least) return Math.round(bytes);
  throw new ConfigurationError(
    `${name} is ${JSON.stringify(value) ?? String(value)}. Give bytes or a text such as '512mb' or '1.5gb', at least ${memoryText(least)}.`,
  );
}

/** Bytes as a person reads them: `512 MB`. */
export function memoryText(bytes: number): string {
  return `${Math.round(bytes / 1024 ** 2)} MB`;
}
