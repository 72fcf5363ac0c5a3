import type { RouteOptions } from 'fastify'
import { hasBucketFields } from '../config/schema/policy-fields.js'
import { suggestNearest } from '../config/schema/suggest.js'
import { FST_SLUICE_UNKNOWN_OPTION } from '../errors.js'
import { formatRoute } from './route-names.js'

/**
 * Reject limits under a misspelt or misplaced key. Fastify accepts any key, so the route would silently have no limits.
 * Throws FST_SLUICE_UNKNOWN_OPTION.
 */
export function checkRouteConfig (options: RouteOptions): void {
  const { config = {} } = options
  if (config.rateLimit !== undefined) return
  const misspelt = findSimilarKey(config)
  if (misspelt !== undefined) throwUnknownOption(`${formatRoute(options)} config.${misspelt}`, 'rateLimit')
  const misplaced = findSimilarKey(options)
  if (misplaced !== undefined) throwUnknownOption(`${formatRoute(options)} ${misplaced}`, 'config.rateLimit')
  if ('max' in config && 'timeWindow' in config) throwUnknownOption(`${formatRoute(options)} config.max`, 'config.rateLimit.max')
}

function throwUnknownOption (place: string, suggestion: string): never {
  throw new FST_SLUICE_UNKNOWN_OPTION(place, `, did you mean "${suggestion}"?`)
}

/** Find a key that equals `rateLimit` apart from case, hyphens and underscores, or a similar one of an object with limits. */
function findSimilarKey (holder: object): string | undefined {
  const entry = Object.entries(holder).find(([name, value]) => {
    if (value === undefined) return false
    if (name.replaceAll(/[-_]/g, '').toLowerCase() === 'ratelimit') return true
    return typeof value === 'object' && value !== null && hasBucketFields(value) && suggestNearest(name, ['rateLimit']) !== null
  })
  return entry?.[0]
}
