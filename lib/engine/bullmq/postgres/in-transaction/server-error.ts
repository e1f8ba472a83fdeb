/** The code of the server's error, which most libraries wrap in an error of their own; empty when there is none. */
export function codeOf(error: unknown, depth = 0): string {
  if (typeof error !== 'object' || error === null || depth > DEEPEST_ERROR) return '';
  const { code, cause, original, driverError, meta } = error as Readonly<Record<string, unknown>>;
  if (typeof code === 'string' && SQLSTATE.test(code)) return code;
  // Prisma: `meta.code`, or `meta.driverAdapterError.cause.originalCode`.
  const { driverAdapterError, originalCode } = (meta ?? error) as Readonly<Record<string, unknown>>;
  if (typeof originalCode === 'string') return originalCode;
  for (const inner of [cause, original, driverError, meta, driverAdapterError]) {
    const found = codeOf(inner, depth + 1);
    if (found !== '') return found;
  }
  return '';
}

/** Not a code of Prisma: `P2010` says that a statement failed. */
const SQLSTATE = /^(?!P2)[0-9A-Z]{5}$/;
const DEEPEST_ERROR = 4;
