import type { NestExpressApplication } from '@nestjs/platform-express';
import type { NextFunction, Request, Response } from 'express';
import helmet from 'helmet';
import { fileURLToPath } from 'node:url';
import { welcomeVisitor } from '../visitors/visitor.js';
import { SAMPLE } from './source-code.js';

const SAFE_METHODS = ['GET', 'HEAD', 'OPTIONS'];

/**
 * Sets what every answer of a careful application has, in this order:
 *
 * 1. headers that forbid foreign scripts, frames and guessed types;
 * 2. static files, which a cache may keep because they come without a cookie;
 * 3. a refusal of changes that another site asks for;
 * 4. for everything else a cookie of the visitor, and no cache.
 */
export function protect(app: NestExpressApplication): void {
  app.disable('x-powered-by');
  app.use(
    helmet({
      contentSecurityPolicy: {
        useDefaults: false,
        directives: {
          defaultSrc: ["'none'"],
          scriptSrc: ["'self'"],
          styleSrc: ["'self'"],
          imgSrc: ["'self'"],
          connectSrc: ["'self'"],
          formAction: ["'self'"],
          baseUri: ["'none'"],
          frameAncestors: ["'none'"],
        },
      },
      frameguard: { action: 'deny' },
      // The proxy that adds HTTPS also promises it.
      strictTransportSecurity: false,
    }),
  );
  app.useStaticAssets(fileURLToPath(new URL('public', SAMPLE)), { index: false });
  app.use(refuseOtherSites, keepOutOfCaches, welcomeVisitor);
}

/**
 * Refuses changes that a page of another site sends with the visitor's cookies. Browsers name the site in `Sec-Fetch-Site`, older ones
 * only the origin. A client without both headers is no browser, and has no cookies that another site could misuse.
 */
export function refuseOtherSites(request: Request, response: Response, next: NextFunction): void {
  const { 'sec-fetch-site': site, origin, host } = request.headers;
  const isOwn =
    site === undefined ? origin === undefined || isOriginOf(origin, host) : site === 'same-origin' || site === 'none';
  if (isOwn || SAFE_METHODS.includes(request.method)) next();
  else response.status(403).json({ message: 'Only a page of this site may ask for changes.' });
}

function isOriginOf(origin: string, host: string | undefined): boolean {
  return URL.canParse(origin) && new URL(origin).host === host;
}

function keepOutOfCaches(_request: Request, response: Response, next: NextFunction): void {
  response.setHeader('Cache-Control', 'private, no-store');
  next();
}
