/** Whether two types are the same. `any` equals only itself, and a union differs from each of its members. */
export type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** `expectType<Equal<typeof handle, TaskHandle<string>>>()` compiles only when the two types are the same. */
export function expectType<_Check extends true>(): void {
  // Compiling is the check.
}

/**
 * A test of types in a `test/types/*.test-d.ts`. It is compiled and never run. A line that must not compile stands
 * below a `// @ts-expect-error`. TypeScript reports that comment as an error as soon as the line compiles.
 */
export function typeTest(_name: string, _body: () => unknown): void {
  // test/types/types.test.ts reads the name, and assigns the compiler's errors to the lines of the body.
}
