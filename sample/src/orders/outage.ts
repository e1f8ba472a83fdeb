/** Whether the database cannot be reached just now, so that the same statement succeeds later. */
export function isOutage(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code } = error as { code?: unknown };
  if (typeof code === 'string') return /^(08|53|57P|ECONN|EPIPE|ETIMEDOUT)/.test(code);
  // The errors that pg makes itself have no code.
  return /^(Connection terminated|Client has encountered a connection error|timeout exceeded when trying)/.test(
    error.message,
  );
}
