import { type ArgumentsHost, Catch, type ExceptionFilter, UnauthorizedException } from '@nestjs/common';
import type { Request, Response } from 'express';

/** Leads a browser that opens a page of administrators to the sign-in. Scripts and other clients get the error itself. */
@Catch(UnauthorizedException)
export class SignInFilter implements ExceptionFilter<UnauthorizedException> {
  catch(error: UnauthorizedException, host: ArgumentsHost): void {
    const request = host.switchToHttp().getRequest<Request>();
    const response = host.switchToHttp().getResponse<Response>();
    const isPage = request.method === 'GET' && request.accepts(['json', 'html']) === 'html';
    if (isPage) response.redirect(303, `/sign-in?next=${encodeURIComponent(request.originalUrl)}`);
    else response.status(error.getStatus()).json({ message: error.message });
  }
}
