import type { SchemaOptions, Static } from '@sinclair/typebox'
import type { FastifyRequest } from 'fastify'
import { badOption } from './check.js'
import { DURATION_EXPECTED, durationMs } from './durations.js'
import { reportAt, reportThrown, throwFirst, type Report } from './error-collector.js'
import type { Resolved } from './fill-defaults.js'
import type { ExemptFunction } from './functions.js'
import { parseCidrs, NetworkList } from './network-list.js'
import { Callback, IntegerRange, Duration, Name } from './option-types.js'
import { valueAt } from './schema-values.js'
import { Type } from './type-builder.js'

/*
 * The options that identify the client, list the trusted proxies, and exempt requests from limits.
 */

/** The entry of `trustedProxies` for a peer without an address. */
export const UNIX = 'unix'

/** The user of a request, as the application identified it. */
export interface Identity {
  /** Names the user in keys and decisions. Use an id of the application, never an API key or a session secret. */
  readonly id: string | number | bigint
  /** The class of client whose limits apply, 1 to 64 characters. Default: `identify.defaultTier`. */
  readonly tier?: string | null
  /**
   * Start of the user's subscription, from which the periods of limits with `anchor: 'client'` are counted: a Date, or text such
   * as `2026-01-31T00:00:00Z`. Default: the periods of the calendar.
   */
  readonly anchor?: Date | string | null
}

/** The function `identify.custom`. */
export type CustomIdentify = (request: FastifyRequest) => Identity | null | undefined | PromiseLike<Identity | null | undefined>

const ClaimPath = (meta: SchemaOptions) => Type.String({
  ...meta, minLength: 1, maxLength: 256, expected: 'the name of a claim, 1 to 256 characters'
})

const TokenSchema = Type.Object({
  userClaim: Type.Optional(ClaimPath({
    default: 'sub',
    description: 'The claim with the user\'s id. Dots lead into objects (`account.id`), unless the token has a claim of exactly that name.'
  })),
  tierClaim: Type.Optional(ClaimPath({ default: 'tier', description: 'The claim with the user\'s tier, written like `userClaim`.' })),
  anchorClaim: Type.Optional(ClaimPath({
    description: 'The claim with the start of the user\'s subscription, for limits with `anchor: "client"`, written like `userClaim`: ' +
      'seconds since 1970, or text such as `2026-01-31T00:00:00Z`. Default: none.'
  })),
  namespace: Type.Optional(Type.String({
    minLength: 1,
    expected: 'the `namespace` that @fastify/jwt was registered with',
    description: 'The `namespace` of the @fastify/jwt registration that verifies the tokens.'
  })),
  method: Type.Optional(Type.String({
    minLength: 1,
    expected: 'the name of a request\'s method',
    description: 'The request\'s method that verifies the token. ' +
      'Required if @fastify/jwt was registered with a `jwtVerify` name beside its `namespace`. ' +
      'Default: `jwtVerify`, or the namespace and `JwtVerify`.'
  }))
}, { additionalProperties: false })

/** `identify`: how the client is identified. */
export const IdentifySchema = Type.Object({
  jwt: Type.Optional(Type.Union([Type.Boolean(), TokenSchema], {
    default: false,
    expected: 'true, false, or an object: { userClaim?, tierClaim?, anchorClaim?, namespace?, method? }',
    description: 'Identify users by a token that @fastify/jwt verifies. ' +
      'A request whose token is missing, invalid or without a user is counted by its address.'
  })),
  custom: Type.Optional(Callback<CustomIdentify>({
    expected: 'a function',
    description: 'Identifies the user by an API key, a session or the like, and returns `{ id, tier?, anchor? }`. ' +
      'After `null`, the token is tried, then the key or the address. The same applies after a failure, which is logged.'
  })),
  defaultTier: Type.Optional(Name({
    default: 'standard',
    description: 'The tier of users without a tier, or with a tier that has no limits here. ' +
      'Clients that are not users have the tier `anonymous`.'
  })),
  deadline: Type.Optional(Duration({
    default: '1s',
    description: 'How long identification may take, at most one minute. ' +
      'After that the next source is used, at last the address, and the timeout is logged. ' +
      'Promises of other functions, such as `cost` and `max`, may each take as long.'
  })),
  maxFailures: Type.Optional(IntegerRange(1, 1_000_000, {
    default: 100,
    description: 'Tokens of one address that may fail, or be in verification at once, per minute. ' +
      'Above this number its tokens are not verified, and its requests are counted by the address.'
  }))
}, {
  additionalProperties: false,
  expected: 'an object: { jwt?, custom?, defaultTier?, deadline?, maxFailures? }',
  description: 'How the client is identified: by the user that `custom` or a verified token names, ' +
    'else by the generated key, else by the address.'
})

