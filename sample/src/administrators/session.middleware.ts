import { Injectable, type NestMiddleware } from '@nestjs/common';
import type { NextFunction, Request, Response } from 'express';
import { recognize } from './administrator.js';
import { SESSION, Sessions } from './sessions.js';

const COOKIE = 'administrator';
// SameSite is not the only protection against other sites: `refuseOtherSites` in src/frame/protection.ts is the second one.
const FLAGS = { httpOnly: true, sameSite: 'lax', secure: process.env.NODE_ENV === 'production' } as const;

/** Recognizes the administrator by a cookie that no script can read. */
@Injectable()
export class SessionMiddleware implements NestMiddleware {
  constructor(private readonly sessions: Sessions) {}

  use(request: Request, _response: Response, next: NextFunction): void {
    const token = /(?:^|; )administrator=([\w.-]+)(?:;|$)/.exec(request.headers.cookie ?? '')?.[1];
    if (token !== undefined && this.sessions.isValid(token)) recognize(request, { name: 'administrator' });
    next();
  }
}

export function setSession(response: Response, token: string): void {
  response.cookie(COOKIE, token, { ...FLAGS, maxAge: SESSION });
}

export function clearSession(response: Response): void {
  response.clearCookie(COOKIE, FLAGS);
}
