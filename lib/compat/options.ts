import { Type, type SchemaOptions, type Static } from '@sinclair/typebox'
import type { FastifyRequest } from 'fastify'
import { DURATION_EXPECTED } from '../config/schema/durations.js'
import { Callback, IntegerRange, BooleanOption, StringEnum } from '../config/schema/option-types.js'
import type { FastifyRateLimitStoreCtor } from './custom-store.js'

/*
 * The options of @fastify/rate-limit, with their names and meanings. The schemas check them and their `Static` is the
 * type; what they mean here is in docs/migration.md.
 */

type PerRequest<T> = (req: FastifyRequest, key: string) => T | Promise<T>

/** Told of a request and the key of its client; nothing is done with the answer. */
type Observer = (req: FastifyRequest, key: string) => void

/** What an `errorResponseBuilder` learns of a refusal. */
export interface errorResponseBuilderContext {
  /** 429, or 403 for a banned client. */
  statusCode: number
  ban: boolean
  /** The wait in words, such as `1 minute`. */
  after: string
  max: number
  /** The wait, milliseconds. */
  ttl: number
}

const NAMES = ['x-ratelimit-limit', 'x-ratelimit-remaining', 'x-ratelimit-reset', 'ratelimit-limit', 'ratelimit-remaining', 'ratelimit-reset', 'retry-after'] as const

function HeaderFlags (names: readonly HeaderName[], notes: SchemaOptions = {}) {
  return Type.Unsafe<Partial<Record<HeaderName, boolean>>>(Type.Partial(Type.Object(
    Object.fromEntries(names.map((name) => [name, BooleanOption({})]))
  ), { ...notes, additionalProperties: false, expected: 'an object of true or false by header name' }))
}

export type HeaderName = typeof NAMES[number]

const MAX_EXPECTED = 'a number of 0 or more, or a function'

const manual = {
  max: Type.Optional(Type.Union([Type.Number({ minimum: 0 }), Callback<PerRequest<number>>({ expected: MAX_EXPECTED })], { expected: MAX_EXPECTED })),
  timeWindow: Type.Optional(Type.Union([Type.Number(), Type.String(), Callback<PerRequest<number>>({ expected: 'a function' })], { expected: DURATION_EXPECTED })),
  allowList: Type.Optional(Type.Union([Type.Array(Type.String({ expected: 'an address, a CIDR or a key' })), Callback<PerRequest<unknown>>({ expected: 'a function' })], { expected: 'an array of addresses, CIDRs and keys, or a function' })),
  keyGenerator: Type.Optional(Callback<(req: FastifyRequest) => string | number | Promise<string | number>>({ expected: 'a function' })),
  ipv6Subnet: Type.Optional(IntegerRange(0, 128)),
  ban: Type.Optional(Type.Integer({ minimum: -1, maximum: 999_999, expected: 'an integer from 0 to 999999, or -1 for none' })),
  skipOnError: Type.Optional(BooleanOption({})),
  store: Type.Optional(Callback<FastifyRateLimitStoreCtor>({ expected: 'a class with incr and child' }))
}

const route = {
  ...manual,
  hook: Type.Optional(StringEnum(['onRequest', 'preParsing', 'preValidation', 'preHandler'], {})),
  cache: Type.Optional(IntegerRange(1, 16_777_216)),
  continueExceeding: Type.Optional(BooleanOption({})),
  exponentialBackoff: Type.Optional(BooleanOption({})),
  onExceeding: Type.Optional(Callback<Observer>({ expected: 'a function' })),
  onExceeded: Type.Optional(Callback<Observer>({ expected: 'a function' })),
  onBanReach: Type.Optional(Callback<Observer>({ expected: 'a function' })),
  errorResponseBuilder: Type.Optional(Callback<(req: FastifyRequest, context: errorResponseBuilderContext) => object>({ expected: 'a function' })),
  enableDraftSpec: Type.Optional(BooleanOption({})),
  addHeaders: Type.Optional(HeaderFlags(NAMES)),
  addHeadersOnExceeding: Type.Optional(HeaderFlags(NAMES.filter((name) => name !== 'retry-after')))
}

/** What `config.rateLimit` of a route may hold, and what `fastify.rateLimit` and `fastify.createRateLimit` take. */
export const RouteSchema = Type.Object({
  ...route,
  groupId: Type.Optional(Type.String({ minLength: 1, maxLength: 1000, expected: 'a string of 1 to 1000 characters' }))
}, { additionalProperties: false, expected: 'an object of options, or false' })

/** What `register` takes. */
export const PluginSchema = Type.Object({
  ...route,
  global: Type.Optional(BooleanOption({})),
  // Any client at all, as there: an application may have a copy of ioredis, or a fork of it, of its own. It is checked where it is used.
  redis: Type.Optional(Type.Unsafe<object | string | null>(Type.Any())),
  nameSpace: Type.Optional(Type.String({ pattern: '^[^{}\\s]{0,64}$', expected: 'at most 64 characters without braces and spaces' })),
  deadline: Type.Optional(IntegerRange(1, 5000, { description: 'Milliseconds that a call to the store may take. The one word that the original does not have.' }))
}, { additionalProperties: false, expected: 'an object of options' })

export type CreateRateLimitOptions = Pick<RateLimitOptions, keyof typeof manual | 'groupId'>
export type RateLimitOptions = Static<typeof RouteSchema>
export type RateLimitPluginOptions = Static<typeof PluginSchema>
export type RateLimitHook = NonNullable<RateLimitOptions['hook']>

/** What a limiter made by `createRateLimit` answers. `isAllowed` means that the request is on the allow list. */
export type LimiterAnswer =
  | { isAllowed: true, key: string }
  | {
    isAllowed: false
    key: string
    max: number
    /** Milliseconds. */
    timeWindow: number
    remaining: number
    /** Milliseconds until the window ends, or, refused, until the next request may pass. */
    ttl: number
    ttlInSeconds: number
    isExceeded: boolean
    isBanned: boolean
  }
