import { FST_SLUICE_BAD_OPTION, FST_SLUICE_UNKNOWN_OPTION } from '../../errors.js'
import type { Report } from '../schema/error-collector.js'
import { suggestNearest } from '../schema/suggest.js'
import { CONNECTION_OPTIONS, formatQueryKind, isTextOfKind } from './redis-options.js'

const SCHEME = /^rediss?:\/\//i

const NOT_ENCODED = 'a URL whose user or password is not percent-encoded'

/**
 * Report the errors of a Redis URL. Messages show no part of it. A password that is not percent-encoded is split at its
 * first "/", "?" or "#". A piece of it may then look like any part of a URL.
 *
 * `expected`: the values that are allowed.
 */
export function reportUrlErrors (text: string, expected: string, report: Report): void {
  const found = findUrlError(text)
  if (found !== null) return report([], (place) => new FST_SLUICE_BAD_OPTION(place, expected, found))
  // ioredis reads these parameters as options, which would override those of the plugin.
  const { protocol, searchParams } = new URL(text)
  for (const [key, value] of searchParams) {
    const kind = CONNECTION_OPTIONS.get(key)
    const isPlainTls = key === 'tls' && value === 'false' && protocol === 'rediss:'
    if (kind !== undefined && isTextOfKind(kind, value) && !isPlainTls && searchParams.getAll(key).length === 1) continue
    // The first error is enough: with thousands of parameters, to compare all of them would take seconds.
    return report([], (place) => hasUnencodedPassword(text)
      ? new FST_SLUICE_BAD_OPTION(place, expected, NOT_ENCODED)
      : createQueryError(place, key, kind, isPlainTls))
  }
}

/** The text that describes a wrong URL in a message; `null` for a valid URL. */
function findUrlError (text: string): string | null {
  if (text === '') return '""'
  if (!SCHEME.test(text)) return 'text that does not begin with "redis://" or "rediss://"'
  const url = URL.canParse(text) ? new URL(text) : null
  if (url === null) return hasUnencodedPassword(text) ? NOT_ENCODED : 'a URL without a host, or with an invalid port'
  // A Redis URL has no fragment, so the "#" is part of a password.
  if (url.hash !== '' || !isDecodable(url.username + url.password)) return NOT_ENCODED
  if (/^\/?\d*$/.test(url.pathname)) return null
  return hasUnencodedPassword(text) ? NOT_ENCODED : 'a URL whose path is not a database number'
}

/** Whether an "@" follows the end of the authority: then the password contains a delimiter that is not encoded. */
function hasUnencodedPassword (text: string): boolean {
  const rest = text.replace(SCHEME, '')
  const end = rest.search(/[/?#]/)
  return end !== -1 && rest.includes('@', end)
}

function isDecodable (text: string): boolean {
  try {
    decodeURIComponent(text)
    return true
  } catch {
    return false
  }
}

/** `isPlainTls`: whether the query switches off the TLS that the scheme requires. */
function createQueryError (place: string, key: string, kind: string | undefined, isPlainTls: boolean): Error {
  if (isPlainTls) return new FST_SLUICE_BAD_OPTION(place, 'no "tls" in the query of a "rediss://" URL', 'tls=false')
  if (kind !== undefined) {
    const value = formatQueryKind(kind)
    return value === null
      ? new FST_SLUICE_UNKNOWN_OPTION(place, ` "${key}" in the query of the URL; use an object of ioredis options`)
      : new FST_SLUICE_BAD_OPTION(place, `${value} for "${key}", once, in the query of the URL`, 'something else')
  }
  const near = suggestNearest(key, [...CONNECTION_OPTIONS.keys()])
  return new FST_SLUICE_UNKNOWN_OPTION(place, ` in the query of the URL${near === null ? '' : `, did you mean "${near}"?`}`)
}
