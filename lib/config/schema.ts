import { Type, type SchemaOptions, type Static, type TSchema } from '@sinclair/typebox'
import type { FastifyRequest } from 'fastify'
import type { Decision } from '../policies/decision.js'
import type { RedisTarget } from '../stores/redis/connect.js'
import { DURATION_EXPECTED } from './durations.js'

/*
 * Every option, once: the schema validates it, its `Static` is the type, and the README's table is made from it.
 * `expected` completes the message "expected ..., got ..." and is the type column of the table.
 */

interface Notes extends SchemaOptions {
  expected: string
  description?: string
}

/** A function option; TypeBox checks that it is one, and the type parameter says which. */
function Callback<F> (notes: Notes) {
  return Type.Unsafe<F>(Type.Function([], Type.Any(), notes))
}

function OneOf<const T extends readonly string[]> (names: T, notes: Omit<Notes, 'expected'>) {
  return Type.Unsafe<T[number]>(Type.Union(names.map((name) => Type.Literal(name)), {
    ...notes, expected: names.map((name) => `"${name}"`).join(' or ')
  }))
}

/** Counts are stored in four bytes. */
const MOST_UNITS = 4_294_967_295

const Max = (notes: SchemaOptions = {}) => Type.Integer({ ...notes, minimum: 0, maximum: MOST_UNITS, expected: `an integer from 0 to ${MOST_UNITS}`, description: 'Units that one partition may use per `timeWindow`. 0 refuses everything.' })
const TimeWindow = (notes: SchemaOptions = {}) => Type.Union([Type.Number(), Type.String()], { ...notes, expected: DURATION_EXPECTED, description: 'The time that `max` is meant for.' })
const AlgorithmName = OneOf(['token-bucket', 'sliding-window', 'fixed-window'], {
  default: 'token-bucket', description: 'How requests are counted.'
})
const Burst = Type.Integer({ minimum: 1, maximum: MOST_UNITS, expected: `an integer from 1 to ${MOST_UNITS}`, description: 'Capacity of a token bucket: the most that may be used at one moment. Default: `max`.' })
const By = OneOf(['client', 'ip', 'global'], {
  default: 'client', description: 'Whose budget is charged: the client (its key, else its address), the address, or one budget for all.'
})
const Mode = OneOf(['enforce', 'shadow'], {
  default: 'enforce', description: '`shadow` counts and decides but never refuses, and shows in no header.'
})
const NAME_PATTERN = '^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$'
const Name = (notes: SchemaOptions = {}) => Type.String({ ...notes, pattern: NAME_PATTERN, expected: 'a name of letters, digits, ".", "_" and "-", at most 64' })

export const LimitSchema = Type.Object({
  name: Name(),
  max: Max(),
  timeWindow: TimeWindow(),
  burst: Type.Optional(Burst),
  algorithm: Type.Optional(AlgorithmName),
  by: Type.Optional(By),
  mode: Type.Optional(Mode)
}, { additionalProperties: false, expected: 'a limit: { name, max, timeWindow, burst?, algorithm?, by?, mode? }' })

const limitOptions = {
  max: Type.Optional(Max()),
  timeWindow: Type.Optional(TimeWindow()),
  limits: Type.Optional(Type.Array(LimitSchema, {
    minItems: 1, maxItems: 16, expected: 'an array of 1 to 16 limits', description: 'Several limits at once, in place of `max` and `timeWindow`: `{ name, max, timeWindow, burst?, algorithm?, by?, mode? }`. A request is charged to all of them or to none.'
  })),
  algorithm: Type.Optional(AlgorithmName),
  burst: Type.Optional(Burst),
  by: Type.Optional(By)
}

const policyOptions = {
  ...limitOptions,
  cost: Type.Optional(Type.Union([
    Type.Integer({ minimum: 0 }),
    Callback<(request: FastifyRequest) => number>({ expected: 'a function' })
  ], { default: 1, expected: 'an integer of 0 or more, or a function', description: 'Units that a request takes. A function gets the request; its fractions are rounded up, anything that is not a number of 0 or more counts as 1 and is logged.' })),
  groupId: Type.Optional(Type.String({ minLength: 1, maxLength: 128, expected: 'a string of 1 to 128 characters', description: 'Routes with the same id share their buckets. They must have equal limits.' })),
  mode: Type.Optional(Mode),
  hook: Type.Optional(OneOf(['onRequest', 'preParsing', 'preValidation', 'preHandler'], {
    default: 'onRequest', description: 'When a request is counted.'
  })),
  failureMode: Type.Optional(OneOf(['local', 'open', 'closed'], {
    default: 'local', description: 'What holds while Redis cannot answer: the same limits in this process\'s memory, none (requests pass uncounted), or a 503.'
  })),
  keyGenerator: Type.Optional(Callback<(request: FastifyRequest) => string | Promise<string>>({
    expected: 'a function', description: 'Names the client, in place of its address. An empty key, or a failure, counts the address and is logged.'
  })),
  errorResponseBuilder: Type.Optional(Callback<(request: FastifyRequest, decision: Decision) => object | Error>({
    expected: 'a function', description: 'Makes the body of a refusal. An object is sent as JSON with the status kept; an Error is thrown, so that `setErrorHandler` sees it.'
  })),
  onExceeding: Type.Optional(Callback<(request: FastifyRequest, decision: Decision) => void>({
    expected: 'a function', description: 'Called after each request that was counted and let through.'
  })),
  onExceeded: Type.Optional(Callback<(request: FastifyRequest, decision: Decision) => void>({
    expected: 'a function', description: 'Called before each refusal is sent.'
  }))
}

