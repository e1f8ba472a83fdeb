import type { Worker } from 'bullmq';

/** The parts of BullMQ's `LockManager` that are used here. */
interface LockManager {
  lockRenewalTimer: NodeJS.Timeout | undefined;
  readonly opts: { readonly lockRenewTime: number };
  readonly closed: boolean;
  getTrackedJobIds(): string[];
  extendLocks(ids: string[]): Promise<void>;
  startLockExtenderTimer(): void;
}

/**
 * Makes a worker renew the locks of all its jobs each time its timer fires. By itself, BullMQ compares the start of a job
 * with `Date.now()` and leaves out the jobs that seem to be young. When the clock of the process is put back by an hour,
 * it renews no lock for an hour, and the jobs run a second time elsewhere.
 */
export function renewLocksByTimer(worker: Worker): void {
  const { lockManager } = worker as unknown as { readonly lockManager: LockManager };
  lockManager.startLockExtenderTimer = () => {
    clearTimeout(lockManager.lockRenewalTimer);
    if (lockManager.closed) return;
    lockManager.lockRenewalTimer = setTimeout(() => {
      const ids = lockManager.getTrackedJobIds();
      const renewed = ids.length > 0 ? lockManager.extendLocks(ids) : Promise.resolve();
      // The lock manager reports its errors itself.
      void renewed.finally(() => lockManager.startLockExtenderTimer());
    }, lockManager.opts.lockRenewTime / 2);
  };
}
