import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { ConfigurationError } from '../../../lib/errors.js';
import { parseTiming, timetableOf, type ParsedTiming } from '../../../lib/schedules/timetable.js';

/** The next ticks after a time, as UTC text without seconds. */
function ticks(cron: string, timezone: string, after: string, count: number): string[] {
  const timetable = timetableOf({ cron, timezone });
  const found: string[] = [];
  let time: number | undefined = Date.parse(after);
  while (found.length < count) {
    time = timetable.next(time);
    if (time === undefined) break;
    found.push(new Date(time).toISOString().slice(0, 16));
  }
  return found;
}

const parse = (cron: string, timezone?: string) => () =>
  parseTiming({ cron }, timezone, '@Schedule() of Reports.build');

describe('timetableOf', () => {
  it('moves a fixed time that does not exist in spring to the end of the gap', () => {
    expect(ticks('30 2 * * *', 'Europe/Berlin', '2026-03-28T00:00Z', 3)).toEqual([
      '2026-03-28T01:30',
      '2026-03-29T01:00', // 3:00, because there is no 2:30
      '2026-03-30T00:30',
    ]);
  });

  it('takes either match of day of month and day of week, and with a + both', () => {
    expect(ticks('0 7 1-7 * MON', 'UTC', '2026-02-05T12:00Z', 4)).toEqual([
      '2026-02-06T07:00',
      '2026-02-07T07:00',
      '2026-02-09T07:00', // the next Monday
      '2026-02-16T07:00',
    ]);
    // The first Monday of each month.
    expect(ticks('0 7 1-7 * +MON', 'UTC', '2026-01-06T00:00Z', 3)).toEqual([
      '2026-02-02T07:00',
      '2026-03-02T07:00',
      '2026-04-06T07:00',
    ]);
    const both = timetableOf({ cron: '0 7 1-7 * +MON', timezone: 'UTC' });
    expect(both.previous(Date.parse('2026-03-31T00:00Z'))).toBe(Date.parse('2026-03-02T07:00Z'));
  });

  it('loses no day when midnight does not exist in spring', () => {
    expect(ticks('@daily', 'America/Havana', '2026-03-07T00:00Z', 3)).toEqual([
      '2026-03-07T05:00',
      '2026-03-08T05:00', // 1:00
      '2026-03-09T04:00',
    ]);
  });

  it('counts a fixed time that comes twice in autumn once', () => {
    expect(ticks('30 2 * * *', 'Europe/Berlin', '2026-10-24T00:00Z', 3)).toEqual([
      '2026-10-24T00:30',
      '2026-10-25T00:30',
      '2026-10-26T01:30',
    ]);
  });

  it('gives an hourly expression a tick for every hour that passes, in spring and in autumn', () => {
    expect(ticks('0 * * * *', 'Europe/Berlin', '2026-03-28T23:30Z', 4)).toEqual([
      '2026-03-29T00:00',
      '2026-03-29T01:00',
      '2026-03-29T02:00',
      '2026-03-29T03:00',
    ]);
    expect(ticks('0 * * * *', 'Europe/Berlin', '2026-10-24T23:30Z', 4)).toEqual([
      '2026-10-25T00:00',
      '2026-10-25T01:00',
      '2026-10-25T02:00',
      '2026-10-25T03:00',
    ]);
  });

  it.each([
    'Europe/Berlin',
    'Europe/Lisbon',
    'America/New_York',
    'America/Havana',
    'America/Santiago',
    'America/St_Johns',
    'Africa/Cairo',
    'Asia/Beirut',
    'Asia/Kathmandu',
    'Australia/Lord_Howe',
    'Pacific/Chatham',
    'Pacific/Auckland',
  ])('gives a daily expression one tick on each day of the calendar in %s', (timezone) => {
    const dayOf = new Intl.DateTimeFormat('sv-SE', { timeZone: timezone, dateStyle: 'short' });
    const days = Array.from({ length: 365 }, (_, day) =>
      new Date(Date.UTC(2026, 0, 2 + day)).toISOString().slice(0, 10),
    );
    for (const cron of [
      '0 0 * * *',
      '30 0 * * *',
      '30 1 * * *',
      '15 2 * * *',
      '45 2 * * *',
      '30 3 * * *',
      '59 23 * * *',
    ]) {
      // Noon of the first of January is in the same day everywhere.
      const found = ticks(cron, timezone, '2026-01-01T00:00Z', 370).map((tick) => dayOf.format(new Date(`${tick}Z`)));
      const first = found.indexOf('2026-01-02');
      expect({ cron, days: found.slice(first, first + days.length) }).toEqual({ cron, days });
    }
  });

  it('has a tick on the 29th of February every four years, but not in 2100', () => {
    expect(ticks('0 0 29 2 *', 'UTC', '2095-01-01T00:00Z', 2)).toEqual(['2096-02-29T00:00', '2104-02-29T00:00']);
  });

  it('matches either the day or the weekday, as cron does', () => {
    expect(ticks('0 0 13 * 5', 'UTC', '2026-01-08T12:00Z', 3)).toEqual([
      '2026-01-09T00:00',
      '2026-01-13T00:00',
      '2026-01-16T00:00',
    ]);
  });

  it('reads the first of six fields as seconds', () => {
    const { next } = timetableOf({ cron: '*/20 * * * * *', timezone: 'UTC' });
    expect(next(Date.UTC(2026, 0, 1) + 1)).toBe(Date.UTC(2026, 0, 1, 0, 0, 20));
  });

  it.each([
    ['@hourly', '2026-05-06T11:00'],
    ['@daily', '2026-05-07T00:00'],
    ['@midnight', '2026-05-07T00:00'],
    ['@weekly', '2026-05-10T00:00'],
    ['@monthly', '2026-06-01T00:00'],
    ['@yearly', '2027-01-01T00:00'],
    ['@annually', '2027-01-01T00:00'],
  ])('knows the macro %s', (macro, next) => {
    expect(parse(macro)).not.toThrow();
    expect(ticks(macro, 'UTC', '2026-05-06T10:11Z', 1)).toEqual([next]);
  });

  it('has the ticks of a period at its multiples, whatever time is given', () => {
    const { next, previous } = timetableOf({ every: 600_000, timezone: 'UTC' });
    const at = (text: string) => Date.parse(`2026-01-01T${text}Z`);
    expect(next(at('10:00:00'))).toBe(at('10:10:00'));
    expect(next(at('10:09:59'))).toBe(at('10:10:00'));
    expect(previous(at('10:10:00'))).toBe(at('10:10:00'));
    expect(previous(at('10:19:59'))).toBe(at('10:10:00'));
  });

  it('gives the same ticks forwards and backwards from every time between them', () => {
    const zones = ['UTC', 'Europe/Berlin', 'America/New_York', 'America/Havana', 'Australia/Lord_Howe', 'Africa/Cairo'];
    const crons = [
      '30 2 * * *',
      '0 0 * * *',
      '*/30 * * * *',
      '15 1-3 * * *',
      '0 12 * * 1-5',
      '0 0 L * *',
      '0 */2 * * *',
    ];
    const times = fc.integer({ min: Date.UTC(2026, 0), max: Date.UTC(2027, 0) });
    fc.assert(
      fc.property(
        fc.constantFrom(...zones),
        fc.constantFrom(...crons),
        times,
        fc.double({ min: 0, max: 1, noNaN: true }),
        (timezone, cron, from, share) => {
          const { next, previous } = timetableOf({ cron, timezone });
          const first = next(from) as number;
          const second = next(first) as number;
          const between = first + Math.floor((second - 1 - first) * share);
          expect(first).toBeGreaterThan(from);
          expect(next(between)).toBe(second);
          expect(previous(between)).toBe(first);
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('parseTiming', () => {
  it('uses UTC by default, and not the time zone of the process', () => {
    expect(parseTiming({ cron: '0 7 * * *' }, undefined, 'x')).toEqual({
      cron: '0 7 * * *',
      timezone: 'UTC',
    } satisfies ParsedTiming);
    expect(parseTiming({ every: '10m' }, undefined, 'x')).toEqual({ every: 600_000, timezone: 'UTC' });
  });

  it.each([
    '',
    '5',
    '* * * *',
    '* * * * * * *',
    '61 * * * *',
    '0 0 0 * *',
    'noon',
    '@reboot',
    '@fortnightly',
    'H * * * *',
    '0 0 30 2 *',
    '2026-12-24T00:00:00',
  ])('refuses the expression %j', (cron) => {
    expect(parse(cron)).toThrow(ConfigurationError);
    expect(parse(cron)).toThrow(`@Schedule() of Reports.build has the cron expression ${JSON.stringify(cron)}`);
  });

  it('refuses a time zone that does not exist', () => {
    expect(parse('0 7 * * *', 'Mars/Olympus')).toThrow('@Schedule() of Reports.build has the timezone "Mars/Olympus"');
  });

  it.each([0, -1, 99, 1.5, 'soon', NaN])('refuses the period %j', (every) => {
    const parsing = () => parseTiming({ every: every as number }, undefined, '@Schedule() of Reports.build');
    expect(parsing).toThrow(ConfigurationError);
    expect(parsing).toThrow('every of @Schedule() of Reports.build');
  });

  it('refuses a timing with both cron and every, and a timing with neither', () => {
    expect(() => parseTiming({ cron: '@daily', every: 1000 } as never, undefined, 'It')).toThrow('not both');
    expect(() => parseTiming({} as never, undefined, 'It')).toThrow('needs either');
  });
});
