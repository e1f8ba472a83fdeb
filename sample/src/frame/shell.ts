import type { Request } from 'express';
import { isAdministrator } from '../administrators/administrator.js';
import { FEATURES } from '../features.js';
import { type Html, html } from './html.js';

export interface Page {
  readonly title: string;
  readonly sentence?: string;
  readonly content: Html;
}

/** Puts the content of a page into the shell that all pages share: head, navigation, title. */
export function shell(request: Request, { title, sentence, content }: Page): string {
  const isSignedIn = isAdministrator(request);
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>${title} · nestjs-task-queue</title>
        <link rel="icon" href="/icon.svg" type="image/svg+xml" />
        <link rel="stylesheet" href="/tokens.css" />
        <link rel="stylesheet" href="/style.css" />
        <script src="/theme.js"></script>
      </head>
      <body class="${isSignedIn ? 'administrator' : 'visitor'}">
        <a class="skip" href="#main">To the content</a>
        <aside>
          <a class="brand" href="/" aria-label="The sample"
            ><img src="/icon.svg" alt="" width="32" height="32" /> <span>The sample</span></a
          >
          <nav aria-label="Pages">
            <ul>
              ${FEATURES.map((feature) => link(request, `/features/${feature.path}`, feature.title))}
            </ul>
            <ul class="manage">
              ${link(request, '/admin/tasks', 'Dashboard')}
              ${isSignedIn ? signOut : link(request, `/sign-in?next=${encodeURIComponent(request.originalUrl)}`, 'Sign in')}
            </ul>
          </nav>
          <button type="button" class="second small" id="theme" hidden>Theme: <span></span></button>
        </aside>
        <main id="main" tabindex="-1">
          <header>
            <h1>${title}</h1>
            ${sentence === undefined ? undefined : html`<p>${sentence}</p>`}
          </header>
          ${content}
        </main>
      </body>
    </html> `;
  return page.text;
}

const signOut = html`<li>
  <form method="post" action="/sign-out"><button class="link">Sign out</button></form>
</li>`;

function link(request: Request, href: string, text: string): Html {
  const isCurrent = new URL(href, 'http://sample').pathname === request.path;
  return html`<li><a href="${href}" ${isCurrent && html`aria-current="page"`}>${text}</a></li>`;
}
