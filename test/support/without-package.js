/**
 * `node --import <this file>` with `WITHOUT_PACKAGE=pg` runs a program as if that package were not installed. Several names
 * are separated by commas.
 */
import { register } from 'node:module';
import { isMainThread } from 'node:worker_threads';

if (isMainThread) register(import.meta.url);

/** @type {import('node:module').ResolveHook} */
export async function resolve(specifier, context, nextResolve) {
  if (!process.env.WITHOUT_PACKAGE?.split(',').includes(specifier)) return await nextResolve(specifier, context);
  throw Object.assign(new Error(`Cannot find package '${specifier}'`), { code: 'ERR_MODULE_NOT_FOUND' });
}
