/**
 * Puts the clock of a process ahead of that of its host, or back, as if somebody had set the host's clock:
 * `node --import shifted-clock.js`, with the milliseconds in `CLOCK_AHEAD`. `globalThis.putClockAhead(milliseconds)` changes
 * that while the process runs. Timers and `performance.now()` follow the time that passes, as on a host.
 */
const HostDate = Date;
let ahead = Number(process.env.CLOCK_AHEAD ?? 0);
const now = () => HostDate.now() + ahead;

Object.assign(globalThis, { putClockAhead: (/** @type {number} */ milliseconds) => void (ahead = milliseconds) });
globalThis.Date = new Proxy(HostDate, {
  construct: (target, args, newTarget) => Reflect.construct(target, args.length > 0 ? args : [now()], newTarget),
  apply: () => new HostDate(now()).toString(),
  get: (target, key) => (key === 'now' ? now : Reflect.get(target, key)),
});
