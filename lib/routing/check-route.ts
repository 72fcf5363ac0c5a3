import type { RouteOptions } from 'fastify'
import { FST_SLUICE_UNKNOWN_OPTION } from '../errors.js'
import { formatRoute } from './route-names.js'

/**
 * Hold a route to the one place where its limits are read. Fastify takes whatever a route and its config hold, so limits under
 * another name would not be missed until somebody needs them. Throws FST_SLUICE_UNKNOWN_OPTION.
 */
export function checkRouteConfig (options: RouteOptions): void {
  const { config = {} } = options
  if (config.rateLimit !== undefined) return
  const misspelt = findSimilarKey(config)
  if (misspelt !== undefined) throw new FST_SLUICE_UNKNOWN_OPTION(`${formatRoute(options)} config.${misspelt}`, ', did you mean "rateLimit"?')
  const misplaced = findSimilarKey(options)
  if (misplaced !== undefined) throw new FST_SLUICE_UNKNOWN_OPTION(`${formatRoute(options)} ${misplaced}`, ', did you mean "config.rateLimit"?')
}

/** The name of what is set there as `rateLimit` but for case, hyphens and underscores. */
function findSimilarKey (holder: object): string | undefined {
  return Object.entries(holder).find(([name, value]) => value !== undefined && name.replaceAll(/[-_]/g, '').toLowerCase() === 'ratelimit')?.[0]
}
