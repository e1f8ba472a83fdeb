import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import * as errors from '../../lib/errors.js';

/** Where the code of a page is that does not stand in `docs/examples/<page>.ts`, `<page>.main.ts` and their like. */
const ELSEWHERE: Readonly<Record<string, readonly string[]>> = {
  'README.md': ['docs/examples/getting-started.ts', 'docs/examples/readme.ts'],
  'batches.md': ['docs/batches.example.ts'],
  'monitoring.md': ['test/support/monitoring/health.controller.ts'],
  'other-tools.md': ['test/support/board.module.ts'],
  'running.md': ['docs/examples/configure-app.ts'],
  'testing.md': ['test/unit/testing/guide.test.ts', 'test/matrix/support/programs.ts'],
};
const PAGES = ['README.md', ...readdirSync('docs').filter((name) => name.endsWith('.md') && name !== 'README.md')];

describe.each(PAGES)('%s', (page) => {
  const text = readFileSync(page === 'README.md' ? page : `docs/${page}`, 'utf8');
  const snippets = Array.from(text.matchAll(/^```ts\n([^]*?)^```/gm), ([, code = '']) => code);
  if (snippets.length === 0) return;

  it('shows code that is compiled', () => {
    const name = page.replace('.md', '');
    const examples = readdirSync('docs/examples')
      .filter((file) => file.startsWith(`${name}.`))
      .map((file) => `docs/examples/${file}`)
      .concat(ELSEWHERE[page] ?? [])
      .map((path) => unindented(readFileSync(path, 'utf8')));
    const paragraphs = snippets.flatMap((code) => code.split(/\n(?:[ ]*\n)+/).map(unindented));
    const unknown = paragraphs.filter((paragraph) => !examples.some((example) => example.includes(paragraph)));
    expect(unknown).toEqual([]);
  });
});

it('the guide leads to every page of docs', () => {
  const guide = readFileSync('docs/README.md', 'utf8');
  const pages = readdirSync('docs').filter((name) => name.endsWith('.md') && name !== 'README.md');
  expect(pages.filter((page) => !guide.includes(`(${page})`))).toEqual([]);
});

it('troubleshooting has the code and the class of every error', () => {
  const page = readFileSync('docs/troubleshooting.md', 'utf8');
  const rows = Array.from(page.matchAll(/^\| `([A-Z_]+)` +\| `(\w+)`/gm), ([, code, name]) => `${name} ${code}`);
  const source = readFileSync('lib/errors.ts', 'utf8');
  const declared = Array.from(
    source.matchAll(/^export class (\w+) [^]*?code(?:: string)? = '([A-Z_]+)'/gm),
    ([, name, code]) => `${name} ${code}`,
  );
  expect(declared.length).toBe(Object.values(errors).length - 1);
  expect(new Set(rows)).toEqual(new Set(declared));
});

/** What of the public API a page has to name, so that its reader finds everything that there is. */
const COMPLETE: readonly (readonly [page: string, type: string, entryPoint?: string])[] = [
  ['options.md', 'TaskQueueOptions'],
  ['options.md', 'QueueOptions'],
  ['options.md', 'HttpOptions'],
  ['options.md', 'IsolationOptions'],
  ['tasks.md', 'TaskOptions'],
  ['tasks.md', 'TaskContext'],
  ['producing.md', 'EnqueueOptions'],
  ['results.md', 'TaskHandle'],
  ['schedules.md', 'TaskSchedules'],
  ['schedules.md', 'ScheduleOptions'],
  ['schedules.md', 'SchedulePolicy'],
  ['schedules.md', 'ScheduleSettings'],
  ['workflows.md', 'Signature'],
  ['batches.md', 'BatchOptions'],
  ['batches.md', 'BatchCall'],
  ['isolation.md', 'IsolateOptions'],
  ['isolation.md', 'IsolationOptions'],
  ['shards.md', 'ShardOptions'],
  ['events.md', 'TaskEventFilter'],
  ['admin.md', 'TaskAdmin'],
  ['admin.md', 'TaskFilter'],
  ['admin.md', 'ActOptions'],
  ['dashboard.md', 'TaskDashboardOptions', 'dashboard'],
  ['dashboard.md', 'TaskDashboardSettings', 'dashboard'],
  ['monitoring.md', 'TaskQueueHealthIndicator', 'health'],
  ['monitoring.md', 'TaskMetricsOptions', 'metrics'],
  ['tracing.md', 'TaskTelemetryOptions', 'telemetry'],
  ['testing.md', 'TaskTesting', 'testing'],
];

it.each(COMPLETE)('%s names every member of %s', (page, type, entryPoint = 'main') => {
  const api = readFileSync(`api/${entryPoint}.api.md`, 'utf8');
  const [, body = ''] =
    new RegExp(`^export (?:interface|class|type) ${type}\\b[^]*?\\{\\n([^]*?)^\\}`, 'm').exec(api) ?? [];
  const members = Array.from(body.matchAll(/^ {4}(?:readonly |get )?(\w+)\??[:(]/gm), ([, name = '']) => name);
  expect(members.length).toBeGreaterThan(0);
  const code = codeOf(readFileSync(`docs/${page}`, 'utf8'));
  expect(members.filter((name) => name !== 'constructor' && !new RegExp(`\\b${name}\\b`).test(code))).toEqual([]);
});

it('the pages have every environment variable, and none that nothing reads', () => {
  const inCode = new Set(
    readdirSync('lib', { recursive: true, encoding: 'utf8' })
      .filter((path) => /\.c?ts$/.test(path))
      .flatMap((path) => variablesOf(readFileSync(`lib/${path}`, 'utf8'))),
  );
  const inPages = new Set(
    ['options.md', 'running.md'].flatMap((page) => variablesOf(readFileSync(`docs/${page}`, 'utf8'))),
  );
  expect([...inPages].toSorted()).toEqual([...inCode].toSorted());
});

function variablesOf(text: string): string[] {
  return Array.from(text.matchAll(/\bTASK_QUEUE_[A-Z_]+\b/g), ([name]) => name);
}

/** The code of a page: its snippets, and what stands in backticks. */
function codeOf(page: string): string {
  const snippets = Array.from(page.matchAll(/^```\w*\n([^]*?)^```/gm), ([, code = '']) => code);
  const inText = Array.from(page.replaceAll(/^```[^]*?^```/gm, '').matchAll(/`([^`]+)`/g), ([, code = '']) => code);
  return [...snippets, ...inText].join('\n');
}

/** The lines without their indentation: an example may stand in a method. */
function unindented(code: string): string {
  return code
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .join('\n');
}
