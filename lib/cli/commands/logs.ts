import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import type { TaskLogLine } from '../../admin/task-log-reader.js';
import { isFinal } from '../../engine/task.js';
import type { CommandContext, CommandRun } from '../command-context.js';
import { wholeNumber } from '../parse-options.js';
import { printable, type Style } from '../style.js';
import { timeText } from '../words.js';

interface LogFlags {
  readonly follow?: true;
  readonly limit: number;
}

/** Milliseconds between two reads of a log that is followed. */
const FOLLOW_INTERVAL = 500;
/** Lines of one read. */
const PAGE = 1_000;

export function addLogs(program: Command, context: CommandContext): void {
  program
    .command('logs <id>')
    .description('the lines that a task wrote with TaskContext.log()')
    .option('-f, --follow', 'go on with the lines to come, until the task ends or Ctrl-C')
    .option('--limit <lines>', 'the most lines, the last ones', wholeNumber, PAGE)
    .action((id: string, { follow, limit }: LogFlags, command: Command) =>
      context.withStore(command, async (run) => {
        const { operator, out, terminal } = run;
        const read = async () => (await allLines(run, id, 0)).slice(-limit);
        if (!follow) return out.print(await read(), (shown) => linesText(shown, out.style));
        return terminal.untilInterrupted(async (signal) => {
          const lines = await read();
          print(run, lines);
          for (let last = lines.at(-1)?.index ?? 0; !signal.aborted;) {
            // The state is read first: a task that is final by then writes no more lines.
            const status = await operator.status(id);
            const more = status ? await allLines(run, id, last) : [];
            print(run, more);
            last = more.at(-1)?.index ?? last;
            if (!status || isFinal(status.state)) return;
            await sleep(FOLLOW_INTERVAL, undefined, { signal }).catch(() => undefined);
          }
        });
      }),
    );
}

async function allLines({ operator }: CommandRun, id: string, after: number): Promise<TaskLogLine[]> {
  const lines: TaskLogLine[] = [];
  for (;;) {
    const page = await operator.logs(id, { after: lines.at(-1)?.index ?? after, limit: PAGE });
    lines.push(...page);
    if (page.length < PAGE) return lines;
  }
}

/** Prints lines as they come; with `--json` each as one line of JSON. */
function print({ out }: CommandRun, lines: readonly TaskLogLine[]): void {
  const shown = out.masked(lines);
  out.write(out.isJson ? shown.map((line) => `${JSON.stringify(line)}\n`).join('') : linesText(shown, out.style));
}

function linesText(lines: readonly TaskLogLine[], style: Style): string {
  return lines
    .map(({ at, level, text }) => `${style.dim(timeText(at) ?? '–')} ${levelText(level, style)} ${printable(text)}\n`)
    .join('');
}

function levelText(level: TaskLogLine['level'], style: Style): string {
  const text = level.padEnd(5);
  if (level === 'error') return style.red(text);
  return level === 'warn' ? style.yellow(text) : style.dim(text);
}
