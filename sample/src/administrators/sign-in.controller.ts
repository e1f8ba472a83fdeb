import { Body, Controller, Get, Header, HttpCode, Post, Query, Redirect, Req, Res } from '@nestjs/common';
import type { Request, Response } from 'express';
import { z } from 'zod';
import { html } from '../frame/html.js';
import { shell } from '../frame/shell.js';
import { clearSession, setSession } from './session.middleware.js';
import { Sessions } from './sessions.js';

const form = z.object({ password: z.string().max(200), next: z.string().max(2000).default('/') });

@Controller()
export class SignInController {
  constructor(private readonly sessions: Sessions) {}

  @Get('sign-in')
  @Header('Content-Type', 'text/html; charset=utf-8')
  page(@Req() request: Request, @Query('next') next: unknown): string {
    return signInPage(request, ownAddress(next));
  }

  @Post('sign-in')
  @HttpCode(200)
  signIn(
    @Req() request: Request,
    @Res() response: Response,
    @Body({ schema: form }) { password, next }: z.infer<typeof form>,
  ): void {
    const isRight = this.sessions.check(password);
    if (isRight) {
      setSession(response, this.sessions.begin());
      response.redirect(303, ownAddress(next));
    } else {
      const [status, reason] =
        isRight === undefined
          ? [429, 'Too many wrong passwords. Try again in a minute.']
          : [401, 'This is not the password.'];
      response
        .status(status)
        .type('html')
        .send(signInPage(request, ownAddress(next), reason));
    }
  }

  @Post('sign-out')
  @Redirect('/', 303)
  signOut(@Res({ passthrough: true }) response: Response): void {
    clearSession(response);
  }
}

function signInPage(request: Request, next: string, reason?: string): string {
  const content = html`<section class="narrow">
    <form method="post" action="/sign-in" class="fields">
      <input type="hidden" name="next" value="${next}" />
      <div>
        <label for="password">Password</label>
        <input id="password" name="password" type="password" autocomplete="current-password" required autofocus />
        <small>The sample prints it when it starts, or <code>SAMPLE_ADMIN_PASSWORD</code> sets it.</small>
      </div>
      ${reason === undefined ? undefined : html`<p class="error" role="alert">${reason}</p>`}
      <p class="row"><button>Sign in</button></p>
    </form>
  </section>`;
  const sentence = 'Administrators change the schedules and see the dashboard with the tasks of all visitors.';
  return shell(request, { title: 'Sign in', sentence, content });
}

/** An address of this site as it is given, else `/`. A form must not lead to another site after the sign-in. */
export function ownAddress(next: unknown): string {
  return typeof next === 'string' && /^\/(?![/\\])[\x21-\x7e]*$/.test(next) ? next : '/';
}
