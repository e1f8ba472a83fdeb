import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import type { Command } from 'commander';
import type { Conversion, Remark } from '../../codemod/conversion.js';
import { convertProcessors } from '../../codemod/convert-processors.js';
import { loadTsMorph } from '../../codemod/load-ts-morph.js';
import type { CommandContext } from '../command-context.js';
import { CommandError, EXIT } from '../exit-code.js';
import { count } from '../words.js';

interface CodemodFlags {
  readonly write?: true;
  readonly jobs?: string;
}

interface FileReport extends Omit<Conversion, 'text'> {
  readonly file: string;
  readonly converted: boolean;
}

export function addCodemod(program: Command, context: CommandContext): void {
  program
    .command('codemod <paths...>')
    .description('make @Task() methods of the @Processor() classes of @nestjs/bullmq in files or folders')
    .option('--write', 'change the files; without it, the new text is printed')
    .option('--jobs <names>', 'the names of the jobs of a process() without switch (job.name): welcome,digest')
    .addHelpText(
      'after',
      '\nIt needs the package ts-morph: npm install --save-dev ts-morph. docs/from-bullmq.md tells the rest.',
    )
    .action(async (paths: string[], flags: CodemodFlags, command: Command) => {
      const out = context.outputOf(command);
      const { folder } = context.terminal;
      const files = (await Promise.all(paths.map((path) => sourcesIn(resolve(folder, path))))).flat();
      const ts = await loadTsMorph();
      const project = new ts.Project({ useInMemoryFileSystem: true, compilerOptions: { allowJs: true } });
      const sources = await Promise.all(
        files.map(async (file) => project.createSourceFile(file, await readFile(file, 'utf8'), { overwrite: true })),
      );
      const jobs = flags.jobs?.split(',').map((name) => name.trim());
      const reports: FileReport[] = [];
      for (const [index, source] of sources.entries()) {
        const others = sources.filter((each) => each !== source);
        const { text, ...rest } = convertProcessors(ts, source, { others, ...(jobs && { jobs }) });
        if (text === undefined && rest.refusals.length === 0) continue;
        const path = files[index] as string;
        reports.push({ file: relative(folder, path), converted: text !== undefined, ...rest });
        if (text === undefined) continue;
        if (flags.write) await writeFile(path, text);
        else if (!out.isJson) out.write(text);
      }
      if (reports.length === 0)
        throw new CommandError(`No class with @Processor() that extends WorkerHost is in ${paths.join(', ')}.`);
      if (out.isJson) out.print(reports, () => '');
      else for (const report of reports) out.note(reportText(report, flags.write ?? false));
      context.exitCode = reports.some(({ refusals }) => refusals.length > 0) ? EXIT.failed : EXIT.done;
    });
}

/** The TypeScript files at a path, without tests, declarations and packages. */
async function sourcesIn(path: string): Promise<string[]> {
  const found = await stat(path).catch(() => undefined);
  if (!found) throw new CommandError(`${path} does not exist.`);
  if (found.isFile()) return [path];
  const entries = await readdir(path, { withFileTypes: true });
  const inside = await Promise.all(
    entries.map(async (entry) => {
      if (entry.isDirectory())
        return /^(node_modules|dist|\..*)$/.test(entry.name) ? [] : sourcesIn(join(path, entry.name));
      return /(?<!\.d|\.spec|\.test)\.ts$/.test(entry.name) ? [join(path, entry.name)] : [];
    }),
  );
  return inside.flat();
}

function reportText({ file, converted, tasks, todos, refusals }: FileReport, isWritten: boolean): string {
  const lines = (remarks: readonly Remark[]) => remarks.map(({ line, text }) => `  ${file}:${line}  ${text}`);
  if (!converted)
    return [
      `${file}: not converted, because of ${count(refusals.length, 'place')}. Change them by hand, then run the codemod again.`,
      ...lines(refusals),
    ].join('\n');
  const made = tasks.map(({ name, method }) => `${method} (jobs ${name})`).join(', ');
  return [
    `${file}: ${isWritten ? 'written' : 'not written, see --write'}; ${count(tasks.length, 'task')}: ${made}.`,
    ...lines(todos),
  ].join('\n');
}
