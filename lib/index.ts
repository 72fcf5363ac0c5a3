import type { RouteRateLimit } from './config/schema/policy-schema.js'
import type { RateLimitDecorator } from './decorator/decorator.js'
import type { Decision } from './model/decision.js'

export { rateLimitPlugin, rateLimitPlugin as default } from './plugin/plugin.js'
export { RouteRateLimitSchema } from './config/schema/policy-schema.js'
export { RateLimitOptionsSchema } from './config/schema/options-schema.js'
export type { CustomIdentify, Identity } from './config/schema/identity-schema.js'
export type {
  CostFunction, DecisionCallback, ErrorResponseBuilder, ExemptFunction, KeyGenerator
} from './config/schema/functions.js'
export type { LayerName } from './config/layers/layer.js'
export type { SourceName } from './config/layers/option-tree.js'
export type { LimitOptions, Phase, RouteRateLimit, RuleOptions, TierOptions } from './config/schema/policy-schema.js'
export type { RateLimitOptions } from './config/schema/options-schema.js'
export { RateLimitError } from './errors.js'
export type { Clock } from './common/clock.js'
export type { Client } from './model/client.js'
export type { UnleasedReason } from './model/unleased-reason.js'
export type { Decision, LimitStanding, Outcome } from './model/decision.js'
export { BREAKER_CHANNEL, DECISION_CHANNEL, RELOAD_CHANNEL } from './observability/channels.js'
export type { BreakerMessage, DecisionMessage, ReloadMessage, ReloadSource } from './observability/channels.js'
export type {
  Explain, ExplainedLease, ExplainedOption, ExplainedPolicy, ExplainedTier, RegistrationExplanation, RouteExplanation, RouteQuery,
  RouteState
} from './decorator/explanation.js'
export type { AdminHook } from './config/schema/admin-schema.js'
export type { BlockedPage, BlockedPartition, BlockedQuery } from './decorator/blocked.js'
export type { ConsumeOptions } from './decorator/consume.js'
export type { AnyReply, AnyRequest, Guard, PartitionStanding, RateLimitDecorator, ReloadOptions } from './decorator/decorator.js'
export type { QuotaUsage, UsageOptions } from './decorator/usage.js'
export type { Health, MountedRoutes, StoreHealth } from './observability/health.js'
export type {
  MetricsRegistry, OtelHistogram, OtelHistogramOptions, OtelInstrumentOptions, OtelMeter, OtelObservable, RegisteredMetric
} from './config/schema/metrics-schema.js'
export type { BreakerState } from './resilience/breaker.js'
export { limiterClientOptions, type LimiterClientOptions } from './stores/redis/client-options.js'
export type { AnyRedisClient, RedisConnectionOptions, RedisTarget } from './stores/redis/connect.js'
export type { CredentialOptions, ExpiringPassword } from './stores/redis/credentials.js'
export type { LeaseTerms } from './algorithms/lease.js'
export type { Calendar, Period, PeriodUnit } from './algorithms/calendar.js'
export type { Algorithm, Quota, QuotaAlgorithm } from './algorithms/quota.js'
export type { PenaltyRule } from './algorithms/penalty.js'
export type {
  Adjustment, Answer, Block, Charge, FailureReason, Limit, PartitionBy, Penalty, Receipt, SlotRoom, Standing, Store, Unavailable, Usage
} from './stores/store.js'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The limits of this route, or `false` for no limits. */
    // Fastify intersects this with the type inferred from the literal: without `object`, `true` would compile.
    rateLimit?: (RouteRateLimit & object) | false
  }

  interface FastifyInstance {
    /** Guards, checks, and the calls for operators. */
    rateLimit: RateLimitDecorator
  }

  interface FastifyRequest {
    /** The decision for this request; `null` if no policy applied. */
    rateLimit: Decision | null
  }
}
