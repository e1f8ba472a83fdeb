import type { ActAnswer } from '../lib/dashboard/api/api-types.js';
import { root } from './settings.js';

/** A request failed. The message is for the reader. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/** Proves to the server that a change comes from this page. */
let token = '';

export function takeToken(given: string): void {
  token = given;
}

export async function read<T>(
  resource: readonly string[],
  query: Readonly<Record<string, string | undefined>> = {},
  signal?: AbortSignal,
): Promise<T> {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined && value !== '') search.set(name, value);
  const text = search.toString();
  const address = `${root}/api/${resource.map(encodeURIComponent).join('/')}${text === '' ? '' : `?${text}`}`;
  return (await request(address, signal ? { signal } : {})) as T;
}

/** Asks the server to change something. A token that is too old is replaced once. */
export async function act(name: string, body: object): Promise<ActAnswer> {
  const post = () =>
    request(`${root}/api/acts/${name}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-csrf-token': token },
      body: JSON.stringify(body),
    }) as Promise<ActAnswer>;
  try {
    return await post();
  } catch (error) {
    if (!(error instanceof ApiError) || error.code !== 'CSRF_TOKEN') throw error;
    ({ token } = await read<{ token: string }>(['token']));
    return post();
  }
}

async function request(address: string, init: RequestInit): Promise<unknown> {
  let response: Response;
  try {
    response = await fetch(address, {
      ...init,
      headers: { accept: 'application/json', ...(init.headers as Record<string, string>) },
    });
  } catch (error) {
    if ((error as Error).name === 'AbortError') throw error;
    throw new ApiError(0, 'OFFLINE', 'The application cannot be reached.');
  }
  const body = (await response.json().catch(() => undefined)) as
    | { detail?: string; message?: string; code?: string }
    | undefined;
  if (response.ok && body !== undefined) return body;
  throw new ApiError(response.status, body?.code ?? '', body?.detail ?? refusal(response.status));
}

function refusal(status: number): string {
  if (status === 401 || status === 403) return 'The application refused the request. You may have to log in again.';
  return `The application answered with status ${status}.`;
}
