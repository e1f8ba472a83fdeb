import { readFile } from 'node:fs/promises';
import { fileBesideMain } from '../../../package-location.cjs';
import { withLateOptimization } from './patched-wasm-tiering.js';

/** A compiled module. Its type belongs to the types of browsers, which this package does not use. */
type CompiledModule = object;

const { WebAssembly } = globalThis as unknown as {
  readonly WebAssembly: { compile(bytes: Uint8Array): Promise<CompiledModule> };
};

let compiling: Promise<CompiledModule | undefined> | undefined;

/**
 * Compiles the WebAssembly of PGlite, once in a process. V8 does that on other threads, so a process that begins early loads its other code
 * meanwhile.
 *
 * @returns `undefined` when its file is not where the package keeps it, in a bundle for example: PGlite then compiles it itself
 */
export function compiledPGlite(): Promise<CompiledModule | undefined> {
  compiling ??= withLateOptimization(async () =>
    WebAssembly.compile(await readFile(fileBesideMain('@electric-sql/pglite', 'pglite.wasm'))),
  ).catch(() => undefined);
  return compiling;
}
