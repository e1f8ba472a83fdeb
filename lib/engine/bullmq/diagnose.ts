import { fine, finding, type Finding } from '../ports/diagnosis-port.js';
import { CHECKED_VERSIONS, warningOfUncheckedVersions } from './checked-versions.js';
import type { Clock } from './clock.js';
import { installedVersion } from '../../package-location.cjs';

/** Milliseconds by which clocks may differ. This package corrects the difference; logs and certificates do not. */
const CLOCK_LIMIT = 2_000;

/** Whether this version of the package was tested with the installed versions. @param packages BullMQ and the driver's package */
export function diagnoseVersions(
  packages: readonly string[],
  versionOf: (name: string) => string | undefined = installedVersion,
): Finding {
  const warning = warningOfUncheckedVersions(packages, versionOf);
  const versions = packages.map((name) => `${name} ${versionOf(name) ?? '(version unknown)'}`).join(', ');
  if (warning === undefined) return fine('versions', `${versions}: this package was tested with them.`);
  const cure = packages.map((name) => `${name}@~${CHECKED_VERSIONS[name]?.at(-1) ?? ''}.0`).join(' ');
  return finding('versions', 'warn', `${versions}: this package was not tested with them.`, `npm install ${cure}`);
}

/** How far the clock of this host is from that of the store. */
export function diagnoseClock(clock: Clock): Finding {
  const difference = Math.round(Math.abs(clock.difference));
  const text = `The clock of this host differs from that of the store by ${difference < 1_000 ? `${difference} ms` : `${(difference / 1_000).toFixed(1)} s`}.`;
  if (difference <= CLOCK_LIMIT) return fine('clock', text);
  return finding(
    'clock',
    'warn',
    `${text} Tasks run by the time of the store.`,
    'Let both hosts take their time from NTP.',
  );
}
