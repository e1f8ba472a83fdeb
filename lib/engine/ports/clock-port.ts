/** The time by which an engine decides what is due. */
export interface ClockPort {
  /**
   * The time of the store, as far as this process knows it: its own clock, corrected by the measured difference. Times that
   * are stored, or compared with stored times, come from here, because the clocks of the processes may disagree.
   */
  now(): number;
}
