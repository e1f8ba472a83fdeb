const NAMES = ['username', 'name', 'email', 'sub', 'id'] as const;

/** The name of the user whom a guard has stored in `request.user`. */
export function userOfRequest({ user }: { readonly user?: unknown }): string | undefined {
  if (typeof user === 'string') return user;
  if (typeof user !== 'object' || user === null) return undefined;
  const values = NAMES.map((name) => (user as Record<string, unknown>)[name]);
  for (const value of values) {
    if (typeof value === 'string' && value !== '') return value;
    if (typeof value === 'number') return String(value);
  }
  return undefined;
}
