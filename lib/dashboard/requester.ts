import type { DashboardRequest, ResolvedDashboardOptions } from './dashboard-options.js';

/** The name of the user who sends a request. */
export async function userOf(
  { user }: ResolvedDashboardOptions,
  request: DashboardRequest,
): Promise<string | undefined> {
  const name: unknown = await user(request);
  return typeof name === 'string' && name !== '' ? name : undefined;
}

/** Whether the user may only look. A function that gives anything but `false` allows nothing else. */
export async function isReadOnly({ readOnly }: ResolvedDashboardOptions, request: DashboardRequest): Promise<boolean> {
  const answer: unknown = await readOnly(request);
  return answer !== false;
}
