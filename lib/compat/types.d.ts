// The types of `fastify-sluice/compat`, as the package exports them. No program of this repository includes this file: it
// declares `config.rateLimit` and `fastify.rateLimit` of Fastify, and the plugin's own types declare them differently.
import type { FastifyRequest, preHandlerAsyncHookHandler } from 'fastify'
import type { CreateRateLimitOptions, LimiterAnswer, RateLimitOptions } from './options.js'

export * from './index.js'
export { default } from './index.js'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Limits of this route, or `false` for none. */
    rateLimit?: RateLimitOptions | false
  }

  interface FastifyInstance {
    /**
     * Creates a hook that limits, for `setNotFoundHandler` or a route's `preHandler`. Without `options` it uses the plugin's
     * options and counts; with them it has separate counts.
     */
    rateLimit (options?: RateLimitOptions): preHandlerAsyncHookHandler
    /**
     * Creates a limiter to call in code. `isAllowed` means that the request is on the allow list; `isExceeded`, that it is
     * over the limit.
     */
    createRateLimit (options?: CreateRateLimitOptions):
    (request: FastifyRequest, call?: { increment?: boolean }) => Promise<LimiterAnswer>
  }
}
