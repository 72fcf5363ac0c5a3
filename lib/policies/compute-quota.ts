import { createCalendarQuota, createQuota, type Quota } from '../algorithms/quota.js'
import { ZoneCalendar } from '../calendar/zone-calendar.js'
import type { LimitDraft } from './limit-draft.js'

/** Compute the numbers of a limit for `units` per `ms`. `maxDelayUs`: token buckets only. Default 0. */
export function computeQuota ({ algorithm, period, burst }: LimitDraft, units: number, ms: number, maxDelayUs = 0): Quota {
  if (algorithm !== 'calendar-window') return createQuota(algorithm, units, ms * 1000, burst ?? units, maxDelayUs)
  if (period === null) throw new TypeError('a calendar window without a period')
  const { isPerClient, ...rule } = period
  // The limit of clients whose anchor is not known must not move the end of a period that an anchor gave.
  return createCalendarQuota(units, ms * 1000, new ZoneCalendar(rule, { isPerClient, keepsEnd: isPerClient }))
}
