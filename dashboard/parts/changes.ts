import { signal } from '@preact/signals';

/** Grows with each change by this page, so that views read again. */
export const changes = signal(0);
