import { normalizeIP } from './client-key.js'
import { fastifyRateLimit } from './plugin.js'

// require() returns the plugin itself, with the other exports as its properties.
const required = Object.assign(fastifyRateLimit, { default: fastifyRateLimit, fastifyRateLimit, normalizeIP })

export { fastifyRateLimit, fastifyRateLimit as default, normalizeIP, required as 'module.exports' }
export type { FastifyRateLimitOptions, FastifyRateLimitStore, FastifyRateLimitStoreCtor } from './custom-store.js'
export type {
  CreateRateLimitOptions, errorResponseBuilderContext, LimiterAnswer, RateLimitHook, RateLimitOptions, RateLimitPluginOptions
} from './options.js'
export type { FastifyRateLimit } from './plugin.js'
