import type { FastifyRequest } from 'fastify'
import type { CustomIdentify, ResolvedIdentify } from '../config/schema/identity-schema.js'
import { INSTANT_EXPECTED } from '../config/schema/instants.js'
import type { Phase } from '../config/schema/policy-schema.js'
import { parseAnchorMs, parseTier, parseUserId } from './claims.js'
import type { Client } from '../model/client.js'
import type { FaultReporter } from '../common/log.js'
import { createUserClient } from './partition.js'
import type { TimeBudget } from '../common/time-budget.js'
import { isThenable } from '../common/type-guards.js'
import { TokenReader, type FailureLimiter } from './token-reader.js'

/** The user, or `null` for none. A promise of it never rejects. */
export type UserResult = Client | null | Promise<Client | null>

/** The phase of a look-up. `early`: before the hook of the policy, so what `custom` reads may be missing. */
export type LookupPhase = Phase | 'early'

/** The state of a request's look-up. */
interface IdentityLookup {
  readonly owner: Users
  user: Client | null
  /** The look-up in progress, or `null`. */
  pending: Promise<Client | null> | null
  /** The phase of the last call of `custom`. */
  customPhase: LookupPhase | null
  /** `custom` failed or was late: it is not called again. */
  hasCustomFailed: boolean
  hasTriedToken: boolean
}

const kIdentityLookup = Symbol('fastify-sluice.user')

/**
 * Finds the user of a request: by `custom` first, then by its token. Each is tried once per request, whatever the number
 * of its policies. A user that was found is kept.
 *
 * If no user was found, a later policy of the request checks again what may have changed:
 * - the payload that the application has verified since, also of a token that was not verified here;
 * - a token that was not visible before, such as a cookie that had not been parsed;
 * - the result of `custom`, in a policy of another phase (`hook`).
 * A token is never verified twice, and a `custom` that failed is not called again. An error in an `early` call is expected,
 * unless it is late: it is not reported, and `custom` is called again.
 */
export class Users {
  readonly #custom: CustomIdentify | null
  readonly #tokens: TokenReader | null
  readonly #defaultTier: string
  readonly #faults: FaultReporter
  readonly #getAddressPartition: (request: FastifyRequest) => string

  /**
   * `getAddressPartition`: the partition that failures of a request's token are counted for.
   * Throws a TypeError if `identify.jwt` is set without a limiter of failures.
   */
  constructor (
    identify: ResolvedIdentify,
    failures: FailureLimiter | null,
    faults: FaultReporter,
    getAddressPartition: (request: FastifyRequest) => string
  ) {
    const { jwt } = identify
    if (jwt !== false && failures === null) throw new TypeError('identify.jwt needs a limiter of failures')
    this.#tokens = jwt === false || failures === null ? null : new TokenReader(jwt, failures)
    this.#custom = identify.custom ?? null
    this.#defaultTier = identify.defaultTier
    this.#faults = faults
    this.#getAddressPartition = getAddressPartition
  }

  /** The user, for a policy of this phase. */
  findUser (request: FastifyRequest, phase: LookupPhase, budget: TimeBudget): UserResult {
    const lookup = this.#getLookup(request)
    if (lookup.user !== null) return lookup.user
    if (lookup.pending !== null) return lookup.pending
    const found = this.#lookUp(request, lookup, phase, budget)
    if (found instanceof Promise) {
      lookup.pending = found.then((user) => {
        lookup.user = user
        lookup.pending = null
        return user
      })
      return lookup.pending
    }
    lookup.user = found
    return found
  }

  #getLookup (request: FastifyRequest): IdentityLookup {
    const known = request[kIdentityLookup]
    if (known?.owner === this) return known
    const lookup: IdentityLookup = {
      owner: this, user: null, pending: null, customPhase: null, hasCustomFailed: false, hasTriedToken: false
    }
    request[kIdentityLookup] = lookup
    return lookup
  }

  #lookUp (request: FastifyRequest, lookup: IdentityLookup, phase: LookupPhase, budget: TimeBudget): UserResult {
    const customUser = this.#custom === null || lookup.hasCustomFailed || lookup.customPhase === phase
      ? null
      : this.#lookUpByCustom(request, lookup, this.#custom, phase, budget)
    return customUser instanceof Promise
      ? customUser.then((user) => user ?? this.#lookUpByToken(request, lookup, budget))
      : customUser ?? this.#lookUpByToken(request, lookup, budget)
  }

  #lookUpByCustom (
    request: FastifyRequest, lookup: IdentityLookup, custom: CustomIdentify, phase: LookupPhase, budget: TimeBudget
  ): UserResult {
    const fail = (error: unknown): null => {
      if (phase === 'early' && !budget.hasExpired) return null
      lookup.hasCustomFailed = true
      this.#faults.report('identify', error)
      return null
    }
    lookup.customPhase = phase
    try {
      const result: unknown = custom(request)
      return isThenable(result)
        ? budget.race(result, 'result from identify.custom').then((settled) => this.#parseCustomUser(settled)).catch(fail)
        : this.#parseCustomUser(result)
    } catch (error) {
      return fail(error)
    }
  }

  /** No error message contains the result: it may hold a secret. */
  #parseCustomUser (result: unknown): Client | null {
    if (result === null || result === undefined) return null
    if (typeof result !== 'object') {
      throw new TypeError(`expected identify.custom to return { id, tier?, anchor? } or null, got a ${typeof result}`)
    }
    const id = parseUserId(Reflect.get(result, 'id'))
    if (id === null) throw new TypeError('expected identify.custom to return an id: a string of 1 or more characters, or a number')
    const given: unknown = Reflect.get(result, 'tier') ?? null
    const tier = parseTier(given)
    if (tier === null && given !== null) {
      this.#faults.reportLazy('identify', () =>
        new TypeError('expected identify.custom to return a tier of 1 to 64 characters, or no tier'))
    }
    return createUserClient(id, tier ?? this.#defaultTier, this.#parseAnchor(Reflect.get(result, 'anchor')))
  }

  #lookUpByToken (request: FastifyRequest, lookup: IdentityLookup, budget: TimeBudget): UserResult {
    const tokens = this.#tokens
    if (tokens === null) return null
    const known = tokens.findVerifiedPayload(request)
    if (known !== null) return this.#toClient(tokens, known)
    if (lookup.hasTriedToken || !tokens.hasToken(request)) return null
    lookup.hasTriedToken = true
    const payload = tokens.verify(request, this.#getAddressPartition(request))
    if (!(payload instanceof Promise)) return this.#toClient(tokens, payload)
    return budget.race(payload, 'verified token').then((settled) => this.#toClient(tokens, settled), (error) => {
      this.#faults.report('identify', error)
      return null
    })
  }

  #toClient (tokens: TokenReader, payload: unknown): Client | null {
    const user = tokens.parseUser(payload)
    return user === null ? null : createUserClient(user.id, user.tier ?? this.#defaultTier, this.#parseAnchor(user.anchor))
  }

  /** `null` without an anchor, and for an invalid one, which is reported. */
  #parseAnchor (anchor: unknown): number | null {
    if (anchor === undefined || anchor === null) return null
    const ms = parseAnchorMs(anchor)
    if (ms === null) this.#faults.reportLazy('identify', () => new TypeError(`expected the anchor of a user to be ${INSTANT_EXPECTED}`))
    return ms
  }
}

declare module 'fastify' {
  interface FastifyRequest {
    [kIdentityLookup]?: IdentityLookup
  }
}
