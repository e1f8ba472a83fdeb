import type { Histogram } from 'hdr-histogram-js';
import { histograms } from './histogram-package.cjs';

/** Longer times count as this one: thirty days in milliseconds. */
const LONGEST = 30 * 86_400_000;
const OPTIONS = { bitBucketSize: 32, numberOfSignificantValueDigits: 2, useWebAssembly: false } as const;

/** Many durations in milliseconds, in little space: their percentiles are exact to one percent. */
export class Durations {
  private histogram: Histogram | undefined;

  /** @param text any text; one that no {@link write} gave stands for no durations. It is decoded only when that is needed */
  constructor(private text: string = '') {}

  add(milliseconds: number): void {
    this.changeable().recordValue(Math.min(Math.max(Math.round(milliseconds), 0), LONGEST));
  }

  merge(other: Durations): void {
    if (!this.histogram && this.text === '') this.text = other.write();
    else if (other.histogram || other.text !== '') this.changeable().add(other.decoded());
  }

  /** @param share from 0 to 1 @returns milliseconds; `null` without a duration */
  percentile(share: number): number | null {
    if (!this.histogram && this.text === '') return null;
    const histogram = this.decoded();
    return histogram.totalCount > 0 ? histogram.getValueAtPercentile(share * 100) : null;
  }

  write(): string {
    if (this.text === '' && this.histogram) this.text = histograms().encodeIntoCompressedBase64(this.histogram);
    return this.text;
  }

  private changeable(): Histogram {
    const histogram = this.decoded();
    this.text = '';
    return histogram;
  }

  private decoded(): Histogram {
    this.histogram ??= this.text === '' ? histograms().build(OPTIONS) : decode(this.text);
    return this.histogram;
  }
}

function decode(text: string): Histogram {
  try {
    const histogram = histograms().decodeFromCompressedBase64(text, OPTIONS.bitBucketSize, OPTIONS.useWebAssembly);
    // By itself, a decoded histogram takes no larger value than it was encoded for.
    histogram.autoResize = true;
    return histogram;
  } catch {
    // Any client of the store may write any text.
    return histograms().build(OPTIONS);
  }
}
