import type { SchemaOptions, Static } from '@sinclair/typebox'
import type { FastifyRequest } from 'fastify'
import { DURATION_EXPECTED } from '../config/schema/durations.js'
import { Callback, IntegerRange, BooleanOption, StringEnum } from '../config/schema/option-types.js'
import type { FastifyRateLimitStoreCtor } from './custom-store.js'
import { Type } from '../config/schema/type-builder.js'

/*
 * The options of @fastify/rate-limit, with their names and meanings. The schemas validate them, and `Static` derives the
 * types. docs/migration.md lists the differences.
 */

type PerRequest<T> = (req: FastifyRequest, key: string) => T | Promise<T>

/** Receives a request and its client's key. The result is ignored. */
type Observer = (req: FastifyRequest, key: string) => void

/** The second argument of an `errorResponseBuilder`. */
export interface errorResponseBuilderContext {
  /** 429, or 403 for a banned client. */
  statusCode: number
  ban: boolean
  /** The wait as text, such as `1 minute`. */
  after: string
  max: number
  /** The wait, milliseconds. */
  ttl: number
}

const NAMES = [
  'x-ratelimit-limit', 'x-ratelimit-remaining', 'x-ratelimit-reset',
  'ratelimit-limit', 'ratelimit-remaining', 'ratelimit-reset', 'retry-after'
] as const

function HeaderFlags (names: readonly HeaderName[], notes: SchemaOptions = {}) {
  return Type.Unsafe<Partial<Record<HeaderName, boolean>>>(Type.Partial(Type.Object(
    Object.fromEntries(names.map((name) => [name, BooleanOption({})]))
  ), { ...notes, additionalProperties: false, expected: 'an object of true or false by header name' }))
}

export type HeaderName = typeof NAMES[number]

const MAX_EXPECTED = 'a number of 0 or more, or a function'
const FUNCTION_EXPECTED = 'a function'
const ALLOW_LIST_EXPECTED = 'an array of addresses, CIDRs and keys, or a function'

type KeyGenerator = (req: FastifyRequest) => string | number | Promise<string | number>
type ErrorResponseBuilder = (req: FastifyRequest, context: errorResponseBuilderContext) => object

const manual = {
  max: Type.Optional(Type.Union(
    [Type.Number({ minimum: 0 }), Callback<PerRequest<number>>({ expected: MAX_EXPECTED })],
    { expected: MAX_EXPECTED }
  )),
  timeWindow: Type.Optional(Type.Union(
    [Type.Number(), Type.String(), Callback<PerRequest<number>>({ expected: FUNCTION_EXPECTED })],
    { expected: DURATION_EXPECTED }
  )),
  allowList: Type.Optional(Type.Union(
    [Type.Unsafe<string[]>(Type.Array(Type.Any())), Callback<PerRequest<unknown>>({ expected: FUNCTION_EXPECTED })],
    { expected: ALLOW_LIST_EXPECTED }
  )),
  keyGenerator: Type.Optional(Callback<KeyGenerator>({ expected: FUNCTION_EXPECTED })),
  ipv6Subnet: Type.Optional(IntegerRange(0, 128)),
  ban: Type.Optional(Type.Number({ minimum: -1, expected: 'a number of 0 or more, or -1 for none' })),
  skipOnError: Type.Optional(BooleanOption({})),
  store: Type.Optional(Callback<FastifyRateLimitStoreCtor>({ expected: 'a class with incr and child' }))
}

const route = {
  ...manual,
  hook: Type.Optional(StringEnum(['onRequest', 'preParsing', 'preValidation', 'preHandler'], {})),
  cache: Type.Optional(Type.Number({ minimum: 0, expected: 'a number of 0 or more' })),
  continueExceeding: Type.Optional(BooleanOption({})),
  exponentialBackoff: Type.Optional(BooleanOption({})),
  onExceeding: Type.Optional(Callback<Observer>({ expected: FUNCTION_EXPECTED })),
  onExceeded: Type.Optional(Callback<Observer>({ expected: FUNCTION_EXPECTED })),
  onBanReach: Type.Optional(Callback<Observer>({ expected: FUNCTION_EXPECTED })),
  errorResponseBuilder: Type.Optional(Callback<ErrorResponseBuilder>({ expected: FUNCTION_EXPECTED })),
  enableDraftSpec: Type.Optional(BooleanOption({})),
  addHeaders: Type.Optional(HeaderFlags(NAMES)),
  addHeadersOnExceeding: Type.Optional(HeaderFlags(NAMES))
}

const registration = {
  global: Type.Optional(BooleanOption({})),
  // Of any type, as in the original: the application may use another copy or a fork of ioredis. `checkRedisTarget` validates it.
  redis: Type.Optional(Type.Any()),
  nameSpace: Type.Optional(Type.String({ expected: 'a string' })),
  deadline: Type.Optional(IntegerRange(1, 5000, {
    description: 'Milliseconds that a call to the store may take. The only option that the original does not have.'
  }))
}

const group = { groupId: Type.Optional(Type.String({ maxLength: 1000, expected: 'a string of at most 1000 characters' })) }

/** The options of `register`. A route, `fastify.rateLimit` and `fastify.createRateLimit` ignore those of the registration. */
export const OptionsSchema = Type.Object(
  { ...route, ...group, ...registration },
  { additionalProperties: false, expected: 'an object of options' }
)

/** The same with a custom store, which may read options of its own. */
export const StoreOptionsSchema = Type.Object({ ...route, ...group, ...registration })

type AllOptions = Static<typeof OptionsSchema>

// Interfaces, which an application can extend by `declare module`; each passes to the next what it was extended by.
/** The options of `fastify.createRateLimit`. */
export interface CreateRateLimitOptions extends Pick<AllOptions, keyof typeof manual | 'groupId'> {}
/** The options of `config.rateLimit` and `fastify.rateLimit`. */
export interface RateLimitOptions extends CreateRateLimitOptions, Omit<AllOptions, keyof typeof registration> {}
/** The options of `register`. */
export interface RateLimitPluginOptions extends RateLimitOptions, Pick<AllOptions, keyof typeof registration> {}

export type RateLimitHook = NonNullable<RateLimitOptions['hook']>

/** The result of a limiter of `createRateLimit`. `isAllowed` means that the request is on the allow list. */
export type LimiterAnswer =
  | { isAllowed: true, key: string }
  | {
    isAllowed: false
    key: string
    max: number
    /** Milliseconds. */
    timeWindow: number
    remaining: number
    /** Milliseconds until the window ends; for a refused request, until the next one may pass. */
    ttl: number
    ttlInSeconds: number
    isExceeded: boolean
    isBanned: boolean
  }
