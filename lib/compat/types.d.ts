// The types of `fastify-sluice/compat`, as the package exports them. No program of this repository includes this file: it
// declares `config.rateLimit` and `fastify.rateLimit` of Fastify, and the plugin's own types declare them differently.
import type {
  ContextConfigDefault, FastifyRequest, FastifySchema, preHandlerAsyncHookHandler, RouteGenericInterface
} from 'fastify'
import type { CreateRateLimitOptions, LimiterAnswer, RateLimitOptions } from './options.js'

export * from './index.js'
export { default } from './index.js'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Limits of this route, or `false` for none. */
    rateLimit?: RateLimitOptions | false
  }

  interface FastifyInstance<RawServer, RawRequest, RawReply, Logger, TypeProvider> {
    /**
     * Creates a hook that limits, for `setNotFoundHandler` or a route's `preHandler`. Without `options` it uses the plugin's
     * options and counts; with them it has separate counts.
     */
    rateLimit<
      RouteGeneric extends RouteGenericInterface = RouteGenericInterface,
      ContextConfig = ContextConfigDefault,
      SchemaCompiler extends FastifySchema = FastifySchema
    >(options?: RateLimitOptions): preHandlerAsyncHookHandler<
      RawServer, RawRequest, RawReply, RouteGeneric, ContextConfig, SchemaCompiler, TypeProvider, Logger
    >
    /**
     * Creates a limiter to call in code, with a request of any server, logger and type provider. `isAllowed` means that the
     * request is on the allow list; `isExceeded`, that it is over the limit.
     */
    createRateLimit (options?: CreateRateLimitOptions):
    (request: Pick<FastifyRequest, 'id' | 'url' | 'method'>, call?: { increment?: boolean }) => Promise<LimiterAnswer>
  }
}