/** `trustedProxies`: the proxies whose X-Forwarded-For is trusted. */
export const TrustedProxiesSchema = NetworkList({
  description: 'Proxies whose `X-Forwarded-For` is trusted. The client is the rightmost address that is not a trusted proxy. ' +
    '`unix` is the peer of a Unix socket. This option replaces Fastify\'s `trustProxy`, which is used without it.'
}, [UNIX])

/** `exempt`: the requests that are not limited. */
export const ExemptSchema = Type.Object({
  ips: Type.Optional(NetworkList({ description: 'Clients by their full address.' })),
  users: Type.Optional(Type.Array(Type.String({ minLength: 1, expected: 'the id of a user, as text' }), {
    expected: 'an array of user ids', description: 'Users by the id that `identify` found.'
  })),
  routes: Type.Optional(Type.Array(Type.String({ minLength: 1, expected: 'a pattern such as "/api/*/reports"' }), {
    expected: 'an array of route patterns',
    description: 'Routes that are not limited. The list replaces the default: health checks, metrics and documentation.'
  })),
  when: Type.Optional(Callback<ExemptFunction>({
    expected: 'a function',
    description: 'Exempts a request by returning `true`, or a promise of it. ' +
      'Any other result, or a failure, does not exempt it, and is logged unless it is `false`.'
  }))
}, {
  additionalProperties: false,
  expected: 'an object: { ips?, users?, routes?, when? }',
  description: 'Requests that are neither counted nor refused.'
})

/** Options of `identify`. */
export type IdentifyOptions = Static<typeof IdentifySchema>
/** Options of `identify.jwt`. */
export type TokenOptions = Static<typeof TokenSchema>
/** `identify` with its defaults. `jwt: true` is the object with all defaults. */
export type ResolvedIdentify = Omit<Resolved<IdentifyOptions, 'defaultTier' | 'deadline' | 'maxFailures'>, 'jwt'> & {
  readonly jwt: false | ResolvedToken
}
/** `identify.jwt` with its defaults. */
export type ResolvedToken = Resolved<TokenOptions, 'userClaim' | 'tierClaim'>
/** Options of `exempt`. */
export type ExemptOptions = Static<typeof ExemptSchema>

export interface IdentityOptions {
  readonly identify?: IdentifyOptions
  readonly trustedProxies?: readonly string[]
  readonly exempt?: ExemptOptions
}

const MAX_DEADLINE_MS = 60_000

/** Check what the schemas cannot express. Throws FST_SLUICE_BAD_OPTION with the place, such as `rateLimit.trustedProxies[1]`. */
export function checkIdentityOptions (options: IdentityOptions, place: string): void {
  throwFirst(place, (report) => reportIdentityErrors(options, report))
}

/** Report the errors that `checkIdentityOptions` would throw. Values that do not match the schemas are skipped. */
export function reportIdentityErrors (options: unknown, report: Report): void {
  reportDeadlineError(valueAt(options, ['identify', 'deadline']), reportAt(['identify', 'deadline'], report))
  reportNetworkErrors(valueAt(options, ['trustedProxies']), [UNIX], reportAt(['trustedProxies'], report))
  reportNetworkErrors(valueAt(options, ['exempt', 'ips']), [], reportAt(['exempt', 'ips'], report))
}

function reportDeadlineError (deadline: unknown, report: Report): void {
  if (typeof deadline !== 'string' && typeof deadline !== 'number') return
  const ms = durationMs(deadline)
  if (ms === null || ms > MAX_DEADLINE_MS) {
    report([], (place) => badOption(place, `${DURATION_EXPECTED}, at most a minute`, deadline))
  }
}

function reportNetworkErrors (list: unknown, keywords: readonly string[], report: Report): void {
  if (!Array.isArray(list)) return
  list.forEach((entry: unknown, index) => {
    if (typeof entry === 'string') reportThrown(() => parseCidrs([entry], '', keywords), reportAt([index], report))
  })
}
