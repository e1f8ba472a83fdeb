import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { createHash, randomBytes } from 'node:crypto';
import type { NextFunction, Request, Response } from 'express';

const COOKIE = 'visitor';
const FLAGS = { httpOnly: true, sameSite: 'lax', secure: process.env.NODE_ENV === 'production' } as const;

/**
 * Gives every browser a random token in a cookie that no script can read. This sample has no accounts: the browser with
 * the token is the visitor.
 */
export function welcomeVisitor(request: Request, response: Response, next: NextFunction): void {
  if (!tokenOf(request)) {
    const token = randomBytes(32).toString('base64url');
    response.cookie(COOKIE, token, { ...FLAGS, maxAge: 7 * 24 * 60 * 60 * 1000 });
    const { cookie } = request.headers;
    request.headers.cookie = `${cookie === undefined ? '' : `${cookie}; `}${COOKIE}=${token}`;
  }
  next();
}

/**
 * The visitor's name: a hash of the token. It can be a task's argument and the name of a folder, because the cookie
 * cannot be computed from it. `undefined` for a request without a token.
 */
export function visitorOf(request: Request): string | undefined {
  const token = tokenOf(request);
  return token && createHash('sha256').update(token).digest('base64url');
}

/** The visitor of the request, as a parameter of a controller's method. */
export const Visitor = createParamDecorator((_: unknown, context: ExecutionContext) =>
  visitorOf(context.switchToHttp().getRequest<Request>()),
);

function tokenOf(request: Request): string | undefined {
  return /(?:^|; )visitor=([\w-]{43})(?:;|$)/.exec(request.headers.cookie ?? '')?.[1];
}
