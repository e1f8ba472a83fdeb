import type { EngineName, World } from '../support/world.js';
import {
  deployedAndTakenBack,
  killedAgainAndAgain,
  killedWhileSettling,
  killedWithBatches,
  killedWithPlaces,
  poisonousCall,
  stoppedServerAndDeploy,
} from './batches.js';
import { changedClock, fiveClocks, wrongClock } from './clocks.js';
import { atMostOnce, eventLoop, killedWorker, manyCallers, poisonTask } from './delivery.js';
import { failover } from './failover.js';
import { killedInStatement, killedWhileItTakes, mixedQueue } from './lane.js';
import { outage, repeatedCuts, type OutageKind } from './outage.js';
import { restartedPooler } from './poolers.js';
import { killedInTick, missedTicks, noOverlap, replicasComeAndGo } from './schedules.js';
import { closing, closingUnconnected, deafClients, graceIsOver, rollingDeploy } from './shutdown.js';
import { sabotage } from './sabotage.js';
import { killedBeforeEachCommand } from './settling.js';
import { sentinelFailover } from './sentinel.js';
import { versionsSideBySide } from './versions.js';
import { killedWorkflows } from './workflows.js';

/** A real fault, and assertions about the tasks. `run` throws when an assertion fails. */
export interface Scenario {
  readonly topic: Topic;
  /** The row of the table in docs/faults.md. */
  readonly name: string;
  readonly engines: readonly EngineName[];
  readonly open?: { durable?: boolean };
  run(world: World): Promise<void>;
}

export type Topic =
  | 'delivery'
  | 'batches'
  | 'lane'
  | 'sabotage'
  | 'shutdown'
  | 'outage'
  | 'failover'
  | 'schedules'
  | 'versions'
  | 'clocks';

const BOTH = ['redis', 'postgres'] as const;

/** @param size `quick` for `npm test`, `full` for the table in docs/faults.md */
export function scenarios(size: 'quick' | 'full'): Scenario[] {
  const full = size === 'full';
  const some = (topic: Topic, named: Record<string, Scenario['run']>): Scenario[] =>
    Object.entries(named).map(([name, run]) => ({ topic, name, engines: BOTH, run }));
  return [
    ...some('delivery', {
      'a worker is killed while it runs 50 tasks': (world) => killedWorker(world, { tasks: 50 }),
      'a task kills its process, twice': poisonTask,
      'a worker is killed while it runs at-most-once tasks': atMostOnce,
      'the event loop is blocked': eventLoop,
      'workers are killed again and again while workflows run': (world) =>
        killedWorkflows(world, full ? { kills: 8, each: 30 } : { kills: 2, each: 15 }),
      'four processes enqueue the same task, a hundred times at once': manyCallers,
      // `npm test` does it for each way in which a task can end (settling.test.ts).
      ...(full && {
        'a worker is killed before each command that stores an end': (world: World) =>
          killedBeforeEachCommand(world, { commands: 4 }),
      }),
    }),
    ...some('batches', {
      'a worker is killed while it runs batches': killedWithBatches,
      'workers with batches are killed and closed again and again': (world) =>
        killedAgainAndAgain(world, { kills: full ? 10 : 3 }),
      'a call makes its batch throw': poisonousCall,
      'a deploy gives a task batches, and is taken back': (world) =>
        deployedAndTakenBack(world, { calls: full ? 20 : 6 }),
      // It starts a dozen processes one after the other, for which a busy machine takes minutes.
      ...(full && {
        'workers are killed while batches run, of which so many may run at once': (world: World) =>
          killedWithPlaces(world, { kills: 10 }),
        'a worker is killed while it stores the ends of a batch': (world: World) =>
          killedWhileSettling(world, { kills: 4 }),
      }),
    }),
    ...some('batches', {
      'the server is stopped while batches run, and a worker is replaced': stoppedServerAndDeploy,
    }).map((scenario): Scenario => ({ ...scenario, open: { durable: true } })),
    ...some('lane', {
      'a worker is killed while it stores the ends of many tasks': killedInStatement,
      'a process is killed while one statement stores a task and takes it': killedWhileItTakes,
      'two workers share a queue of plain and other tasks': (world) => mixedQueue(world, { each: full ? 200 : 50 }),
    }).map((scenario): Scenario => ({ ...scenario, engines: ['postgres'] })),
    ...some('sabotage', {
      'stored tasks are damaged and messages malformed': (world) =>
        sabotage(world, full ? { tasks: 2_000, damaged: 100 } : { tasks: 300, damaged: 20 }),
    }),
    ...some('shutdown', {
      'workers are replaced under load': (world) => rollingDeploy(world, { tasks: full ? 300 : 100 }),
      'a worker is stopped and its tasks take too long': graceIsOver,
      'a web process is stopped while clients never read': deafClients,
      'closing, twice': (world) => closing(world, 'runs'),
      'closing while the server is stopped': (world) => closing(world, 'is stopped'),
      'closing while the server is frozen': (world) => closing(world, 'is frozen'),
      'closing before there ever was a server': closingUnconnected,
    }),
    ...outages(full),
    ...some('outage', { 'the connection is cut again and again': (world) => repeatedCuts(world, full ? 50 : 5) }),
    ...some('schedules', {
      'schedules while replicas come and go': (world) => replicasComeAndGo(world, { rounds: full ? 10 : 2 }),
      'a replica is killed before each command of a tick': (world) => killedInTick(world, { commands: full ? 16 : 8 }),
      'schedules while all replicas are gone': (world) => missedTicks(world, 'all replicas are killed'),
      'a schedule that skips, and its worker is killed': noOverlap,
    }),
    ...(['planned', 'unplanned'] as const).map((how): Scenario => ({
      topic: 'failover',
      name: `a replica takes over (${how})`,
      engines: BOTH,
      open: { durable: true },
      run: (world) => failover(world, how, full ? { each: 20 } : { each: 5 }),
    })),
    ...(['session', 'transaction'] as const).map((mode): Scenario => ({
      topic: 'outage',
      name: `PgBouncer in ${mode} mode is restarted`,
      engines: ['postgres'],
      run: (world) => restartedPooler(world, mode),
    })),
    ...(['planned', 'unplanned'] as const).map((how): Scenario => ({
      topic: 'failover',
      name: `sentinels replace the primary (${how})`,
      engines: ['redis'],
      open: { durable: true },
      run: (world) => sentinelFailover(world, how, full ? { each: 20 } : { each: 5 }),
    })),
    ...clocks(full),
    ...some('versions', {
      'this version beside 0.1.0, and back again': (world) =>
        versionsSideBySide(world, full ? { tasks: 200, workflows: 20 } : { tasks: 40, workflows: 6 }),
    }),
    {
      topic: 'schedules',
      name: 'schedules while the server is away',
      engines: BOTH,
      open: { durable: true },
      run: (world) => missedTicks(world, 'the server is stopped'),
    },
  ];
}

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

