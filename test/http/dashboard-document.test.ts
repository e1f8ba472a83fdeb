import { afterEach, describe, expect, test } from '@jest/globals';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { FirstView } from '../../lib/dashboard/first-view.js';
import { Assets } from '../../lib/dashboard/assets.js';
import { startDashboard, type DashboardSetting, type StartedDashboard } from '../support/dashboard-app.js';
import { Gate } from '../support/gate.js';
import { platforms } from '../support/http-app.js';
import { open, request } from '../support/http-client.js';
import { until } from '../support/until.js';

const PATH = '/admin/tasks';
const ENCODINGS = ['br', 'gzip', 'identity'] as const;

describe.each(platforms)('the document of the dashboard on %s', (platform) => {
  let started: StartedDashboard;
  const start = async (setting: DashboardSetting = {}) => {
    started = await startDashboard(platform, setting);
  };
  afterEach(() => started.close());

  const get = (encoding: string, path = PATH) =>
    fetch(started.url + path, { headers: { 'accept-encoding': encoding } });

  /** Lets each overview wait until the test opens the gate. */
  function holdStore(): { readonly gate: Gate; readonly asked: () => number } {
    const gate = new Gate();
    let asked = 0;
    const render = async () => {
      asked++;
      await gate.opened;
      return undefined;
    };
    Object.defineProperty(started.app.get(FirstView, { strict: false }), 'render', { value: render });
    return { gate, asked: () => asked };
  }

  test.each(ENCODINGS)('sends the style of the page before the store has answered (%s)', async (encoding) => {
    await start();
    const { gate } = holdStore();
    const response = await get(encoding);
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    while (!text.includes('</script>')) text += (await reader?.read())?.value ?? '';
    expect(text).toMatch(/<style>.+<\/style>.*<script type="module" src="[^"]+app-1\.js"><\/script>/s);
    expect(text).not.toContain('</head>');
    gate.open();
    for (let part = await reader?.read(); part?.value !== undefined; part = await reader?.read()) text += part.value;
    expect(text).toMatch(/<div id="app"><\/div>.*<\/html>\s*$/s);
  });

  test('is the same in each encoding, and says which it has', async () => {
    await start();
    const documents = await Promise.all(
      ENCODINGS.map(async (encoding) => {
        const response = await get(encoding);
        expect(response.headers.get('content-encoding')).toBe(encoding === 'identity' ? null : encoding);
        expect(response.headers.get('vary')).toContain('Accept-Encoding');
        // Each document has a token of its own.
        return (await response.text()).replace(/&quot;token&quot;:&quot;[^&]+/, '');
      }),
    );
    expect(documents[0]).toMatch(/^<!doctype html>.*<\/html>\s*$/s);
    expect(new Set(documents).size).toBe(1);
  });

  test('leaves what the application says about other headers that an answer depends on', async () => {
    await start({ prepare: (app) => app.enableCors({ origin: ['https://shop.example', /shop/] }) });
    for (const path of [PATH, `${PATH}/assets/app-1.js`]) {
      const vary = (await get('gzip', path)).headers.get('vary') ?? '';
      expect([path, vary.split(/,\s*/).toSorted()]).toEqual([path, ['Accept-Encoding', 'Origin']]);
    }
  });

  test('allows the style sheet that stands in it, and no other style', async () => {
    await start();
    for (const path of [PATH, `${PATH}/workers`]) {
      const response = await get('br', path);
      const [, style = ''] = /<style>(.*?)<\/style>/s.exec(await response.text()) ?? [];
      const hash = createHash('sha256').update(style).digest('base64');
      expect(style).toContain('style-1.css');
      expect(response.headers.get('content-security-policy')).toContain(` style-src 'sha256-${hash}';`);
    }
    const answer = await get('br', `${PATH}/api/overview`);
    expect(answer.headers.get('content-security-policy')).toContain(" style-src 'none';");
  });

  test('is shown before its scripts are loaded, where the server renders it', async () => {
    await start();
    const overview = await (await get('br')).text();
    expect(overview).toContain('<link rel="expect" href="#after-app" blocking="render">');
    expect(overview).toMatch(/<div id="app">.*<noscript id="after-app">/s);
    expect(overview).toContain('<meta name="task-dashboard-parts" content="./tasks/assets/view-1.js">');
    expect(overview).not.toContain('modulepreload');
    const workers = await (await get('br', `${PATH}/workers`)).text();
    expect(workers).toContain('<link rel="modulepreload" href="./assets/view-1.js">');
    expect(workers).not.toMatch(/rel="expect"|task-dashboard-parts/);
  });

  test('answers HEAD as it answers GET, and does not read the store', async () => {
    await start();
    const { asked } = holdStore();
    const headers = { 'accept-encoding': 'gzip' };
    const head = await request(started.url, PATH, { method: 'HEAD', headers });
    expect([head.status, head.text, asked()]).toEqual([200, '', 0]);
    const {
      date,
      'transfer-encoding': chunked,
      ...told
    } = (await request(started.url, `${PATH}/workers`, { headers })).headers;
    expect([typeof date, chunked]).toEqual(['string', 'chunked']);
    expect(head.headers).toMatchObject(told);
  });

  test.each([
    ['user', { user: () => Promise.reject(new Error('no session')) }],
    ['readOnly', { readOnly: () => Promise.reject(new Error('no session')) }],
  ])('is refused before its head is sent when %s fails', async (_, options) => {
    await start({ options });
    const response = await get('br');
    expect(response.status).toBe(500);
    expect(await response.json()).toMatchObject({ code: 'INTERNAL_ERROR' });
    expect(started.log.errors.join('\n')).toContain('no session');
  });

  test('is refused before its head is sent when the page was not built', async () => {
    await start();
    const assets = started.app.get(Assets, { strict: false });
    Object.defineProperty(assets, 'pageFiles', { value: () => new Assets(undefined).pageFiles() });
    expect((await get('br')).status).toBe(500);
    expect(started.log.errors.join('\n')).toContain('The files of the dashboard are missing');
  });

  test('is broken off when it fails behind its head, so that no client takes a part for the whole', async () => {
    await start();
    const render = () => Promise.reject(new Error('a bug'));
    Object.defineProperty(started.app.get(FirstView, { strict: false }), 'render', { value: render });
    await expect(get('br').then((response) => response.text())).rejects.toThrow(/terminated|fetch failed/);
    expect(started.log.errors.join('\n')).toContain('a bug');
  });

  test.each(ENCODINGS)('does not matter to a client that has left (%s)', async (encoding) => {
    await start();
    const { gate, asked } = holdStore();
    const message = await open(started.url, PATH, 'GET', { 'accept-encoding': encoding });
    await once(message, 'data');
    const closed = new Promise((resolve) => message.once('close', resolve));
    message.destroy();
    await closed;
    const connections = () =>
      new Promise<number>((resolve) =>
        started.app.getHttpServer().getConnections((_: unknown, n: number) => resolve(n)),
      );
    await until(async () => (await connections()) === 0, 'the server knows that the client has left');
    gate.open();
    expect((await get(encoding)).status).toBe(200);
    expect(asked()).toBe(2);
    expect(started.log.errors).toEqual([]);
  });
});
