export const INSTANT_EXPECTED = 'an instant such as "2026-01-31T00:00:00Z"'

/** A date with a time and its offset. Without one, the time zone of the process would decide. */
const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:\d\d)$/

/** Parse an instant into milliseconds since 1970: text in the format of ISO 8601, or a Date. Returns `null` for any other value. */
export function parseInstantMs (value: unknown): number | null {
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.getTime()
  if (typeof value !== 'string' || !INSTANT.test(value)) return null
  const ms = Date.parse(value)
  return Number.isNaN(ms) || !hasDay(value) ? null : ms
}

/** Whether the month has the day: the parser takes February 30 as March 2. */
function hasDay (text: string): boolean {
  const [year, month, day] = text.slice(0, 10).split('-').map(Number)
  return new Date(Date.UTC(year, month - 1, day)).getUTCDate() === day
}

/** Whether a text names a time zone that this process knows. */
export function isTimeZone (name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== ''
  } catch {
    return false
  }
}