function clocks(full: boolean): Scenario[] {
  const wrong: [name: string, ahead: number, quick: boolean][] = [
    ['a day ahead', DAY, true],
    ['an hour behind', -HOUR, true],
    ['an hour ahead', HOUR, false],
    ['a day behind', -DAY, false],
  ];
  const shown = wrong.filter(([, , quick]) => full || quick);
  const named: Record<string, Scenario['run']> = {
    ...Object.fromEntries(
      shown.map(([name, ahead]) => [`a clock that is ${name}`, (world: World) => wrongClock(world, ahead)]),
    ),
    ...Object.fromEntries(
      shown.map(([name, ahead]) => [`a clock that is put ${name}`, (world: World) => changedClock(world, ahead)]),
    ),
    'five clocks that are up to two days apart': (world) => fiveClocks(world, [0, DAY, -DAY, HOUR, -HOUR]),
  };
  return Object.entries(named).map(([name, run]) => ({ topic: 'clocks', name, engines: BOTH, run }));
}

function outages(full: boolean): Scenario[] {
  const kinds: [name: string, kind: OutageKind, engines: readonly EngineName[], within: number][] = [
    ['the server is restarted', 'restart', BOTH, 5_000],
    // Redis only: a PostgreSQL without its data is no usable server.
    ['the server is restarted without its data', 'emptied', ['redis'], 5_000],
    ['the connections are cut', 'cut', BOTH, 4_000],
    ['the network is frozen', 'frozen', BOTH, 5_000],
    ['the server is frozen', 'stopped', BOTH, 5_000],
    // No side gets an error. Each notices only that no answer comes within the time that an answer may take.
    ['the connections are forgotten by the network', 'forgotten', BOTH, 25_000],
    ['Redis refuses writes without replicas', 'noReplicas', ['redis'], 5_000],
    ['Redis has no memory left', 'outOfMemory', ['redis'], 5_000],
    ['PostgreSQL is read-only', 'readOnly', ['postgres'], 5_000],
    ['the table of jobs is locked', 'locked', ['postgres'], 5_000],
    ['transactions are serializable', 'serializable', ['postgres'], 5_000],
  ];
  return kinds.flatMap(([name, kind, engines, within]) =>
    (['web and worker', 'one process'] as const)
      .filter((roles) => full || roles === 'web and worker')
      .map((roles) => ({
        topic: 'outage' as const,
        name: `${name} (${roles})`,
        engines,
        open: { durable: kind !== 'emptied' },
        run: (world: World) => outage(world, kind, roles, { within }),
      })),
  );
}
