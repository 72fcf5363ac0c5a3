import { parseInstantMs } from '../config/schema/instants.js'

/**
 * The value of a claim; `undefined` if it is missing. A dot in `path` separates the names of nested claims.
 * A claim whose own name is the whole path comes first, such as a claim named by a URL.
 */
export function findClaim (payload: unknown, path: string): unknown {
  if (typeof payload !== 'object' || payload === null) return undefined
  // Own properties only: a token has no claim "constructor" unless it was issued with one.
  if (Object.hasOwn(payload, path)) return Reflect.get(payload, path)
  for (let dot = path.lastIndexOf('.'); dot > 0; dot = path.lastIndexOf('.', dot - 1)) {
    const outer = path.slice(0, dot)
    if (!Object.hasOwn(payload, outer)) continue
    const inner = findClaim(Reflect.get(payload, outer), path.slice(dot + 1))
    if (inner !== undefined) return inner
  }
  return undefined
}

/** An id or a key as text, from a string of 1 or more characters, a finite number or a bigint. `null` for any other value. */
export function parseUserId (value: unknown): string | null {
  if (typeof value === 'string' && value !== '') return value
  return Number.isFinite(value) || typeof value === 'bigint' ? String(value) : null
}

/**
 * The start of a client's quota periods, milliseconds since 1970: text in the format of ISO 8601, a Date, or in a token seconds
 * since 1970. `null` for any other value.
 */
export function parseAnchorMs (value: unknown): number | null {
  return typeof value === 'number' ? parseSeconds(value) : parseInstantMs(value)
}

function parseSeconds (seconds: number): number | null {
  const ms = Math.floor(seconds * 1000)
  return Math.abs(ms) <= MAX_ANCHOR_MS ? ms : null
}

/** The year 9999, as in text. Milliseconds in place of seconds are beyond. */
const MAX_ANCHOR_MS = 253_402_300_799_999

const MAX_TIER_LENGTH = 64

/** A tier's name: 1 to 64 characters. `null` for any other value. */
export function parseTier (value: unknown): string | null {
  return typeof value === 'string' && value !== '' && value.length <= MAX_TIER_LENGTH ? value : null
}
