/**
 * `node --import <this file> program.ts` runs a helper program of a test from its source, as Jest runs the tests. So a
 * program that needs a process of its own needs no build.
 */
import { existsSync } from 'node:fs';
import { register } from 'node:module';
import { fileURLToPath } from 'node:url';
import { isMainThread } from 'node:worker_threads';
import { transformFile } from '@swc/core';

// Node loads this file twice: in the program, and in a second thread as the loader that the program registers.
if (isMainThread) register(import.meta.url);

/** The package as a program imports it: its source, or the version whose main file `TASK_QUEUE_PACKAGE` names. */
const THE_PACKAGE = process.env['TASK_QUEUE_PACKAGE'] ?? new URL('../../lib/index.ts', import.meta.url).href;

/** @type {import('node:module').ResolveHook} */
export async function resolve(specifier, context, nextResolve) {
  if (specifier === 'nestjs-task-queue') return await nextResolve(THE_PACKAGE, context);
  const [, entry] = /^nestjs-task-queue\/(\w+)$/.exec(specifier) ?? [];
  // The entry points of an earlier version, or of the build, are beside its main file.
  if (entry)
    return await nextResolve(
      new URL(`${entry}/index.${THE_PACKAGE.endsWith('.ts') ? 'ts' : 'js'}`, THE_PACKAGE).href,
      context,
    );
  const source = specifier.replace(/\.(c?)js$/, '.$1ts');
  const isSource = specifier.startsWith('.') && existsSync(new URL(source, context.parentURL));
  return await nextResolve(isSource ? source : specifier, context);
}

/** @type {import('node:module').LoadHook} */
export async function load(url, context, nextLoad) {
  const isCommonJs = url.endsWith('.cts');
  if (!isCommonJs && !url.endsWith('.ts')) return await nextLoad(url, context);
  const { code } = await transformFile(fileURLToPath(url), {
    sourceMaps: 'inline',
    ...(isCommonJs && { module: { type: 'commonjs' } }),
  });
  return { format: isCommonJs ? 'commonjs' : 'module', source: code, shortCircuit: true };
}
