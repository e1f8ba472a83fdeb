import type { Clock } from '../clock.js';
import { Dispatcher } from './dispatcher.js';
import type { SettingsByQueue } from './memory-control.js';
import type { PlaceTexts } from './memory-place-store.js';
import type { MemoryWorker } from './memory-worker-registry.js';
import type { ScheduleTexts } from './memory-schedule-store.js';
import type { StoredTask } from './stored-task.js';
import { TaskStore } from './task-store.js';

/** Called when a task changed. @param isEnd whether the task is final by now, or removed */
type OnChange = (task: StoredTask, isEnd: boolean) => void;

/** Everything that the applications of one place share. */
export class MemoryPlace {
  readonly store: TaskStore;
  readonly dispatcher: Dispatcher;
  readonly schedules: ScheduleTexts = { texts: new Map(), followers: new Set(), secret: undefined };
  /** The texts in which statistics are stored. */
  readonly statistics = { parts: new Map<string, string>(), merged: new Map<string, string>() };
  readonly snapshots = new Map<string, string>();
  readonly workers = new Map<string, MemoryWorker>();
  readonly settings: SettingsByQueue = new Map();
  readonly places: PlaceTexts = { books: new Map(), listeners: new Set() };
  readonly onChange = new Set<OnChange>();
  readonly onStored = new Set<(task: StoredTask) => void>();

  constructor(readonly clock: Clock) {
    this.store = new TaskStore(clock, {
      changed: (task, isEnd) => this.changed(task, isEnd),
      queued: (queue) => this.dispatcher.wake(queue),
      delayed: () => this.dispatcher.setTimer(),
      stored: (task) => {
        for (const tell of this.onStored) tell(task);
      },
    });
    this.dispatcher = new Dispatcher(this.store, clock, this.settings);
  }

  changed(task: StoredTask, isEnd: boolean): void {
    for (const tell of this.onChange) tell(task, isEnd);
  }
}

/**
 * The places with a name, as long as the process lives: an application that starts again finds its tasks there. Records of
 * final tasks are removed as on every engine, so a place does not grow for ever.
 */
const SHARED = new Map<string, MemoryPlace>();

/** The place of this name, which all applications of the process share; without a name, a new place. */
export function openPlace(name: string | undefined, clock: Clock): MemoryPlace {
  if (name === undefined) return new MemoryPlace(clock);
  const place = SHARED.get(name) ?? new MemoryPlace(clock);
  SHARED.set(name, place);
  return place;
}
