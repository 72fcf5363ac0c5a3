import { parseDigits } from './scan.js'

/** Times before 2255, so that microseconds stay whole. */
const MAX_TIME_US = 9e15

const SECOND_US = 1_000_000

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** Length of `10/Oct/2000:13:55:36 -0700`. */
export const CLF_LENGTH = 26

/** Where its seconds and its zone begin. */
const CLF_SECOND = 18
const CLF_ZONE = 20

/** The last time, because many lines have the same minute. */
const lastBytes = new Uint8Array(CLF_LENGTH)
let lastMinuteUs = NaN

/** Parse the time of the common log format at a position, such as `10/Oct/2000:13:55:36 -0700`. `null` for any other text. */
export function parseClfTime (bytes: Buffer, start: number): number | null {
  if (!hasLastMinute(bytes, start)) {
    for (let i = 0; i < CLF_LENGTH; i++) lastBytes[i] = bytes[start + i]
    lastMinuteUs = computeClfMinuteUs(bytes.toString('latin1', start, start + CLF_LENGTH), lastBytes)
  }
  return toTimeUs(lastMinuteUs + parseDigits(bytes, start + CLF_SECOND, start + CLF_ZONE) * SECOND_US)
}

/** Whether a time differs from the last one in its seconds at most. Those of the minute first: they are the first to differ. */
function hasLastMinute (bytes: Buffer, start: number): boolean {
  for (let i = CLF_SECOND - 1; i >= 0; i--) {
    if (bytes[start + i] !== lastBytes[i]) return false
  }
  for (let i = CLF_ZONE; i < CLF_LENGTH; i++) {
    if (bytes[start + i] !== lastBytes[i]) return false
  }
  return true
}

/** The beginning of the minute; NaN for another text. */
function computeClfMinuteUs (text: string, bytes: Uint8Array): number {
  const month = MONTHS.indexOf(text.slice(3, 6))
  const isShaped = /^..\/...\/....:..:..:.. [+-]....$/s.test(text)
  if (!isShaped || month === -1) return NaN
  const [day, year] = [parseDigits(bytes, 0, 2), parseDigits(bytes, 7, 11)]
  const [hour, minute] = [parseDigits(bytes, 12, 14), parseDigits(bytes, 15, 17)]
  const [zoneHours, zoneMinutes] = [parseDigits(bytes, 22, 24), parseDigits(bytes, 24, 26)]
  const sign = text[21] === '-' ? -1 : 1
  return (Date.UTC(year, month, day, hour, minute) - sign * (zoneHours * 60 + zoneMinutes) * 60_000) * 1000
}

/** Length of `2018-07-02T22:23`. */
const ISO_MINUTE_LENGTH = 16

let lastIsoMinute = '-'
let lastIsoMinuteUs = NaN

/** Parse a date of ISO 8601, to the microsecond. `null` for any other text. */
export function parseIsoTime (text: string): number | null {
  const { length } = text
  if (length < 10 || length > 40) return null
  // The usual form, 2018-07-02T22:23:00.186641Z, without the costs of Date.parse.
  const isUsual = text.charCodeAt(length - 1) === 0x5a && text[16] === ':' && (text[19] === '.' || length === 20)
  if (!isUsual) return toTimeUs(Date.parse(text) * 1000)
  if (!text.startsWith(lastIsoMinute)) {
    lastIsoMinute = text.slice(0, ISO_MINUTE_LENGTH)
    lastIsoMinuteUs = Date.parse(`${lastIsoMinute.replace(' ', 'T')}Z`) * 1000
  }
  return toTimeUs(lastIsoMinuteUs + parseFraction(text, ISO_MINUTE_LENGTH + 1, length - 1))
}

/** Seconds with a fraction, microseconds; NaN for another text. */
function parseFraction (text: string, from: number, to: number): number {
  let value = 0
  let unitUs = 10 * SECOND_US
  for (let i = from; i < to; i++) {
    const digit = text.charCodeAt(i) - 48
    if (i === from + 2 && digit === -2) continue
    if (!(digit >= 0 && digit <= 9)) return NaN
    if (unitUs >= 1) value += digit * unitUs
    unitUs /= 10
  }
  return value
}

/** Parse a number of seconds, milliseconds, microseconds or nanoseconds since 1970, by its size; or an ISO date. */
export function parseTime (value: unknown): number | null {
  if (typeof value === 'number') return parseEpoch(value)
  if (typeof value !== 'string' || value.trim() === '') return null
  const number = value[4] === '-' ? NaN : Number(value)
  return Number.isNaN(number) ? parseIsoTime(value) : parseEpoch(number)
}

function parseEpoch (value: number): number | null {
  if (value >= 1e17) return toTimeUs(value / 1000)
  if (value >= 1e14) return toTimeUs(value)
  return toTimeUs(value >= 1e11 ? value * 1000 : value * SECOND_US)
}

function toTimeUs (us: number): number | null {
  return us >= 0 && us < MAX_TIME_US ? Math.floor(us) : null
}
