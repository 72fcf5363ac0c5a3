import type { FastifyInstance, FastifyRequest } from 'fastify'
import { retryUnavailableSeconds, type Backend } from './backend.js'
import type { AddressReader } from './clients/address.js'
import { DEFAULT_TIER } from './clients/client.js'
import { Exemptions } from './clients/exemptions.js'
import { TierNames } from './clients/tiers.js'
import { checkIdentityOptions } from './config/identity-schema.js'
import { located, type Layered } from './config/layers.js'
import type { RouteRateLimit } from './config/policy-schema.js'
import { FST_SLUICE_FIXED_OPTION } from './errors.js'
import type { KnownGuards } from './guards.js'
import type { RequestPath } from './hook.js'
import type { Identity, IdentityParts } from './identity.js'
import type { FaultLog } from './observability/fault-log.js'
import type { Metrics } from './observability/metrics.js'
import type { RefusalLog } from './observability/refusal-log.js'
import { PolicyBook } from './policies/book.js'
import { lastDecisionOf, policyOf } from './policies/decision.js'
import type { DeclaredRoutes } from './policies/declared-routes.js'
import { optionWords } from './policies/option-words.js'
import type { Policy } from './policies/policy.js'
import { remember } from './policies/remember.js'
import { routingOf } from './policies/request-path.js'
import { RouteTable } from './policies/route-table.js'
import { headerWriter } from './response/headers.js'
import type { WaitingRoom } from './throttle/waiting-room.js'

/** What outlives every edition. */
export interface Fixtures {
  readonly fastify: FastifyInstance
  readonly name: string
  readonly addresses: AddressReader
  readonly identity: IdentityParts
  readonly backend: Backend
  readonly room: WaitingRoom
  readonly routes: DeclaredRoutes
  readonly refusals: RefusalLog | null
  readonly metrics: Metrics | null
  readonly faults: FaultLog
  readonly guards: KnownGuards
}

/** By policy; a request that was decided under one stays in its edition. */
const editionOf = new WeakMap<Policy, Edition>()

/** What messages call a guard: where it was made nobody can tell. */
export const GUARD_PLACE = 'rateLimit.guard'

/** Different options of checks that are remembered by their words; more are compiled anew. */
const MOST_BY_WORDS = 1000

/**
 * Everything that a reload exchanges, whole: the options of a day with all that was made of them. A request is under one
 * edition from its first hook to its last.
 */
export class Edition {
  readonly fixtures: Fixtures
  readonly layered: Layered
  /** How many came before. */
  readonly number: number
  readonly isEnabled: boolean
  readonly book: PolicyBook
  readonly routes: RouteTable
  readonly identity: Identity
  readonly path: RequestPath
  readonly #policies = new WeakMap<RouteRateLimit, Policy>()
  /** The same by what the options say, for those that are written anew for every request. */
  readonly #policiesByWords = new Map<string, Policy>()
  readonly #wordsOf = optionWords()

  /** `before`: the edition that this one follows. Throws what wrong options throw, each told of the layer that is to blame. */
  constructor (fixtures: Fixtures, layered: Layered, before: Edition | null = null) {
    const { fastify, name, backend, room, routes, refusals, metrics, faults } = fixtures
    const { options } = layered
    this.fixtures = fixtures
    this.layered = layered
    this.number = before === null ? 0 : before.number + 1
    this.isEnabled = options.enabled ?? true
    try {
      checkIdentityOptions(options, 'rateLimit')
      this.identity = fixtures.identity.under(options)
      const tiers = new TierNames(options.identify?.defaultTier ?? DEFAULT_TIER)
      this.book = new PolicyBook(name, options, routingOf(fastify), (tier) => tiers.add(tier), {
        edition: this.number,
        names: routes.names,
        ownOptions: layered.ownOptions,
        onPolicy: (policy) => {
          editionOf.set(policy, this)
          for (const limit of policy.limits) metrics?.announceLimit(limit.name)
        }
      })
      // The hooks of undeclared routes are attached once.
      if (before !== null && before.book.base.hook !== this.book.base.hook) throw new FST_SLUICE_FIXED_OPTION('rateLimit.hook')
      this.routes = new RouteTable(this.book, routes, before?.routes)
      for (const guard of fixtures.guards.all) this.policyFor(guard, GUARD_PLACE)
      if (before !== null) this.book.buckets.inherit(before.book.buckets)
      this.path = {
        registration: name,
        identifier: this.identity.identifier,
        exemptions: options.exempt === undefined ? null : new Exemptions(options.exempt, 'rateLimit.exempt', faults),
        tiers,
        store: backend.store,
        local: backend.local,
        knownBlock: (charges) => backend.knownBlock(charges),
        room,
        retryUnavailableSeconds: retryUnavailableSeconds(options),
        writeHeaders: headerWriter(options.headers ?? 'x-ratelimit'),
        refusals,
        metrics,
        configOf: routes.configOf,
        faults
      }
    } catch (error) {
      throw located(error, layered)
    }
  }

  /** The edition that a request was decided under; `null` where none of this registration was asked yet. */
  static of (request: FastifyRequest, { fixtures }: Edition): Edition | null {
    const decision = lastDecisionOf(request)
    const edition = decision === null ? undefined : editionOf.get(policyOf(decision))
    // A registration around this one may have decided before.
    return edition !== undefined && edition.fixtures === fixtures ? edition : null
  }

  /** The policy of a guard or a check; the registration's own without options. Throws what wrong options throw. */
  policyFor (options: RouteRateLimit | undefined, place: string): Policy {
    if (options === undefined) return this.book.base
    let policy = this.#policies.get(options)
    if (policy === undefined) {
      policy = this.#policyByWords(options, place)
      this.#policies.set(options, policy)
    }
    return policy
  }

  #policyByWords (options: RouteRateLimit, place: string): Policy {
    const words = this.#wordsOf(options)
    const known = words === null ? undefined : this.#policiesByWords.get(words)
    if (known !== undefined) return known
    const policy = this.book.policyFor(options, place)
    if (words !== null) remember(this.#policiesByWords, words, policy, MOST_BY_WORDS)
    return policy
  }
}