/** What `config.rateLimit` of a route may hold. */
export const RouteRateLimitSchema = Type.Object(policyOptions, { additionalProperties: false, expected: 'an object of rate-limit options, or false' })

/** What `register` takes. */
export const RateLimitOptionsSchema = Type.Object({
  ...policyOptions,
  max: Type.Optional(Max({ default: 1000 })),
  timeWindow: Type.Optional(TimeWindow({ default: '1 minute' })),
  name: Type.Optional(Name({ description: 'This registration in keys and metrics. Default: its prefix, or `app`.' })),
  global: Type.Optional(Type.Boolean({ default: true, expected: 'true or false', description: 'Whether routes without limits of their own, and unknown URLs, get the limits given here.' })),
  enabled: Type.Optional(Type.Boolean({ default: true, expected: 'true or false', description: '`false` lets everything pass uncounted.' })),
  memory: Type.Optional(Type.Object({
    maxKeys: Type.Optional(Type.Integer({ minimum: 1, maximum: 16_777_216, default: 100_000, expected: 'an integer from 1 to 16777216', description: 'Buckets kept in memory. Past it the buckets nearest to full make room.' }))
  }, { additionalProperties: false, expected: 'an object: { maxKeys? }', description: 'The memory store.' })),
  ipv6Subnet: Type.Optional(Type.Integer({ minimum: 1, maximum: 128, default: 56, expected: 'an integer from 1 to 128', description: 'IPv6 addresses with the same first bits are one client.' })),
  redis: Type.Optional(Type.Unsafe<RedisTarget>(Type.Any({
    expected: 'a URL, ioredis options, { sentinels, name }, { cluster: [nodes] }, or a client', description: 'Redis (6.2 or newer) or Valkey, for limits that hold across instances. A client of yours is used as it is, and never closed.'
  }))),
  keyPrefix: Type.Optional(Type.String({ pattern: '^[^{}\\s]{0,64}$', default: 'sluice:', expected: 'at most 64 characters without braces and spaces', description: 'What every key in Redis begins with.' })),
  deadline: Type.Optional(Type.Integer({ minimum: 1, maximum: 5000, default: 50, expected: 'an integer from 1 to 5000', description: 'Milliseconds that a call to Redis may take, connecting and queueing included. Then the failure mode applies.' })),
  breaker: Type.Optional(Type.Object({
    failures: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000, default: 5, expected: 'an integer of 1 or more', description: 'Failed calls, if they are at least half of the calls in `within`, after which none is made for `openFor`.' })),
    within: Type.Optional(Type.Union([Type.Number(), Type.String()], { default: '10s', expected: DURATION_EXPECTED, description: 'The time in which failed calls are counted.' })),
    openFor: Type.Optional(Type.Union([Type.Number(), Type.String()], { default: '5s', expected: DURATION_EXPECTED, description: 'How long no call is made; then a single probe decides.' }))
  }, { additionalProperties: false, expected: 'an object: { failures?, within?, openFor? }', description: 'Keeps calls from a Redis that fails.' })),
  connections: Type.Optional(Type.Integer({ minimum: 1, maximum: 16, default: 1, expected: 'an integer from 1 to 16', description: 'Connections to Redis.' })),
  maxPending: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000, default: 10_000, expected: 'an integer from 1 to 1000000', description: 'Requests that may wait for Redis at once. Past it the failure mode applies.' })),
  health: Type.Optional(Type.Union([
    Type.Literal(false),
    Type.Object({
      path: Type.Optional(Type.String({ pattern: '^/' })),
      allow: Type.Optional(Type.Array(Type.String()))
    }, { additionalProperties: false })
  ], { expected: 'false, or an object: { path?, allow? }', description: 'A route that tells how the store is, by default `/health/rate-limit` below the prefix, for loopback and private addresses only; others get 404 unless `allow` lists their networks.' })),
  headers: Type.Optional(OneOf(['x-ratelimit', 'ratelimit', 'both', 'off'], {
    default: 'x-ratelimit', description: 'Which headers a counted response carries: `X-RateLimit-*`, or `RateLimit` and `RateLimit-Policy` of the IETF draft.'
  }))
}, { additionalProperties: false, expected: 'an object of rate-limit options' })

export type LimitOptions = Static<typeof LimitSchema>
/** Options of a route: `config.rateLimit`. */
export type RouteRateLimit = Static<typeof RouteRateLimitSchema>
/** Options of the plugin. */
export type RateLimitOptions = Static<typeof RateLimitOptionsSchema>

declare module '@sinclair/typebox' {
  interface SchemaOptions {
    /** Completes "expected ..., got ..." */
    expected?: string
  }
}

export type { TSchema }
