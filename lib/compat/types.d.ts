// The types of `fastify-sluice/compat`, as the package exports them. They stand apart, and no program of this repository
// includes them, because they say of Fastify what the plugin's own types say otherwise: `config.rateLimit` and
// `fastify.rateLimit` take the words of one or the other.
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
    /** A hook that limits, for `setNotFoundHandler` or a route's `preHandler`: by the plugin's options, or by others with counts of their own. */
    rateLimit (options?: RateLimitOptions): preHandlerAsyncHookHandler
    /** A limiter to ask in code. `isAllowed` means that the request is on the allow list; `isExceeded`, that it is over the limit. */
    createRateLimit (options?: CreateRateLimitOptions): (request: FastifyRequest, call?: { increment?: boolean }) => Promise<LimiterAnswer>
  }
}
