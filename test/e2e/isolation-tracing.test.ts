import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { context, propagation, trace } from '@opentelemetry/api';
import { TaskTelemetryModule } from 'nestjs-task-queue/telemetry';
import { boot } from '../support/boot.js';
import { childEnvironment } from '../support/isolated-children.js';
import { linksOf, placeOfSpan, Spans } from '../support/spans.js';
import { Reports, TRACED_PROVIDERS } from './support/isolated-traced.js';
import type { SentSpan } from './support/traced-sdk.js';

/** A parent process and its child for isolated tasks, both with the SDK of OpenTelemetry. */

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));
const app = path('support/isolated-traced.ts');
childEnvironment();
process.env['NODE_OPTIONS'] += ` --import ${path('support/traced-sdk.ts')}`;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'isolation-tracing-'));
  process.env['SPANS'] = join(folder, 'spans');
  writeFileSync(join(folder, 'spans'), '');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** The spans that the child has exported. */
const spansOfChild = () =>
  readFileSync(join(folder, 'spans'), 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as SentSpan);

it('the spans of a child, and the tasks that it enqueues, belong to the trace of the attempt in its parent', async () => {
  const spans = new Spans().register();
  const options = { connection: 'memory:', isolation: { app, processes: 1 } };
  const { app: running, queue } = await boot(options, TRACED_PROVIDERS, false, [TaskTelemetryModule.forRoot()]);
  const baggage = propagation.createBaggage({ tenant: { value: 'acme' } });
  const handle = await trace.getTracer('test').startActiveSpan('request', async (span) => {
    const request = propagation.setBaggage(context.active(), baggage);
    return context.with(request, () => queue.of(Reports).build.enqueue()).finally(() => span.end());
  });
  expect(await handle.result({ timeout: '30s' })).toBe('acme');
  const run = await spans.run(handle.id);
  const next = await spans.named('run letters.send');
  // The child collects its spans, and exports them when it closes.
  await running.close();
  const ofChild = spansOfChild();
  const [sent, render] = ['enqueue letters.send', 'render'].map((name) => ofChild.find((span) => span.name === name));
  expect(render?.parent).toBe(placeOfSpan(run));
  expect(sent?.parent).toBe(render?.place);
  expect(linksOf(next)).toEqual([sent?.place]);
  // The attempt has one span, which is in the parent.
  expect(ofChild.map(({ name }) => name).toSorted()).toEqual(['enqueue letters.send', 'render']);
  await spans.close();
}, 90_000);
