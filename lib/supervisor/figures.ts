import type { SummedFigures } from './summed-figures.js';
import type { Supervisor } from './supervisor.js';

/** Text for Prometheus. */
export interface Figures {
  readonly contentType: string;
  readonly text: string;
}

const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** The figures of the supervisor, and behind them those that the applications keep with prom-client, added up over the processes. */
export async function readFigures(supervisor: Supervisor, sums: SummedFigures): Promise<Figures> {
  const own = ownFigures(supervisor);
  const running = await Promise.all(supervisor.processes.map((process) => process.figures()));
  return { contentType: CONTENT_TYPE, text: `${own}${await sums.text(running)}` };
}

function ownFigures({ processes, totals }: Supervisor): string {
  const ready = processes.filter(({ isReady }) => isReady).length;
  const stopping = processes.filter(({ isStopping }) => isStopping).length;
  const sum = (of: (process: (typeof processes)[number]) => number) => processes.reduce((all, one) => all + of(one), 0);
  return [
    ...figure('gauge', 'processes', 'Processes of the worker command, by state.', [
      ['{state="ready"}', ready],
      ['{state="booting"}', processes.length - ready - stopping],
      ['{state="stopping"}', stopping],
    ]),
    ...figure('counter', 'processes_ended_total', 'Processes that have ended, for whatever reason.', [
      ['', totals.ended],
    ]),
    ...figure('counter', 'attempts_total', 'Attempts of tasks that have started.', [['', totals.attempts]]),
    ...figure('gauge', 'running', 'Tasks that run now.', [['', sum(({ status }) => status.running)]]),
    ...figure('gauge', 'resident_memory_bytes', 'Resident memory of all processes.', [
      ['', sum(({ status }) => status.memory)],
    ]),
    '',
  ].join('\n');
}

function figure(type: string, name: string, help: string, values: readonly (readonly [string, number])[]): string[] {
  const full = `task_queue_worker_${name}`;
  return [
    `# HELP ${full} ${help}`,
    `# TYPE ${full} ${type}`,
    ...values.map(([labels, value]) => `${full}${labels} ${value}`),
  ];
}
