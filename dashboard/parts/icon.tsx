import type { JSX } from 'preact';

/** Pictures of 16 by 16. A filled shape has the class `fill`, what is cut out of it `cutout`. */
const SHAPES = {
  overview: <path d="M2 12.5 5.5 8l3 2.5L14 4M10.5 4H14v3.5" />,
  tasks: <path d="M6 4h8M6 8h8M6 12h8M2.5 4h.01M2.5 8h.01M2.5 12h.01" />,
  errors: <path d="M8 1.8 14.5 13.5h-13zM8 6.3v3.2M8 11.5v.01" />,
  workflows: (
    <>
      <circle cx="3.5" cy="8" r="1.7" />
      <circle cx="12.5" cy="3.5" r="1.7" />
      <circle cx="12.5" cy="12.5" r="1.7" />
      <path d="M5 7.3 11 4.3M5 8.7l6 3" />
    </>
  ),
  schedules: (
    <>
      <rect x="2" y="3" width="12" height="11" rx="2" />
      <path d="M2 6.5h12M5 1.5V4M11 1.5V4" />
    </>
  ),
  workers: (
    <>
      <rect x="2" y="2.5" width="12" height="4.5" rx="1.3" />
      <rect x="2" y="9" width="12" height="4.5" rx="1.3" />
      <path d="M4.7 4.75h.01M4.7 11.25h.01" />
    </>
  ),
  scheduled: (
    <>
      <circle cx="8" cy="8" r="5.75" />
      <path d="M8 4.8V8l2.2 1.6" />
    </>
  ),
  queued: <circle cx="8" cy="8" r="5.75" />,
  waiting: <circle cx="8" cy="8" r="5.75" stroke-dasharray="2.2 2.3" />,
  running: (
    <>
      <path d="M8 2.25A5.75 5.75 0 1 1 2.25 8" />
      <circle class="fill" cx="8" cy="8" r="2.2" />
    </>
  ),
  retrying: <path d="M13.4 8a5.4 5.4 0 1 1-1.7-3.9M12.2 1.2v3.2H9" />,
  succeeded: (
    <>
      <circle class="fill" cx="8" cy="8" r="6.5" />
      <path class="cutout" d="m5.2 8.2 2 2 3.7-4" />
    </>
  ),
  failed: (
    <>
      <path class="fill" d="M5.3 1.5h5.4l3.8 3.8v5.4l-3.8 3.8H5.3l-3.8-3.8V5.3z" />
      <path class="cutout" d="m5.9 5.9 4.2 4.2m0-4.2-4.2 4.2" />
    </>
  ),
  cancelled: (
    <>
      <circle cx="8" cy="8" r="5.75" />
      <path d="m4 12 8-8" />
    </>
  ),
  expired: <path d="M4 2h8M4 14h8M5 2v2.5L11 11.500V14M11 2v2.5L5 11.500V14" />,
  lost: <path d="m2 2 12 12M3.6 5.9a8 8 0 0 1 1.3-.9M8 4c2.3 0 4.5.9 6 2.5M5.5 9a4 4 0 0 1 1.5-1M8 12.500h.01" />,
  paused: <path d="M5.5 3.500v9M10.500 3.500v9" stroke-width="2.4" />,
  play: <path d="M5 3.200v9.600L12.800 8z" />,
  check: <path d="m3.500 8.500 3 3 6-7" />,
  close: <path d="m4 4 8 8m0-8-8 8" />,
  search: (
    <>
      <circle cx="7" cy="7" r="4.500" />
      <path d="m10.500 10.500 3.500 3.500" />
    </>
  ),
  copy: (
    <>
      <rect x="5.500" y="5.500" width="8" height="8" rx="1.500" />
      <path d="M10.500 5.500v-2a1 1 0 0 0-1-1h-6a1 1 0 0 0-1 1v6a1 1 0 0 0 1 1h2" />
    </>
  ),
  lock: (
    <>
      <rect x="3.500" y="7" width="9" height="6.500" rx="1.500" />
      <path d="M5.500 7V5a2.500 2.500 0 0 1 5 0v2" />
    </>
  ),
  plus: <path d="M8 3.500v9M3.500 8h9" />,
  edit: <path d="M3 13h2l7.500-7.500-2-2L3 11zM9 5l2 2" />,
  trash: <path d="M3 4.500h10M6.500 4.500V3h3v1.500M4.500 4.500 5 13h6l.5-8.500M6.800 7v3.500M9.200 7v3.500" />,
  fast: <path d="M3 4v8l5-4zM8.500 4v8l5-4z" />,
  power: <path d="M8 2v5M4.700 4.200a5.200 5.200 0 1 0 6.600 0" />,
  more: <path d="M3.500 8h.01M8 8h.01M12.500 8h.01" stroke-width="2.200" />,
  gauge: <path d="M2.500 12a6 6 0 1 1 11 0M8 9.500 10.500 6" />,
  link: (
    <path d="M6.500 9.500a2.500 2.500 0 0 0 3.600 0l2.300-2.300a2.500 2.500 0 0 0-3.600-3.600L8 4.400M9.500 6.500a2.500 2.500 0 0 0-3.600 0L3.600 8.800a2.500 2.500 0 0 0 3.600 3.600l.8-.8" />
  ),
  tray: <path d="M2 9.500 4 3h8l2 6.500v3.500H2zM2 9.500h3.500l1 1.500h3l1-1.500H14" />,
  auto: (
    <>
      <circle cx="8" cy="8" r="5.75" />
      <path class="fill" d="M8 2.25a5.75 5.75 0 0 1 0 11.500z" />
    </>
  ),
  light: (
    <>
      <circle cx="8" cy="8" r="2.800" />
      <path d="M8 1.500v1M8 13.500v1M1.500 8h1M13.500 8h1M3.400 3.400l.7.7M11.900 11.900l.7.7M12.600 3.400l-.7.7M4.100 11.900l-.7.7" />
    </>
  ),
  dark: <path d="M13.500 9.500A6 6 0 0 1 6.500 2.500a5.800 5.800 0 1 0 7 7z" />,
  fail: (
    <>
      <path class="fill" d="M5.3 1.5h5.4l3.8 3.8v5.4l-3.8 3.8H5.3l-3.8-3.8V5.3z" />
      <path class="cutout" d="M8 4.700v4M8 11.200v.01" />
    </>
  ),
  warn: (
    <>
      <path class="fill" d="M8 1.600 15 14H1z" />
      <path class="cutout" d="M8 6v3.500M8 11.800v.01" />
    </>
  ),
} satisfies Record<string, JSX.Element>;

export type IconName = keyof typeof SHAPES;

/** A picture beside a word, so screen readers skip it. */
export function Icon({ name, class: extra = '' }: { name: IconName; class?: string }): JSX.Element {
  return (
    <svg class={`icon ${extra}`} viewBox="0 0 16 16" aria-hidden="true">
      {SHAPES[name]}
    </svg>
  );
}
