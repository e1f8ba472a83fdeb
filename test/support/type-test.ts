/** Whether two types are the same: `any` equals only itself, and a union is not its members. */
export type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** `expectType<Equal<typeof handle, TaskHandle<string>>>()` does not compile unless they are. */
export function expectType<_Check extends true>(): void {
  // Compiling is the check.
}

/**
 * A test of types, in a `test/types/*.test-d.ts`: compiled, never run. What must not compile stands below a
 * `// @ts-expect-error`, which is an error itself as soon as it compiles.
 */
export function typeTest(_name: string, _body: () => unknown): void {
  // test/types/types.test.ts reads the name and asks the compiler about the lines of the body.
}
