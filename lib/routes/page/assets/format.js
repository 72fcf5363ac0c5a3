const LOCALE = 'en'
const count = new Intl.NumberFormat(LOCALE)
const compact = new Intl.NumberFormat(LOCALE, { notation: 'compact', maximumFractionDigits: 1 })
const precise = new Intl.NumberFormat(LOCALE, { maximumSignificantDigits: 2 })
const TIME = { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }
const clock = new Intl.DateTimeFormat(LOCALE, TIME)
const clockWithSeconds = new Intl.DateTimeFormat(LOCALE, { ...TIME, second: '2-digit' })
const dayAndClock = new Intl.DateTimeFormat(LOCALE, { ...TIME, month: 'short', day: 'numeric' })

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const UNITS = [['d', DAY], ['h', HOUR], ['min', MINUTE], ['s', SECOND]]

/** Which requests the numbers of clients are about. */
export const CLIENTS_TIME = 'the last 30 to 60 minutes'

/** 12,345 */
export function formatCount (value) {
  return count.format(value)
}

/** 12.3K, where there is little room. */
export function formatCompact (value) {
  return value < 10_000 ? count.format(Math.round(value)) : compact.format(value)
}

/** Requests per second. */
export function formatRate (value) {
  return value >= 100 ? count.format(Math.round(value)) : precise.format(value)
}

/** A share of a whole in percent. A small one is never shown as 0 %, nor a large one as 100 %. */
export function formatShare (part, whole) {
  if (whole === 0 || part === 0) return '0 %'
  const percent = 100 * part / whole
  if (percent < 0.1) return '< 0.1 %'
  if (percent > 99.9 && part < whole) return '> 99.9 %'
  return `${percent < 10 ? percent.toFixed(1) : Math.round(percent)} %`
}

/** At most two units: `2 h 5 min`, `12 s`. */
export function formatDuration (ms) {
  const rounded = Math.round(Math.max(0, ms) / SECOND) * SECOND
  const first = UNITS.findIndex(([, size]) => rounded >= size)
  if (first === -1) return ms > 0 ? `${Math.round(ms)} ms` : '0 s'
  const [name, size] = UNITS[first]
  const whole = Math.floor(rounded / size)
  const next = UNITS[first + 1]
  const rest = next === undefined ? 0 : Math.floor((rounded - whole * size) / next[1])
  return rest === 0 ? `${whole} ${name}` : `${whole} ${name} ${rest} ${next[0]}`
}

/** How long ago: `3 s ago`. */
export function formatAge (ms) {
  return ms < SECOND ? 'now' : `${formatDuration(ms)} ago`
}

/** A duration of a store call. */
export function formatLatency (ms) {
  return `${ms >= 100 ? Math.round(ms) : precise.format(ms)} ms`
}

export function formatClock (atMs) {
  return clock.format(atMs)
}

export function formatClockWithSeconds (atMs) {
  return clockWithSeconds.format(atMs)
}

export function formatDate (atMs) {
  return dayAndClock.format(atMs)
}

/** What a limit allows: `100 per 1 min`. */
export function formatLimit ({ max, windowMs, period, isConcurrency }) {
  if (isConcurrency) return `${formatCount(max)} at once`
  return `${formatCount(max)} per ${period ?? formatDuration(windowMs)}`
}

export function plural (number, one, many = `${one}s`) {
  return `${formatCount(number)} ${number === 1 ? one : many}`
}

export function sum (numbers) {
  return numbers.reduce((total, number) => total + number, 0)
}
