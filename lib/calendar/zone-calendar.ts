import type { Calendar, Period, PeriodUnit } from '../algorithms/calendar.js'
import { findPeriod, type PeriodRule } from './find-period.js'
import { getTemporal } from './temporal.js'

interface CalendarSettings {
  readonly isPerClient: boolean
  readonly keepsEnd: boolean
}

const NO_PERIOD: Period = { startUs: 0, endUs: 0 }

/** The periods of a limit. The two that were used last are kept: usually the current one and the next. */
export class ZoneCalendar implements Calendar {
  readonly rule: PeriodRule
  readonly unit: PeriodUnit
  readonly description: string
  readonly isPerClient: boolean
  readonly keepsEnd: boolean
  #older = NO_PERIOD
  #newer = NO_PERIOD

  constructor (rule: PeriodRule, { isPerClient, keepsEnd }: CalendarSettings = { isPerClient: false, keepsEnd: false }) {
    this.rule = rule
    this.unit = rule.unit
    this.description = describeRule(rule, isPerClient)
    this.isPerClient = isPerClient
    this.keepsEnd = keepsEnd
  }

  /** Throws a TypeError before `loadTemporal` has loaded the library. */
  periodAt (us: number): Period {
    if (isIn(this.#newer, us)) return this.#newer
    if (isIn(this.#older, us)) return this.#older
    const temporal = getTemporal()
    if (temporal === null) throw new TypeError('the library for time zones is not loaded')
    this.#older = this.#newer
    this.#newer = findPeriod(temporal, this.rule, us)
    return this.#newer
  }
}

function describeRule ({ unit, timeZone, anchorMs }: PeriodRule, isPerClient: boolean): string {
  const from = anchorMs === null ? '' : ` from ${new Date(anchorMs).toISOString()}`
  return `${unit}${timeZone === 'UTC' ? '' : ` in ${timeZone}`}${isPerClient ? ' of the client' : from}`
}

function isIn ({ startUs, endUs }: Period, us: number): boolean {
  return startUs <= us && us < endUs
}
