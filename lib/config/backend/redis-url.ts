import { FST_SLUICE_BAD_OPTION, FST_SLUICE_UNKNOWN_OPTION } from '../../errors.js'
import type { Report } from '../schema/error-collector.js'
import { suggestNearest } from '../schema/suggest.js'
import { CONNECTION_OPTIONS, isOfKind, PORT, WHOLE_NUMBER } from './redis-options.js'

const SCHEME = /^rediss?:\/\//i

const NOT_ENCODED = 'a URL whose user or password is not percent-encoded'

/**
 * Tell what is wrong with the URL of a Redis. Nothing of it is shown: a password that is not percent-encoded falls apart
 * at its first "/", "?" or "#", and then it may pass for anything in a URL.
 *
 * `expected`: what may stand there in its place.
 */
export function reportUrlErrors (text: string, expected: string, report: Report): void {
  const found = findUrlError(text)
  if (found !== null) return report([], (place) => new FST_SLUICE_BAD_OPTION(place, expected, found))
  // ioredis takes these for options, and they would win over ours.
  for (const [key, value] of new URL(text).searchParams) {
    const kind = CONNECTION_OPTIONS.get(key)
    const isWrong = kind === undefined || ((kind === WHOLE_NUMBER || kind === PORT) && !isOfKind(kind, value))
    if (isWrong) report([], (place) => hasUnencodedPassword(text) ? new FST_SLUICE_BAD_OPTION(place, expected, NOT_ENCODED) : createQueryError(place, key, kind))
  }
}

/** What a message says in place of the URL. */
function findUrlError (text: string): string | null {
  if (text === '') return '""'
  if (!SCHEME.test(text)) return 'text that does not begin with "redis://" or "rediss://"'
  const url = URL.canParse(text) ? new URL(text) : null
  if (url === null) return hasUnencodedPassword(text) ? NOT_ENCODED : 'a URL without a host, or with a port that is none'
  // Redis has no use for what follows a "#", so the "#" was meant to be in a password.
  if (url.hash !== '' || !isDecodable(url.username + url.password)) return NOT_ENCODED
  if (/^\/?\d*$/.test(url.pathname)) return null
  return hasUnencodedPassword(text) ? NOT_ENCODED : 'a URL with something else after its host than the number of a database'
}

/** Whether an "@" stands behind the part that has the user, the password and the host: they were meant to end there. */
function hasUnencodedPassword (text: string): boolean {
  return /[/?#].*@/s.test(text.replace(SCHEME, ''))
}

function isDecodable (text: string): boolean {
  try {
    decodeURIComponent(text)
    return true
  } catch {
    return false
  }
}

function createQueryError (place: string, key: string, kind: string | undefined): Error {
  if (kind !== undefined) return new FST_SLUICE_BAD_OPTION(place, `${kind} for "${key}" in the query of the URL`, 'something else')
  const near = suggestNearest(key, [...CONNECTION_OPTIONS.keys()])
  return new FST_SLUICE_UNKNOWN_OPTION(place, ` in the query of the URL${near === null ? '' : `, did you mean "${near}"?`}`)
}
