import type { ForkOptions } from 'node:child_process';
import type { ApplicationFile } from './application-file.js';
import { BuildWatch } from './build-watch.js';
import { readFigures } from './figures.js';
import { HealthServer } from './health-server.js';
import type { SupervisorSettings } from './settings.js';
import { followSignals } from './signals.js';
import { Supervisor } from './supervisor.js';
import { SummedFigures } from './summed-figures.js';
import { SupervisorLog } from './supervisor-log.js';

export interface RunWorker {
  readonly application: ApplicationFile;
  readonly settings: SupervisorSettings;
  /** The environment of the processes. It has the passwords, which no argument has. */
  readonly env: NodeJS.ProcessEnv;
  readonly write: (text: string) => void;
}

/** How the command ended. */
export type WorkerEnd =
  | { readonly kind: 'stopped' }
  /** A second signal, or a third. */
  | { readonly kind: 'interrupted'; readonly signal: 'SIGTERM' | 'SIGINT' }
  | { readonly kind: 'gave up'; readonly reason: string; readonly isLasting: boolean };

/**
 * Runs an application in processes until a signal stops them, or none comes up.
 *
 * @throws Error when the health port is in use
 */
export async function runWorker({ application, settings, env, write }: RunWorker): Promise<WorkerEnd> {
  const log = new SupervisorLog(write, settings);
  const figures = new SummedFigures(application.file);
  const supervisor = new Supervisor({ application, settings, log, forkOptions: forkOptions(env), figures });
  const health = await openHealth(supervisor, figures, settings, log);
  let interruptedBy: 'SIGTERM' | 'SIGINT' | undefined;
  const stopFollowing = followSignals({
    stop(signal, isRepeated) {
      if (interruptedBy) return supervisor.kill();
      if (isRepeated) {
        interruptedBy = signal;
        log.line(`A second ${signal}: all processes end now, and give their tasks back.`);
        return supervisor.stopAtOnce();
      }
      const running = supervisor.processes.reduce((sum, { status }) => sum + status.running, 0);
      log.line(
        `${signal}: takes no more tasks, and waits for ${running === 0 ? 'those that run' : `about ${running} that run`}. A second one ends at once.`,
      );
      void supervisor.stop();
    },
    restart() {
      log.line('SIGHUP: replaces one process after the other.');
      void supervisor.restartAll();
    },
  });
  const watch = settings.watch ? new BuildWatch(application.file, () => void onBuild(supervisor, log)) : undefined;
  log.line(
    `${settings.processes} process${settings.processes === 1 ? '' : 'es'} of ${application.shown}. SIGTERM stops, SIGHUP restarts${watch ? ', a new build restarts too' : ''}.`,
  );
  const failure = await supervisor.run();
  watch?.close();
  health?.close();
  stopFollowing();
  if (failure) {
    return { kind: 'gave up', reason: failure.stack ?? failure.message, isLasting: failure.isLasting };
  }
  log.line('All processes have ended.');
  return interruptedBy ? { kind: 'interrupted', signal: interruptedBy } : { kind: 'stopped' };
}

function onBuild(supervisor: Supervisor, log: SupervisorLog): Promise<void> {
  log.line('A new build: replaces one process after the other.');
  return supervisor.restartAll();
}

async function openHealth(
  supervisor: Supervisor,
  sums: SummedFigures,
  { health }: SupervisorSettings,
  log: SupervisorLog,
): Promise<HealthServer | undefined> {
  if (!health) return undefined;
  const server = new HealthServer({
    problems: () => supervisor.problems(),
    figures: () => readFigures(supervisor, sums),
  });
  const port = await server.listen(health);
  log.line(`/live, /ready and /metrics are on http://${health.host}:${port}.`);
  return server;
}

/** The processes have the loaders of this one, and write where it writes. */
function forkOptions(env: NodeJS.ProcessEnv): ForkOptions {
  const inspects = [...process.execArgv, env['NODE_OPTIONS'] ?? ''].some((argument) => /--inspect/.test(argument));
  return {
    env,
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    serialization: 'json',
    execArgv: [
      ...process.execArgv.filter((argument) => !argument.startsWith('--inspect-port')),
      // Each process has a port of its own, because that of this process is in use.
      ...(inspects ? ['--inspect-port=0'] : []),
    ],
  };
}
