import type { SchemaOptions, Static } from '@sinclair/typebox'
import { Concurrency, Priority } from './concurrency-schema.js'
import { LimitCost, OnUnsettled, PolicyCost } from './cost-schema.js'
import { DURATION_EXPECTED } from './durations.js'
import type { DecisionCallback, ErrorResponseBuilder, KeyGenerator, PerRequest } from './functions.js'
import { By, periodOptions } from './limit-fields.js'
import { Callback, IntegerRange, Duration, NAME_PATTERN, Name, StringEnum } from './option-types.js'
import { PenaltySchema } from './penalty-schema.js'
import { Type } from './type-builder.js'

/*
 * Policy options, defined once for the plugin, routes and rules. The schema validates them, its `Static` is their type,
 * and the tables of docs/options.md are generated from it.
 */

/** Stores keep a count in four bytes. */
export const MAX_UNITS = 4_294_967_295

const Max = (meta: SchemaOptions = {}) => Type.Union([
  Type.Integer({ minimum: 0, maximum: MAX_UNITS }),
  Callback<PerRequest<number>>({ expected: 'a function' })
], {
  ...meta,
  expected: `an integer from 0 to ${MAX_UNITS}`,
  description: 'Units that one partition may use per `timeWindow`. 0 refuses every request. ' +
    'In code also a function of the request and the client, which may return a promise.'
})

const TimeWindow = (meta: SchemaOptions = {}) => Type.Union([
  Type.Number(),
  Type.String(),
  Callback<PerRequest<number | string>>({ expected: 'a function' })
], {
  ...meta,
  expected: DURATION_EXPECTED,
  description: 'The period that `max` applies to. In code also a function, like `max`.'
})

const AlgorithmName = StringEnum(['token-bucket', 'sliding-window', 'fixed-window'], {
  default: 'token-bucket', description: 'The algorithm that counts requests.'
})

const Burst = IntegerRange(1, MAX_UNITS, {
  description: 'Capacity of a token bucket: the most units that may be used at once. Default: `max`.'
})

const Mode = StringEnum(['enforce', 'shadow'], {
  default: 'enforce', description: '`shadow` counts and decides, but never refuses and sets no header.'
})

const Leases = (meta: SchemaOptions = {}) => Type.Union([
  Type.Boolean(),
  Type.Object({
    hold: Type.Optional(Duration({ default: '4s', description: 'The longest time that units are held in advance.' }))
  }, { additionalProperties: false })
], {
  ...meta,
  expected: 'true, false, or an object: { hold? }',
  description: 'With Redis: take units of busy buckets in advance, for at most `hold` (4s), and decide by them without a call. ' +
    'The limits stay exact. `true` stands for `{}`. Sliding windows, throttled policies and small limits are not leased.'
})

/** `timeWindow` is required unless there is a `period`, which the schema cannot express. */
export const LIMIT_EXPECTED = 'a limit: { name, max, timeWindow or period, burst?, algorithm?, by?, cost?, onUnsettled?, mode?, leases? }'

const LimitSchema = Type.Object({
  name: Name(),
  max: Max(),
  timeWindow: Type.Optional(TimeWindow()),
  ...periodOptions,
  burst: Type.Optional(Burst),
  algorithm: Type.Optional(AlgorithmName),
  by: Type.Optional(By),
  cost: Type.Optional(LimitCost),
  onUnsettled: Type.Optional(OnUnsettled),
  mode: Type.Optional(Mode),
  leases: Type.Optional(Leases())
}, { additionalProperties: false, expected: LIMIT_EXPECTED })

/** Options that define limits, also those of a tier. */
export const limitOptions = {
  max: Type.Optional(Max()),
  timeWindow: Type.Optional(TimeWindow()),
  ...periodOptions,
  limits: Type.Optional(Type.Array(LimitSchema, {
    minItems: 1,
    maxItems: 16,
    expected: 'an array of 1 to 16 limits',
    description: 'Several limits in place of `max` and `timeWindow`: ' +
      '`{ name, max, timeWindow, period?, timeZone?, anchor?, burst?, algorithm?, by?, cost?, onUnsettled?, mode?, leases? }`. ' +
      'A request is charged to all of them or to none.'
  })),
  algorithm: Type.Optional(AlgorithmName),
  burst: Type.Optional(Burst),
  by: Type.Optional(By)
}

const TIER_EXPECTED = 'limits: { max, timeWindow, ... } or { limits }, or false'

const TierSchema = Type.Object({ ...limitOptions, concurrency: Type.Optional(Concurrency()), priority: Type.Optional(Priority) }, {
  additionalProperties: false, expected: TIER_EXPECTED
})

const ThrottleSchema = Type.Object({
  maxDelay: Type.Optional(Duration({ default: '2s', description: 'The longest time a request is held.' })),
  maxQueued: Type.Optional(IntegerRange(1, 1_000_000, { default: 1000, description: 'Requests of this policy that may be held at once.' })),
  maxQueuedPerClient: Type.Optional(IntegerRange(1, 1_000_000, {
    default: 100, description: 'Requests of one client that may be held at once.'
  }))
}, { additionalProperties: false })

const StatusSchema = Type.Union([Type.String(), Type.Integer()], {
  expected: 'a status from 200 to 599 or a class of them such as "2xx"'
})

