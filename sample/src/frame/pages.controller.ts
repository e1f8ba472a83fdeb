import { Controller, Get, Header, NotFoundException, Param, Req } from '@nestjs/common';
import type { Request } from 'express';
import { readFile } from 'node:fs/promises';
import { FEATURES } from '../features.js';
import { html, trusted } from './html.js';
import { shell } from './shell.js';
import { SAMPLE, sourceCode } from './source-code.js';

/** The start page, and a page for each feature of the list. */
@Controller()
export class PagesController {
  @Get()
  @Header('Content-Type', 'text/html; charset=utf-8')
  start(@Req() request: Request): string {
    const content = html`<ul class="features">
      ${FEATURES.map(
        ({ path, title, sentence }) =>
          html`<li>
            <h2><a href="/features/${path}">${title}</a></h2>
            <p>${sentence}</p>
          </li>`,
      )}
    </ul>`;
    const sentence =
      'Small programs to play with and to copy from. Each button enqueues a task and is answered at once; reload whenever you like, the task goes on.';
    return shell(request, { title: 'Nothing here makes you wait', sentence, content });
  }

  @Get('features/:path')
  @Header('Content-Type', 'text/html; charset=utf-8')
  async feature(@Param('path') path: string, @Req() request: Request): Promise<string> {
    const feature = FEATURES.find((one) => one.path === path);
    if (!feature) throw new NotFoundException('There is no such feature.');
    const { title, sentence, sources } = feature;
    const [page, code] = await Promise.all([
      readFile(new URL(`pages/${feature.path}.html`, SAMPLE), 'utf8'),
      sourceCode(sources),
    ]);
    const content = html`<div class="feature">
      <div class="stage">${trusted(page)}</div>
      <section class="how" aria-labelledby="how-title">
        <h2 id="how-title">How it is done</h2>
        <p>The files of this feature, as they run here.</p>
        ${code}
      </section>
    </div>`;
    return shell(request, { title, sentence, content });
  }
}
