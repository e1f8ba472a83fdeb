import { readFileSync } from 'node:fs';

/** Milliseconds of one tick, the unit in which Linux counts processor time. */
const TICK = 10;

/** Milliseconds of processor time that this process and its descendants have used, in user and system mode. */
export function processorTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000 + ofChildren(process.pid);
}

/** The processor time of the descendants: of the ended and of the running ones. */
function ofChildren(pid: number): number {
  const [, , ended, endedInSystem] = timesOf(pid);
  const running = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
  return running.reduce((sum, child) => {
    const [user, system] = timesOf(child);
    return sum + user + system + ofChildren(child);
  }, ended + endedInSystem);
}

/** The time of a process in user and system mode, then the same of its ended children; see proc_pid_stat(5). */
function timesOf(pid: number): number[] {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The name may contain any character. Fields 3 and later follow it; the times are fields 14 to 17.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields.slice(11, 15).map((ticks) => Number(ticks) * TICK);
}