export const policyOptions = {
  ...limitOptions,
  tiers: Type.Optional(Type.Record(
    Type.String({ pattern: NAME_PATTERN }),
    Type.Union([Type.Literal(false), TierSchema], { expected: TIER_EXPECTED }),
    {
      additionalProperties: false,
      expected: 'an object of limits by tier name',
      description: 'Limits for the clients of a tier, in place of those above: ' +
        '`{ premium: { max: 1000, timeWindow: \'1 minute\' }, internal: false }`. `false` means unlimited.'
    }
  )),
  cost: Type.Optional(PolicyCost),
  refundOn: Type.Optional(Type.Array(StatusSchema, {
    expected: 'an array of statuses such as 304 or "2xx"',
    description: 'Refund the units when a response with such a status was sent completely. ' +
      'On a login, `[\'2xx\']` counts only the failures.'
  })),
  groupId: Type.Optional(Type.String({
    minLength: 1,
    maxLength: 128,
    expected: 'a string of 1 to 128 characters',
    description: 'Routes with the same id share their buckets. They must have equal limits.'
  })),
  mode: Type.Optional(Mode),
  leases: Type.Optional(Leases({ default: false })),
  concurrency: Type.Optional(Concurrency({ default: false })),
  enforce: Type.Optional(Type.Object({
    percent: Type.Optional(IntegerRange(0, 100, { default: 100, description: 'Percentage of clients for which limits are enforced.' }))
  }, {
    additionalProperties: false,
    expected: 'an object: { percent? }',
    description: 'Enforce the limits for `percent` (100) of the clients, always the same ones. ' +
      'For the other clients they are in shadow mode.'
  })),
  throttle: Type.Optional(Type.Union([Type.Literal(false), ThrottleSchema], {
    default: false,
    expected: 'false, or an object: { maxDelay?, maxQueued?, maxQueuedPerClient? }',
    description: 'Hold a request until its token is due instead of refusing it, for at most `maxDelay` (2s). ' +
      'At most `maxQueued` (1000) requests are held at once, and `maxQueuedPerClient` (100) of one client. Token buckets only.'
  })),
  penalty: Type.Optional(Type.Union([Type.Literal(false), PenaltySchema], {
    default: false,
    expected: 'false, or an object: { strikes?, within?, cooldown?, factor?, maxCooldown? }',
    description: 'Block a client after `strikes` (5) refusals in the time `within` (10 minutes). ' +
      'The block lasts `cooldown` (1 minute). Each further block is `factor` (2) times as long, up to `maxCooldown` (1 hour).'
  })),
  hook: Type.Optional(StringEnum(['onRequest', 'preParsing', 'preValidation', 'preHandler'], {
    default: 'onRequest', description: 'The hook in which a request is counted.'
  })),
  failureMode: Type.Optional(StringEnum(['local', 'open', 'closed'], {
    default: 'local',
    description: 'What applies while the store cannot answer. `local`: the same limits, in the memory of this process. ' +
      '`open`: no limits, requests pass uncounted. `closed`: a 503 response.'
  })),
  keyGenerator: Type.Optional(Callback<KeyGenerator>({
    expected: 'a function',
    description: 'Returns the key of the client, text or a number, or a promise of it. It is used in place of the address. ' +
      'If the key is empty or the function fails, the address is used, and the fault is logged.'
  })),
  errorResponseBuilder: Type.Optional(Callback<ErrorResponseBuilder>({
    expected: 'a function',
    description: 'Receives the request, the decision and the reply, and returns the body of a refusal or a promise of it: ' +
      'an object for JSON, text, or a Buffer. `reply.type` sets its type. It may also redirect. ' +
      'An Error is thrown, so that `setErrorHandler` receives it.'
  })),
  onExceeding: Type.Optional(Callback<DecisionCallback>({
    expected: 'a function', description: 'Called after each request that was counted and allowed.'
  })),
  onExceeded: Type.Optional(Callback<DecisionCallback>({
    expected: 'a function', description: 'Called before each refusal is sent.'
  })),
  onBlocked: Type.Optional(Callback<DecisionCallback>({
    expected: 'a function', description: 'Called once for each block, with the request that caused it.'
  }))
}

/** `max` and `timeWindow` with their defaults. */
export const defaultedLimit = {
  max: Type.Optional(Max({ default: 1000 })),
  timeWindow: Type.Optional(TimeWindow({ default: '1 minute' }))
}

/** Schema of a route's `config.rateLimit`. */
export const RouteRateLimitSchema = Type.Object(policyOptions, {
  additionalProperties: false, expected: 'an object of rate-limit options, or false'
})

/** A named policy for the routes that its pattern matches. */
export const RuleSchema = Type.Object({
  ...policyOptions,
  name: Name(),
  match: Type.String({ expected: 'a pattern such as "/api/*/reports"' }),
  methods: Type.Optional(Type.Array(Type.String({ pattern: '^[A-Za-z-]{1,32}$', expected: 'an HTTP method' }), {
    minItems: 1, expected: 'an array of HTTP methods'
  })),
  override: Type.Optional(Type.Boolean({ expected: 'true or false' }))
}, { additionalProperties: false, expected: 'a rule: { name, match, methods?, override?, max, timeWindow, ... }' })

/** An entry of `limits`. */
export type LimitOptions = Static<typeof LimitSchema>

/** The option `leases`. */
export type LeaseOptions = NonNullable<LimitOptions['leases']>

/** Limits of one tier. */
export type TierOptions = Static<typeof TierSchema>

/** Options of a route: `config.rateLimit`. */
export type RouteRateLimit = Static<typeof RouteRateLimitSchema>

/** A named policy for the routes that its pattern matches. */
export type RuleOptions = Static<typeof RuleSchema>

/** The hook in which a request is counted: the option `hook`. */
export type Phase = NonNullable<RouteRateLimit['hook']>
