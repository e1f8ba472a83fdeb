import type { Request } from 'express';

/** What `request.user` is when an administrator is signed in. The dashboard shows the name of who has paused a queue. */
export interface Administrator {
  readonly name: string;
}

/** Tells whether the request comes from a browser in which an administrator is signed in. */
export function isAdministrator(request: object): boolean {
  return 'user' in request && request.user !== undefined;
}

/** Stores the administrator in the request, as Passport does. */
export function recognize(request: Request, administrator: Administrator): void {
  Object.assign(request, { user: administrator });
}
