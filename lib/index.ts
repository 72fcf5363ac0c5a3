import type { RouteRateLimit } from './config/policy-schema.js'
import type { RateLimitDecorator } from './decorator.js'
import type { Decision } from './policies/decision.js'

export { rateLimitPlugin, rateLimitPlugin as default } from './plugin.js'
export { RouteRateLimitSchema } from './config/policy-schema.js'
export { RateLimitOptionsSchema } from './config/schema.js'
export type { Identity } from './config/identity-schema.js'
export type { LimitOptions, RouteRateLimit, RuleOptions, TierOptions } from './config/policy-schema.js'
export type { RateLimitOptions } from './config/schema.js'
export { RateLimitError } from './errors.js'
export type { Client } from './clients/client.js'
export type { Decision, Outcome } from './policies/decision.js'
export { BREAKER_CHANNEL, DECISION_CHANNEL, RELOAD_CHANNEL } from './observability/channels.js'
export type { BreakerMessage, DecisionMessage, ReloadMessage } from './observability/channels.js'
export type { LimitStanding } from './policies/standing.js'
export type { Explain, ExplainedOption, ExplainedPolicy, ExplainedTier, Holds, RegistrationExplanation, RouteExplanation, RouteQuery } from './explanation.js'
export type { BlockedPage, BlockedPartition, BlockedQuery } from './blocked.js'
export type { Guard, PartitionStanding, RateLimitDecorator } from './decorator.js'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Limits of this route, or `false` for none. */
    // Fastify intersects this with what it infers from the literal, where `true` would pass for an object without options.
    rateLimit?: (RouteRateLimit & object) | false
  }

  interface FastifyInstance {
    rateLimit: RateLimitDecorator
  }

  interface FastifyRequest {
    /** What was decided for this request; `null` where no policy ran. */
    rateLimit: Decision | null
  }
}
