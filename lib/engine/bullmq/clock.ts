/**
 * The clock of the store: the time that is stored with tasks and schedules, and with which stored times are compared.
 * All processes of an application share it, whatever the clocks of their hosts say.
 */
export interface Clock {
  now(): number;
  /** What has to be added to `Date.now()`, in milliseconds: positive when the clock of this process is behind. */
  readonly difference: number;
  /** Whether the store has never told its time to this process, whose own clock counts until then. */
  readonly isUnknown: boolean;
  /** Whether {@link difference} was measured, and nothing has happened since that may have changed it. */
  readonly isTrusted: boolean;
  /** Measures the difference. Rejects when the store cannot be reached. */
  measure(): Promise<void>;
  /** Takes the difference for unknown until it is measured again: another server may answer from now on. */
  doubt(): void;
  close(): void;
}

/** The clock of a store inside this process. */
export const OWN_CLOCK: Clock = {
  now: () => Date.now(),
  difference: 0,
  isUnknown: false,
  isTrusted: true,
  measure: async () => undefined,
  doubt: () => undefined,
  close: () => undefined,
};
