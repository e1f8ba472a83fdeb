import type { JSX } from 'preact';

/** A small line without an axis, scaled for itself. */
export function Spark({ values, tone = 'run' }: { values: readonly (number | null)[]; tone?: string }): JSX.Element {
  const most = Math.max(1e-9, ...values.map((value) => value ?? 0));
  const step = 100 / Math.max(values.length - 1, 1);
  const points = values.map(
    (value, place) => `${(place * step).toFixed(1)} ${(23 - ((value ?? 0) / most) * 21).toFixed(1)}`,
  );
  const isFlat = values.every((value) => !value);
  return (
    <svg class={`spark c-${isFlat ? 'soft' : tone}`} viewBox="0 0 100 24" preserveAspectRatio="none" aria-hidden="true">
      {!isFlat && <path class="area" d={`M0 24L${points.join('L')}L100 24Z`} />}
      <path class="line" d={`M${points.join('L')}`} />
    </svg>
  );
}

/** Small bars, for what happens seldom. */
export function Bars({ values, tone = 'bad' }: { values: readonly number[]; tone?: string }): JSX.Element {
  const most = Math.max(1, ...values);
  const step = 100 / Math.max(values.length, 1);
  return (
    <svg class={`spark c-${tone}`} viewBox="0 0 100 24" preserveAspectRatio="none" aria-hidden="true">
      <line x1="0" x2="100" y1="23.500" y2="23.500" class="base" />
      {values.map((value, place) =>
        value > 0 ? (
          <rect
            key={place}
            class="bars"
            x={place * step}
            width={Math.max(step * 0.7, 1)}
            y={23 - (value / most) * 21}
            height={(value / most) * 21}
          />
        ) : null,
      )}
    </svg>
  );
}
