import { readFileSync } from 'node:fs';

/** Milliseconds in one of the ticks that Linux counts processor time by. */
const TICK = 10;

/** Milliseconds of processor time that this process and those it started have used, in user and system mode. */
export function processorTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000 + ofChildren(process.pid);
}

/** Of those that ended, and of those that run. */
function ofChildren(pid: number): number {
  const [, , ended, endedInSystem] = timesOf(pid);
  const running = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
  return running.reduce((sum, child) => {
    const [user, system] = timesOf(child);
    return sum + user + system + ofChildren(child);
  }, ended + endedInSystem);
}

/** Its own in user and system mode, then the same of its children that ended; see proc_pid_stat(5). */
function timesOf(pid: number): number[] {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // After the name, which may hold anything, come fields 3 and on; the times are fields 14 to 17.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields.slice(11, 15).map((ticks) => Number(ticks) * TICK);
}
