import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, relative, resolve } from 'node:path';
import type { Command } from 'commander';
import { maskSecrets, maskText } from '../../admin/mask-secrets.js';
import type { CallOfTask } from '../../operator/call-of-task.js';
import type { CommandContext } from '../command-context.js';
import { CommandError } from '../exit-code.js';
import { placeholderOf, withoutValues } from '../replay/placeholders.js';
import { readProject } from '../replay/project.js';
import { testFile, type ReplayedCall } from '../replay/test-file.js';

interface ReplayFlags {
  readonly to: string;
  readonly withValues?: true;
  readonly force?: true;
  readonly module?: string;
}

export function addReplay(program: Command, context: CommandContext): void {
  program
    .command('replay <id>')
    .description('write a test that fails as this task failed, on the memory engine')
    .requiredOption('--to <file>', 'the test file: test/replay.spec.ts')
    .option('--with-values', 'write the real arguments and headers instead of placeholders of their types')
    .option('--module <file#class>', "the application's module; default: src/app.module.ts#AppModule")
    .option('--force', 'replace the file')
    .action((id: string, flags: ReplayFlags, command: Command) => {
      const { folder } = context.terminal;
      const file = resolve(folder, flags.to);
      const project = readProject(folder, file, flags.module);
      return context.withStore(command, async ({ operator, out, flags: { reveal = false } }) => {
        const call = toReplay(await operator.callOf(id), flags.withValues ?? false, reveal);
        await write(file, testFile(call, project), flags.force ?? false);
        const path = relative(folder, file);
        out.print(
          { id, name: call.name, file: path, withValues: flags.withValues ?? false },
          () => `Wrote ${path}. ${call.about}\n`,
        );
      });
    });
}

/** @param reveal whether values that are named like secrets are written too */
export function toReplay(call: CallOfTask, withValues: boolean, reveal: boolean): ReplayedCall {
  const { id, name, attempt, maxAttempts, failedAt, error } = call;
  const shown = `${error.name}: ${error.message}`;
  const known = { id, name, attempt, maxAttempts, failedAt, errorName: error.name };
  if (!withValues) {
    return {
      ...known,
      args: call.args.map(placeholderOf),
      headers: placeholderOf(call.headers) as Record<string, string>,
      error: withoutValues(shown, [call.args, call.headers]),
      about:
        'Each value is a placeholder of its type. Replace those that the failure depends on, or use --with-values.',
    };
  }
  const [args, headers] = reveal ? [call.args, call.headers] : maskSecrets([call.args, call.headers] as const);
  const isMasked = JSON.stringify([args, headers]) !== JSON.stringify([call.args, call.headers]);
  return {
    ...known,
    args,
    headers,
    error: reveal ? shown : maskText(shown),
    about: isMasked
      ? 'The values are those of the task, but for those that are named like secrets (see --reveal).'
      : 'The values are those of the task. Check that they may be kept with the code.',
  };
}

async function write(file: string, text: string, force: boolean): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  try {
    await writeFile(file, text, { flag: force ? 'w' : 'wx' });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new CommandError(
      code === 'EEXIST' ? `${file} is there already. Give another file with --to, or --force to replace it.` : message,
    );
  }
}
