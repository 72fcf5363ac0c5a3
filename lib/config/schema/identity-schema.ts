import { Type, type SchemaOptions, type Static } from '@sinclair/typebox'
import type { FastifyRequest } from 'fastify'
import { badOption } from './check.js'
import { DURATION_EXPECTED, durationMs } from './durations.js'
import { reportAt, reportThrown, throwFirst, type Report } from './error-collector.js'
import { parseCidrs, NetworkList } from './network-list.js'
import { Callback, IntegerRange, Duration, Name } from './option-types.js'
import { valueAt } from './schema-values.js'

/*
 * The options that say who is asking, who is believed about it, and who is not limited at all.
 */

/** The entry of `trustedProxies` for a peer without an address. */
export const UNIX = 'unix'

/** Who a request comes from, as the application knows it. */
export interface Identity {
  /** Names the user in keys and decisions, so give an id of yours, never the API key or the session's secret itself. */
  readonly id: string | number
  /** The class of client whose limits apply, 1 to 64 characters. Default: `identify.defaultTier`. */
  readonly tier?: string | null
}

/** What `identify.custom` is. */
export type CustomIdentify = (request: FastifyRequest) => Identity | null | undefined | PromiseLike<Identity | null | undefined>

const ClaimPath = (meta: SchemaOptions) => Type.String({ ...meta, minLength: 1, maxLength: 256, expected: 'the name of a claim, 1 to 256 characters' })

const TokenSchema = Type.Object({
  userClaim: Type.Optional(ClaimPath({ default: 'sub', description: 'The claim that holds the user\'s id. Dots lead into objects (`account.id`), unless the token has a claim of that very name.' })),
  tierClaim: Type.Optional(ClaimPath({ default: 'tier', description: 'The claim that holds the user\'s tier, written like `userClaim`.' })),
  namespace: Type.Optional(Type.String({ minLength: 1, expected: 'the `namespace` that @fastify/jwt was registered with', description: 'Which registration of @fastify/jwt verifies the tokens, where it has namespaces.' })),
  method: Type.Optional(Type.String({ minLength: 1, expected: 'the name of a request\'s method', description: 'The request\'s method that verifies, where @fastify/jwt was given a `jwtVerify` name beside its `namespace`. Default: `jwtVerify`, or the namespace and `JwtVerify`.' }))
}, { additionalProperties: false })

/** `identify`: who is asking. */
export const IdentifySchema = Type.Object({
  jwt: Type.Optional(Type.Union([Type.Boolean(), TokenSchema], {
    default: false, expected: 'true, false, or an object: { userClaim?, tierClaim?, namespace?, method? }', description: 'Users by a token that @fastify/jwt has verified. A request whose token is missing, invalid or without a user counts by its address.'
  })),
  custom: Type.Optional(Callback<CustomIdentify>({
    expected: 'a function', description: 'Names the user by an API key, a session, and the like: `{ id, tier? }`. `null` passes on to the token, and then to the key or address. A failure does so too, and is logged.'
  })),
  defaultTier: Type.Optional(Name({
    default: 'standard', description: 'The tier of users who come without one, or with one that has no limits here. Whoever is no user has the tier `anonymous`.'
  })),
  deadline: Type.Optional(Duration({
    default: '1s', description: 'How long it may take to find out who is asking, at most a minute. Then the next way to tell is used, in the end the address, and it is logged.'
  })),
  maxFailures: Type.Optional(IntegerRange(1, 1_000_000, {
    default: 100, description: 'Tokens of one address that may fail, or be in verification at once, per minute. Past it its tokens are not verified, and count by the address.'
  }))
}, { additionalProperties: false, expected: 'an object: { jwt?, custom?, defaultTier?, deadline?, maxFailures? }', description: 'Who is asking: the user that `custom` or a verified token names, else the generated key, else the address.' })

/** `trustedProxies`: whose X-Forwarded-For is believed. */
export const TrustedProxiesSchema = NetworkList({
  description: 'Proxies whose `X-Forwarded-For` is believed; the client is the rightmost address that is none of them. `unix` is the peer of a Unix socket. Decides in place of Fastify\'s `trustProxy`, which is used without it.'
}, [UNIX])

/** `exempt`: who is not limited. */
export const ExemptSchema = Type.Object({
  ips: Type.Optional(NetworkList({ description: 'Clients by their full address.' })),
  users: Type.Optional(Type.Array(Type.String({ minLength: 1, expected: 'the id of a user, as text' }), { expected: 'an array of user ids', description: 'Users by their id, as it was identified.' })),
  routes: Type.Optional(Type.Array(Type.String({ minLength: 1, expected: 'a pattern such as "/api/*/reports"' }), { expected: 'an array of route patterns', description: 'Routes that are not limited, in place of health checks, metrics and documentation.' })),
  when: Type.Optional(Callback<(request: FastifyRequest) => boolean>({
    expected: 'a function', description: 'Whether a request is exempt: `true` in the same turn. Anything else, or a failure, is not, and is logged unless it is `false`.'
  }))
}, { additionalProperties: false, expected: 'an object: { ips?, users?, routes?, when? }', description: 'Requests that are neither counted nor refused.' })

/** Options of `identify`. */
export type IdentifyOptions = Static<typeof IdentifySchema>
/** Options of `identify.jwt`. */
export type TokenOptions = Static<typeof TokenSchema>
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

/** Tell what `checkIdentityOptions` would throw. Values that are not what the schemas say are passed over. */
export function reportIdentityErrors (options: unknown, report: Report): void {
  reportDeadlineError(valueAt(options, ['identify', 'deadline']), reportAt(['identify', 'deadline'], report))
  reportNetworkErrors(valueAt(options, ['trustedProxies']), [UNIX], reportAt(['trustedProxies'], report))
  reportNetworkErrors(valueAt(options, ['exempt', 'ips']), [], reportAt(['exempt', 'ips'], report))
}

function reportDeadlineError (deadline: unknown, report: Report): void {
  if (typeof deadline !== 'string' && typeof deadline !== 'number') return
  const ms = durationMs(deadline)
  if (ms === null || ms > MAX_DEADLINE_MS) report([], (place) => badOption(place, `${DURATION_EXPECTED}, at most a minute`, deadline))
}

function reportNetworkErrors (list: unknown, keywords: readonly string[], report: Report): void {
  if (!Array.isArray(list)) return
  list.forEach((entry: unknown, index) => {
    if (typeof entry === 'string') reportThrown(() => parseCidrs([entry], '', keywords), reportAt([index], report))
  })
}
