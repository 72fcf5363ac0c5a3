import type { FastifyRequest } from 'fastify'
import type { CustomIdentify, IdentifyOptions } from '../config/schema/identity-schema.js'
import type { Phase } from '../config/schema/policy-schema.js'
import { tierOf, userIdOf } from './claims.js'
import { DEFAULT_TIER, type Client } from '../model/client.js'
import type { Faults } from '../common/log.js'
import { clientOfUser } from './partition.js'
import type { Patience } from './time-budget.js'
import { isThenable } from '../common/type-guards.js'
import { TokenReader, tokenOptionsOf, type FailureLimiter } from './token-reader.js'

/** A user, or nobody. A promise of it never rejects. */
export type Found = Client | null | Promise<Client | null>

/** What has been found out about a request so far. */
interface Search {
  readonly by: Users
  user: Client | null
  /** While something is waited for. */
  pending: Promise<Client | null> | null
  /** The phase in which `custom` was asked last. */
  askedIn: Phase | null
  /** `custom` failed or was late: it is not asked again. */
  isCustomLost: boolean
  isTokenVerified: boolean
}

const kSearch = Symbol('fastify-sluice.user')

/**
 * Finds the user that a request comes from: whom `custom` names, else whom its token names. Both are asked once for a
 * request, whatever the number of its policies; a user who was found stays.
 *
 * Where nobody was found, a later policy of the request looks again at what may have changed: the payload that the
 * application has verified meanwhile, also of a token that was not verified here; a token that was not to be seen before,
 * such as a cookie that had not been read; and, in a policy of another phase (`hook`), what `custom` says now.
 * A token is never verified twice, and a `custom` that failed is not asked again.
 */
export class Users {
  readonly #custom: CustomIdentify | null
  readonly #tokens: TokenReader | null
  readonly #defaultTier: string
  readonly #faults: Faults
  readonly #addressPartitionOf: (request: FastifyRequest) => string

  /**
   * `addressPartitionOf`: whose failures a request's token counts among.
   * Throws a TypeError if `identify.jwt` is set and nothing limits failures.
   */
  constructor (identify: IdentifyOptions, failures: FailureLimiter | null, faults: Faults, addressPartitionOf: (request: FastifyRequest) => string) {
    const tokenOptions = tokenOptionsOf(identify)
    if (tokenOptions !== null && failures === null) throw new TypeError('identify.jwt needs a limiter of failures')
    this.#tokens = tokenOptions === null || failures === null ? null : new TokenReader(tokenOptions, failures)
    this.#custom = identify.custom ?? null
    this.#defaultTier = identify.defaultTier ?? DEFAULT_TIER
    this.#faults = faults
    this.#addressPartitionOf = addressPartitionOf
  }

  /** The user, for a policy of some phase. */
  userOf (request: FastifyRequest, phase: Phase, patience: Patience): Found {
    const search = this.#searchFor(request)
    if (search.user !== null) return search.user
    if (search.pending !== null) return search.pending
    const found = this.#search(request, search, phase, patience)
    if (found instanceof Promise) {
      search.pending = found.then((user) => {
        search.user = user
        search.pending = null
        return user
      })
      return search.pending
    }
    search.user = found
    return found
  }

  #searchFor (request: FastifyRequest): Search {
    const known = request[kSearch]
    if (known?.by === this) return known
    const search: Search = { by: this, user: null, pending: null, askedIn: null, isCustomLost: false, isTokenVerified: false }
    request[kSearch] = search
    return search
  }

  #search (request: FastifyRequest, search: Search, phase: Phase, patience: Patience): Found {
    const named = this.#custom === null || search.isCustomLost || search.askedIn === phase
      ? null
      : this.#byCustom(request, search, this.#custom, phase, patience)
    return named instanceof Promise
      ? named.then((user) => user ?? this.#byToken(request, search, patience))
      : named ?? this.#byToken(request, search, patience)
  }

  #byCustom (request: FastifyRequest, search: Search, custom: CustomIdentify, phase: Phase, patience: Patience): Found {
    const lose = (error: unknown): null => {
      search.isCustomLost = true
      this.#faults.report('identify', error)
      return null
    }
    search.askedIn = phase
    try {
      const answer: unknown = custom(request)
      return isThenable(answer)
        ? patience.wait(answer, 'answer of identify.custom').then((settled) => this.#clientNamed(settled)).catch(lose)
        : this.#clientNamed(answer)
    } catch (error) {
      return lose(error)
    }
  }

  /** Nothing of the answer is told in the log: it may hold a secret. */
  #clientNamed (answer: unknown): Client | null {
    if (answer === null || answer === undefined) return null
    if (typeof answer !== 'object') throw new TypeError(`expected identify.custom to answer { id, tier? } or null, got a ${typeof answer}`)
    const id = userIdOf(Reflect.get(answer, 'id'))
    if (id === null) throw new TypeError('expected identify.custom to answer with an id: a string of 1 or more characters, or a number')
    const given: unknown = Reflect.get(answer, 'tier') ?? null
    const tier = tierOf(given)
    if (tier === null && given !== null) this.#faults.reportMade('identify', () => new TypeError('expected identify.custom to answer with a tier of 1 to 64 characters, or none'))
    return clientOfUser(id, tier ?? this.#defaultTier)
  }

  #byToken (request: FastifyRequest, search: Search, patience: Patience): Found {
    const tokens = this.#tokens
    if (tokens === null) return null
    const known = tokens.verifiedBefore(request)
    if (known !== null) return this.#clientIn(tokens, known)
    if (search.isTokenVerified || !tokens.isShown(request)) return null
    search.isTokenVerified = true
    const payload = tokens.verify(request, this.#addressPartitionOf(request))
    if (!(payload instanceof Promise)) return this.#clientIn(tokens, payload)
    return patience.wait(payload, 'verified token').then((settled) => this.#clientIn(tokens, settled), (error) => {
      this.#faults.report('identify', error)
      return null
    })
  }

  #clientIn (tokens: TokenReader, payload: unknown): Client | null {
    const user = tokens.userIn(payload)
    return user === null ? null : clientOfUser(user.id, user.tier ?? this.#defaultTier)
  }
}

declare module 'fastify' {
  interface FastifyRequest {
    [kSearch]?: Search
  }
}
