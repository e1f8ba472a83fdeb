import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import * as ts from 'ts-morph';
import { convertProcessors } from '../../../lib/codemod/convert-processors.js';
import { loadTsMorph } from '../../../lib/codemod/load-ts-morph.js';
import { ConfigurationError } from '../../../lib/errors.js';

const folder = join(import.meta.dirname, '../../support/codemod');
const read = (path: string) => readFileSync(join(folder, path), 'utf8');

function convert(text: string, options: { others?: Record<string, string>; jobs?: string[] } = {}) {
  const project = new ts.Project({ useInMemoryFileSystem: true });
  const others = Object.entries(options.others ?? {}).map(([name, other]) => project.createSourceFile(name, other));
  return convertProcessors(ts, project.createSourceFile('a.ts', text), { ...options, others });
}

describe('three processors as applications have them', () => {
  // test/contract/codemod.test.ts runs the results.
  it.each([
    ['mail', {}],
    ['video', { 'producer.ts': read('before/video.producer.ts') }],
    ['billing', {}],
  ])('%s', (name, others) => {
    const { text, refusals } = convert(read(`before/${name}.processor.ts`), { others });
    expect(refusals).toEqual([]);
    expect(text).toBe(read(`after/${name}.processor.ts`));
  });

  it('says what a person has to do, with the line', () => {
    expect(convert(read('before/billing.processor.ts')).todos).toEqual([
      { line: 57, text: expect.stringContaining('TaskAdmin.task(event.id)') },
      { line: 62, text: expect.stringContaining('no event of this package stands for "error"') },
    ]);
  });
});

/** A processor with this code in `process()`. */
function processor(body: string, more = '', parameters = 'job: Job'): string {
  return `import { Processor, WorkerHost } from '@nestjs/bullmq';
import { Job } from 'bullmq';
@Processor('mail')
export class Mails extends WorkerHost {
  async process(${parameters}) {
${body}
  }
${more}
}
`;
}

describe('what cannot be converted is named, with its line, and the file stays as it is', () => {
  it.each([
    ['a job that leaves the class', 'switch (job.name) { case "a": return send(job); }', 6, 'the job itself is used'],
    ['a member that has no counterpart', 'switch (job.name) { case "a": await job.remove(); }', 6, 'job.remove'],
    ['a case that falls through', 'switch (job.name) { case "a": one(); case "b": two(); }', 6, 'next case'],
    ['no switch, no names', 'return job.data;', 5, '--jobs'],
    ['the worker of BullMQ', 'switch (job.name) { case "a": await this.worker.pause(); }', 6, 'this.worker'],
    ['the token', 'switch (job.name) { case "a": await lock(token); }', 6, 'token', '', 'job: Job, token: string'],
  ])('%s', (_what, body, line, text, more = '', parameters = 'job: Job') => {
    const conversion = convert(processor(body, more, parameters));
    expect(conversion.text).toBeUndefined();
    expect(conversion.refusals).toContainEqual({ line, text: expect.stringContaining(text) });
  });

  it('a class that extends another one', () => {
    const { refusals } = convert("@Processor('mail') export class Mails extends Base { process(job: Job) {} }");
    expect(refusals).toEqual([{ line: 1, text: 'the class extends Base and not WorkerHost' }]);
  });
});

describe('convertProcessors', () => {
  it('leaves a file without processors alone', () => {
    expect(convert('export class Nothing {}')).toEqual({ text: undefined, tasks: [], todos: [], refusals: [] });
  });

  it('gives a process() without switch the names that it is told', () => {
    const { text } = convert(processor('    return job.data;'), { jobs: ['a', 'b'] });
    expect(text).toContain("@Task({ name: 'a', aliases: ['b'], accepts: 'job' })\n  async process(data: any) {");
  });

  it('keeps the code of a default that does something as a TODO', () => {
    const { text, todos } = convert(
      processor('switch (job.name) { case "a": return 1; default: return this.rest(); }', 'rest() {}'),
    );
    expect(todos).toEqual([{ line: 6, text: expect.stringContaining('return this.rest();') }]);
    expect(text).toContain('// TODO(codemod): jobs of other names ran this');
  });

  it('gives methods names that are free', () => {
    const more = 'send(text: string) {}';
    const { tasks } = convert(
      processor('switch (job.name) { case "send": return 1; case "2nd try": return 2; }', more),
    );
    expect(tasks.map(({ method }) => method)).toEqual(['sendTask', 'job2ndTry']);
  });
});

it('without ts-morph, the error has the command that installs it', async () => {
  const load = () => Promise.reject(Object.assign(new Error('none'), { code: 'ERR_MODULE_NOT_FOUND' }));
  await expect(loadTsMorph(load)).rejects.toThrow(ConfigurationError);
  await expect(loadTsMorph(load)).rejects.toThrow('npm install --save-dev ts-morph');
});
