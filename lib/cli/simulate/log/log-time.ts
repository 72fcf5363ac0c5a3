/** Times before 2255, so that microseconds stay whole. */
const MAX_TIME_US = 9e15

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** Length of `10/Oct/2000:13:55:36 -0700`. */
export const CLF_LENGTH = 26

/** The last time, because many lines have the same second. */
let lastText = '-'
let lastUs: number | null = null

/** Parse the time of the common log format at a position, such as `10/Oct/2000:13:55:36 -0700`. `null` for any other text. */
export function parseClfTime (text: string, start: number): number | null {
  if (text.startsWith(lastText, start)) return lastUs
  lastText = text.slice(start, start + CLF_LENGTH)
  lastUs = computeClfTime(lastText)
  return lastUs
}

function computeClfTime (text: string): number | null {
  const month = MONTHS.indexOf(text.slice(3, 6))
  const isShaped = /^..\/...\/....:..:..:.. [+-]....$/s.test(text)
  if (!isShaped || month === -1) return null
  const fields = [[0, 2], [7, 11], [12, 14], [15, 17], [18, 20]]
  const [day, year, hour, minute, second] = fields.map(([from, to]) => parseDigits(text, from, to))
  const [zoneHours, zoneMinutes] = [parseDigits(text, 22, 24), parseDigits(text, 24, 26)]
  const sign = text[21] === '-' ? -1 : 1
  return toTimeUs((Date.UTC(year, month, day, hour, minute, second) - sign * (zoneHours * 60 + zoneMinutes) * 60_000) * 1000)
}

/** NaN if a character is no digit. */
function parseDigits (text: string, from: number, to: number): number {
  let value = 0
  for (let i = from; i < to; i++) {
    const digit = text.charCodeAt(i) - 48
    value = digit >= 0 && digit <= 9 ? value * 10 + digit : NaN
  }
  return value
}

/** Parse a date of ISO 8601, to the microsecond. `null` for any other text. */
export function parseIsoTime (text: string): number | null {
  if (text.length < 10 || text.length > 40) return null
  // The usual form, 2018-07-02T22:23:00.186641Z, without the costs of Date.parse.
  if (text.charCodeAt(text.length - 1) === 0x5a && (text[10] === 'T' || text[10] === ' ') && (text[19] === '.' || text.length === 20)) {
    const fraction = text.length === 20 ? 0 : parseDigits(text.slice(20, -1).slice(0, 6).padEnd(6, '0'), 0, 6)
    const ms = Date.UTC(
      parseDigits(text, 0, 4), parseDigits(text, 5, 7) - 1, parseDigits(text, 8, 10),
      parseDigits(text, 11, 13), parseDigits(text, 14, 16), parseDigits(text, 17, 19)
    )
    return toTimeUs(ms * 1000 + fraction)
  }
  return toTimeUs(Date.parse(text) * 1000)
}

/** Parse a number of seconds, milliseconds, microseconds or nanoseconds since 1970, by its size; or an ISO date. */
export function parseTime (value: unknown): number | null {
  if (typeof value === 'number') return parseEpoch(value)
  if (typeof value !== 'string' || value.trim() === '') return null
  const number = Number(value)
  return Number.isNaN(number) ? parseIsoTime(value) : parseEpoch(number)
}

function parseEpoch (value: number): number | null {
  if (value >= 1e17) return toTimeUs(value / 1000)
  if (value >= 1e14) return toTimeUs(value)
  return toTimeUs(value >= 1e11 ? value * 1000 : value * 1_000_000)
}

function toTimeUs (us: number): number | null {
  return us >= 0 && us < MAX_TIME_US ? Math.floor(us) : null
}
