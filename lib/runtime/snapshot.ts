import type { FastifyRequest } from 'fastify'
import type { Identity } from '../clients/identity.js'
import { DEFAULT_TIER } from '../model/client.js'
import { Exemptions } from '../clients/exemptions.js'
import { TierNames } from '../clients/known-tiers.js'
import { checkIdentityOptions } from '../config/schema/identity-schema.js'
import { located, type Layered } from '../config/layers/merge.js'
import type { RouteRateLimit } from '../config/schema/policy-schema.js'
import { FST_SLUICE_FIXED_OPTION } from '../errors.js'
import { PolicyBook } from '../policies/policy-set.js'
import { optionWords } from '../policies/options-key.js'
import type { Policy } from '../policies/policy.js'
import { GenerationCache } from '../common/generation-cache.js'
import { findDecision } from '../request/decision.js'
import { RequestLimiter } from '../request/limit.js'
import { routingOf } from '../routing/router-options.js'
import { RouteTable } from '../policies/route-table.js'
import { headerWriter } from '../response/headers.js'
import { retryUnavailableSeconds } from './backend.js'
import type { SharedServices } from './services.js'

/** By policy: a request that was decided under a policy stays in its snapshot. */
const snapshots = new WeakMap<Policy, ConfigSnapshot>()

/** What messages call a guard: where it was made nobody can tell. */
export const GUARD_PLACE = 'rateLimit.guard'

/** Different options of checks cached per generation; more are compiled again. */
const MOST_BY_WORDS = 500

/**
 * Everything that a reload replaces, as a whole: the merged options and all that is built from them. A request uses one
 * snapshot from its first hook to its last.
 */
export class ConfigSnapshot {
  readonly services: SharedServices
  readonly layered: Layered
  /** How many snapshots came before. */
  readonly generation: number
  readonly isEnabled: boolean
  readonly book: PolicyBook
  readonly routes: RouteTable
  readonly identity: Identity
  readonly limiter: RequestLimiter
  /** `Retry-After` of a 503, seconds. */
  readonly retryUnavailableSeconds: number
  readonly #policies = new WeakMap<RouteRateLimit, Policy>()
  /** The same by what the options say, for those that are written anew for every request. */
  readonly #policiesByWords = new GenerationCache<string, Policy>(MOST_BY_WORDS)
  readonly #wordsOf = optionWords()

  /** `before`: the previous snapshot. Throws on wrong options, with the place in the layer that they come from. */
  constructor (services: SharedServices, layered: Layered, before: ConfigSnapshot | null = null) {
    const { fastify, name, backend, room, routes, refusals, metrics, faults } = services
    const { options } = layered
    this.services = services
    this.layered = layered
    this.generation = before === null ? 0 : before.generation + 1
    this.isEnabled = options.enabled ?? true
    try {
      checkIdentityOptions(options, 'rateLimit')
      this.identity = services.identity.under(options)
      const tiers = new TierNames(options.identify?.defaultTier ?? DEFAULT_TIER)
      this.book = new PolicyBook(name, options, routingOf(fastify), (tier) => tiers.add(tier), {
        generation: this.generation,
        names: routes.names,
        ownOptions: layered.ownOptions,
        onPolicy: (policy) => {
          snapshots.set(policy, this)
          for (const limit of policy.limits) metrics?.announceLimit(limit.name)
        }
      })
      // The hooks of undeclared routes are attached once.
      if (before !== null && before.book.base.hook !== this.book.base.hook) throw new FST_SLUICE_FIXED_OPTION('rateLimit.hook')
      this.routes = new RouteTable(this.book, routes, before?.routes)
      for (const guard of services.guards.all()) this.policyFor(guard, GUARD_PLACE)
      if (before !== null) this.book.buckets.inherit(before.book.buckets)
      this.retryUnavailableSeconds = retryUnavailableSeconds(options)
      this.limiter = new RequestLimiter({
        registration: name,
        identifier: this.identity.identifier,
        exemptions: options.exempt === undefined ? null : new Exemptions(options.exempt, 'rateLimit.exempt', faults),
        tiers,
        store: backend.store,
        local: backend.local,
        knownBlock: (charges) => backend.knownBlock(charges),
        room,
        retryUnavailableSeconds: this.retryUnavailableSeconds,
        writeHeaders: headerWriter(options.headers ?? 'x-ratelimit'),
        refusals,
        metrics,
        configOf: routes.configOf,
        faults
      })
    } catch (error) {
      throw located(error, layered)
    }
  }

  /** The snapshot that a request was decided under; `null` where this registration has not decided it yet. */
  static find (request: FastifyRequest, { services }: ConfigSnapshot): ConfigSnapshot | null {
    const decision = findDecision(request)
    const snapshot = decision === null ? undefined : snapshots.get(decision.policy)
    // A registration around this one may have decided before.
    return snapshot !== undefined && snapshot.services === services ? snapshot : null
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
    if (words !== null) this.#policiesByWords.set(words, policy)
    return policy
  }
}

/** The current snapshot, and the older ones that in-flight requests still use. */
export class SnapshotHolder {
  current: ConfigSnapshot
  /** Requests that were passed on to a later phase, and have no decision yet that names their snapshot. */
  readonly #pinned = new WeakMap<FastifyRequest, ConfigSnapshot>()

  constructor (first: ConfigSnapshot) {
    this.current = first
  }

  /** The snapshot of a request; the current one where the request is new. */
  of (request: FastifyRequest): ConfigSnapshot {
    return this.#pinned.get(request) ?? ConfigSnapshot.find(request, this.current) ?? this.current
  }

  /** Keep the snapshot that chose which later phase limits a request. */
  pinRequest (request: FastifyRequest, snapshot: ConfigSnapshot): void {
    this.#pinned.set(request, snapshot)
  }
}
