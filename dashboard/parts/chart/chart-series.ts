export interface ChartSeries {
  readonly name: string;
  readonly values: readonly (number | null)[];
  readonly tone: 'good' | 'bad' | 'warn' | 'cool' | 'accent';
  readonly kind: 'area' | 'line' | 'dash' | 'dots' | 'bars';
  /** What the legend shows: the newest value. */
  readonly newest: string;
}

/** What happened at a time and may explain a change, such as a deploy. */
export interface ChartMark {
  /** Seconds since 1970. */
  readonly at: number;
  readonly text: string;
}

/** What all parts of one chart show. */
export interface ChartData {
  /** Seconds since 1970, in equal steps. */
  readonly times: readonly number[];
  readonly series: readonly ChartSeries[];
  readonly marks: readonly ChartMark[];
  readonly format: (value: number) => string;
  /** Whether a time needs its day. */
  readonly isLong: boolean;
}

/** The class that gives a series its colour. */
export function colorOf(tone: ChartSeries['tone']): string {
  return `c-${tone === 'accent' ? 'run' : tone}`;
}
