import { normalizeIP } from './client-key.js'
import { fastifyRateLimit as plugin } from './plugin.js'

/**
 * Limits the rate of requests by the options of @fastify/rate-limit, on the plugin and in `config.rateLimit` of routes.
 * require() returns it, so that it has the other exports as properties.
 *
 * Throws FST_SLUICE_BAD_OPTION, FST_SLUICE_UNKNOWN_OPTION and FST_SLUICE_CONTRADICTION for invalid options, also from the
 * declaration of a route.
 */
export const fastifyRateLimit = Object.assign(plugin, { default: plugin, fastifyRateLimit: plugin, normalizeIP })

export { fastifyRateLimit as default, normalizeIP }
export type { FastifyRateLimitOptions, FastifyRateLimitStore, FastifyRateLimitStoreCtor } from './custom-store.js'
export type {
  CreateRateLimitOptions, errorResponseBuilderContext, LimiterAnswer, RateLimitHook, RateLimitOptions, RateLimitPluginOptions
} from './options.js'
export type { FastifyRateLimit } from './plugin.js'
