import type { Temporal } from 'temporal-polyfill'
import type { Period, PeriodUnit } from '../algorithms/calendar.js'
import type { TemporalLibrary } from './temporal.js'

/** Which periods a limit has. */
export interface PeriodRule {
  readonly unit: PeriodUnit
  /** An IANA time zone. */
  readonly timeZone: string
  /** Start of one of the periods, milliseconds since 1970; `null`: they start with the hour, the day, Monday, the month, the year. */
  readonly anchorMs: number | null
}

const HOUR_MS = 3_600_000
const HOUR_US = HOUR_MS * 1000

/** The local time from which periods are counted without an anchor: a Monday, or the first day of a month and a year. */
const FIRST_MONDAY = '1970-01-05'
const FIRST_DAY = '1970-01-01'

/** Find the period of an instant, microseconds since 1970. */
export function findPeriod (temporal: TemporalLibrary, rule: PeriodRule, us: number): Period {
  const { unit, anchorMs } = rule
  if (unit !== 'hour') return findLongPeriod(temporal, rule, unit, us)
  return anchorMs === null ? findLocalHour(temporal, rule, us) : findHour(us, anchorMs % HOUR_MS * 1000)
}

/**
 * Hours that are counted from an anchor have sixty minutes, also where a clock changes. `anchorUs`: within an hour of 1970, since
 * microseconds of the years 0 and 9999 are not exact.
 */
function findHour (us: number, anchorUs: number): Period {
  const startUs = Math.floor((us - anchorUs) / HOUR_US) * HOUR_US + anchorUs
  return { startUs, endUs: startUs + HOUR_US }
}

/** A local hour, such as 14:00 to 15:00. A change of the clock by less than an hour ends it, as on Lord Howe Island. */
function findLocalHour (temporal: TemporalLibrary, { timeZone }: PeriodRule, us: number): Period {
  const zoned = toInstant(temporal, us).toZonedDateTimeISO(timeZone)
  const hour = findHour(us, -zoned.offsetNanoseconds / 1000)
  // The change before an instant is one strictly before it.
  const change = zoned.add({ milliseconds: 1 }).getTimeZoneTransition('previous')
  const nextChange = zoned.getTimeZoneTransition('next')
  return {
    startUs: change === null ? hour.startUs : Math.max(hour.startUs, toUs(change)),
    endUs: nextChange === null ? hour.endUs : Math.min(hour.endUs, toUs(nextChange))
  }
}

const LARGEST_UNITS = { day: 'days', week: 'weeks', month: 'months', year: 'years' } as const

/**
 * Days, weeks, months and years are counted on the local clock, each from the first period: a month of the 31st starts on the
 * 30th where there is no 31st, and on the 31st again in the next month. A time that the clock skips is the time after the
 * change, and of a time that it repeats the first one.
 */
function findLongPeriod (temporal: TemporalLibrary, rule: PeriodRule, unit: keyof typeof LARGEST_UNITS, us: number): Period {
  const { timeZone, anchorMs } = rule
  const units = LARGEST_UNITS[unit]
  const first = anchorMs === null
    ? temporal.PlainDateTime.from(unit === 'week' ? FIRST_MONDAY : FIRST_DAY)
    : toInstant(temporal, anchorMs * 1000).toZonedDateTimeISO(timeZone).toPlainDateTime()
  const startOf = (index: number): number => toUs(first.add({ [units]: index }).toZonedDateTime(timeZone))
  const local = toInstant(temporal, us).toZonedDateTimeISO(timeZone).toPlainDateTime()
  let index = first.until(local, { largestUnit: units })[units]
  while (startOf(index) > us) index--
  // More than one step where a zone skipped a day.
  while (startOf(index + 1) <= us) index++
  return { startUs: startOf(index), endUs: startOf(index + 1) }
}

function toInstant (temporal: TemporalLibrary, us: number): Temporal.Instant {
  return temporal.Instant.fromEpochMilliseconds(Math.floor(us / 1000))
}

function toUs (time: Temporal.ZonedDateTime): number {
  return time.epochMilliseconds * 1000
}
