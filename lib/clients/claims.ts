/**
 * The value of a claim. Dots lead into objects, unless there is a claim of that very name, as with claims named by a URL.
 * `undefined` where there is none.
 */
export function findClaim (payload: unknown, path: string): unknown {
  if (typeof payload !== 'object' || payload === null) return undefined
  // Own claims only: no token has one that is called "constructor" unless it was issued so.
  if (Object.hasOwn(payload, path)) return Reflect.get(payload, path)
  for (let dot = path.lastIndexOf('.'); dot > 0; dot = path.lastIndexOf('.', dot - 1)) {
    const outer = path.slice(0, dot)
    if (!Object.hasOwn(payload, outer)) continue
    const inner = findClaim(Reflect.get(payload, outer), path.slice(dot + 1))
    if (inner !== undefined) return inner
  }
  return undefined
}

/** A user's id as text: from a string of 1 or more characters or a finite number. `null` for anything else. */
export function parseUserId (value: unknown): string | null {
  if (typeof value === 'string' && value !== '') return value
  return typeof value === 'number' && Number.isFinite(value) ? String(value) : null
}

const MAX_TIER_LENGTH = 64

/** A tier's name: 1 to 64 characters. `null` for anything else. */
export function parseTier (value: unknown): string | null {
  return typeof value === 'string' && value !== '' && value.length <= MAX_TIER_LENGTH ? value : null
}
