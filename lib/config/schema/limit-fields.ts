import { INSTANT_EXPECTED, isTimeZone, parseInstantMs } from './instants.js'
import { StringEnum } from './option-types.js'
import { Type } from './type-builder.js'

/*
 * Options of a limit beside its numbers.
 */

/** The anchor of a limit whose periods begin with the subscription of each client. */
export const CLIENT_ANCHOR = 'client'

export const By = StringEnum(['client', 'ip', 'user', 'global'], {
  default: 'client',
  description: 'The budget that is charged: `client` (the user, else the key, else the address), `ip`, `user`, ' +
    'or `global` (one budget for all). A `user` limit does not apply to unidentified clients. ' +
    'A request that no limit applies to is charged by its address.'
})

const Period = StringEnum(['hour', 'day', 'week', 'month', 'year'], {
  description: 'In place of `timeWindow`: a period of the calendar. Used units count until it ends. See the page about quotas.'
})

export const ANCHOR_EXPECTED = `${INSTANT_EXPECTED}, or "${CLIENT_ANCHOR}"`

export const TIME_ZONE_EXPECTED = 'an IANA time zone such as "Europe/Berlin"'

const TimeZone = Type.String({
  maxLength: 64,
  default: 'UTC',
  expected: TIME_ZONE_EXPECTED,
  description: 'The time zone of a `period`.'
})

const Anchor = Type.String({
  maxLength: 64,
  expected: ANCHOR_EXPECTED,
  description: 'The start of one `period`, from which all others are counted. A month of the 31st starts on the last day of shorter ' +
    'months. `client`: the anchor that identifies the client gives. Default: the full hour, midnight, Monday, the first of the month ' +
    'or of the year.'
})

/** The options of a calendar quota. */
export const periodOptions = {
  period: Type.Optional(Period),
  timeZone: Type.Optional(TimeZone),
  anchor: Type.Optional(Anchor)
}

/** What is wrong with a time zone or an anchor: what was expected, or `null`. `expected`: of the schema of the value. */
export function findPeriodFault (expected: unknown, value: unknown): string | null {
  if (typeof value !== 'string') return null
  if (expected === TIME_ZONE_EXPECTED) return isTimeZone(value) ? null : TIME_ZONE_EXPECTED
  return expected !== ANCHOR_EXPECTED || value === CLIENT_ANCHOR || parseInstantMs(value) !== null ? null : ANCHOR_EXPECTED
}
