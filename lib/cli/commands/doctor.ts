import type { Command } from 'commander';
import { problemsOf } from '../../admin/problems.js';
import { fine, finding, type Finding } from '../../engine/ports/diagnosis-port.js';
import type { Operator } from '../../operator/operations.js';
import type { CommandContext } from '../command-context.js';
import { CommandError, EXIT } from '../exit-code.js';
import type { Output } from '../output.js';
import { printable, type Style } from '../style.js';
import { count } from '../words.js';

export function addDoctor(program: Command, context: CommandContext): void {
  program
    .command('doctor')
    .description(
      'check the engine, its settings, queues, workers and schedules, each with its cure; exit code 1 when a check fails',
    )
    .action(async (_options: unknown, command: Command) => {
      const out = context.outputOf(command);
      const findings = await examine(context, command);
      out.print(findings, (shown) => findingsText(shown, out));
      context.exitCode = findings.some(({ level }) => level === 'fail') ? EXIT.failed : EXIT.done;
    });
}

async function examine(context: CommandContext, command: Command): Promise<Finding[]> {
  const findings: Finding[] = [];
  try {
    await context.withStore(command, async ({ operator }) => {
      findings.push(...(await operator.diagnose()));
      findings.push(...(await examineTasks(operator)));
    });
  } catch (error) {
    if (error instanceof CommandError && error.exitCode === EXIT.usage) throw error;
    const isExplained = findings.some(({ level }) => level === 'fail');
    const cure = isExplained
      ? 'Mend what failed above first.'
      : 'Start the engine, or correct --url, --prefix and TASK_QUEUE_URL.';
    findings.push(finding('engine', 'fail', (error as Error).message, cure));
  }
  return findings;
}

async function examineTasks(operator: Operator): Promise<Finding[]> {
  const [queues, workers, schedules] = await Promise.all([operator.queues(), operator.workers(), operator.schedules()]);
  const problems = problemsOf({ queues, workers, schedules, now: await operator.now() });
  const isFine = (check: string) => !problems.some((problem) => problem.check === check);
  const alive = workers.filter(({ state }) => state === 'alive').length;
  return [
    ...(isFine('paused') ? [fine('paused', `${count(queues.length, 'queue')}, none is paused.`)] : []),
    ...(isFine('workers') ? [fine('workers', `${count(alive, 'worker')} alive, every queue with tasks has one.`)] : []),
    ...(isFine('lost workers') ? [fine('lost workers', 'No worker was lost in the last ten minutes.')] : []),
    ...(isFine('schedules') ? [fine('schedules', `${count(schedules.length, 'schedule')}, none is broken.`)] : []),
    ...problems,
  ];
}

export function findingsText(findings: readonly Finding[], out: Pick<Output, 'style'>): string {
  const width = Math.max(...findings.map(({ check }) => check.length));
  return findings.map((one) => findingText(one, width, out.style)).join('');
}

/** A line for the finding, and under it one for the cure. @param width columns of the name of the check */
export function findingText({ check, level, text, cure }: Finding, width: number, style: Style): string {
  const paint = level === 'ok' ? style.green : level === 'warn' ? style.yellow : style.red;
  const line = `${paint(level.padEnd(4))}  ${check.padEnd(width)}  ${printable(text)}\n`;
  return cure === null ? line : `${line}${' '.repeat(width + 8)}${style.dim(`→ ${printable(cure)}`)}\n`;
}
