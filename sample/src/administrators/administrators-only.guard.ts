import { type CanActivate, type ExecutionContext, Injectable, UnauthorizedException } from '@nestjs/common';
import type { Request } from 'express';
import { isAdministrator } from './administrator.js';

/**
 * Lets in administrators only: `@UseGuards(AdministratorsOnly)` on a controller or a method. A browser that opens a page is led to the
 * sign-in, and comes back afterwards; every other request gets a 401.
 */
@Injectable()
export class AdministratorsOnly implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    if (isAdministrator(context.switchToHttp().getRequest<Request>())) return true;
    throw new UnauthorizedException('Only administrators may do this. Sign in first.');
  }
}
