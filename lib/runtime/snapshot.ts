import type { FastifyRequest } from 'fastify'
import type { IdentityServices } from '../clients/identity.js'
import { Exemptions } from '../clients/exemptions.js'
import { KnownTiers } from '../clients/known-tiers.js'
import { checkIdentityOptions } from '../config/schema/identity-schema.js'
import { relocateError, type MergedOptions } from '../config/layers/merge.js'
import type { RouteRateLimit } from '../config/schema/policy-schema.js'
import { FST_SLUICE_FIXED_OPTION } from '../errors.js'
import { PolicySet } from '../policies/policy-set.js'
import { createOptionsKeyFunction } from '../policies/options-key.js'
import type { Policy } from '../policies/policy.js'
import { GenerationCache } from '../common/generation-cache.js'
import { findDecision } from '../request/decision.js'
import { findDeferred } from '../request/deferred-request.js'
import { RequestLimiter } from '../request/limit.js'
import { readRouterOptions } from '../routing/router-options.js'
import { RouteTable } from '../policies/route-table.js'
import { createHeaderWriter } from '../response/headers.js'
import { retryUnavailableSeconds } from './store-guard.js'
import type { SharedServices } from './services.js'

/** By policy: a request that was decided under a policy keeps the snapshot of that policy. */
const snapshots = new WeakMap<Policy, ConfigSnapshot>()

/** The place of a guard in messages: the place in code where it was created is unknown. */
export const GUARD_PLACE = 'rateLimit.guard'

/** Distinct options of checks, cached per generation. Evicted ones are compiled again. */
const MAX_CACHED_POLICIES = 500

/**
 * Everything that a reload replaces as a whole: the merged options and all objects built from them. A request uses one
 * snapshot from its first hook to its last.
 */
export class ConfigSnapshot {
  readonly services: SharedServices
  readonly merged: MergedOptions
  /** Number of earlier snapshots. */
  readonly generation: number
  readonly isEnabled: boolean
  readonly policySet: PolicySet
  readonly routes: RouteTable
  readonly identity: IdentityServices
  readonly limiter: RequestLimiter
  /** `Retry-After` of a 503, seconds. */
  readonly retryUnavailableSeconds: number
  /** Whether any known limit has a period. */
  hasPeriods = false
  readonly #policies = new WeakMap<RouteRateLimit, Policy>()
  /** The same policies by the content of the options, for applications that create the options for every request. */
  readonly #policiesByKey = new GenerationCache<string, Policy>(MAX_CACHED_POLICIES)
  readonly #keyFor = createOptionsKeyFunction()

  /** Throws on wrong options, with the place in the layer that they come from. */
  constructor (services: SharedServices, merged: MergedOptions, previous: ConfigSnapshot | null = null) {
    const { fastify, name, backend, delayQueue, slotUsages, routes, refusals, metrics, traffic, activity, recorder, faults } = services
    const { options, resolved } = merged
    this.services = services
    this.merged = merged
    this.generation = previous === null ? 0 : previous.generation + 1
    this.isEnabled = resolved.enabled
    try {
      checkIdentityOptions(options, 'rateLimit')
      this.identity = services.identityFactory.build(options)
      const tiers = new KnownTiers(resolved.identify.defaultTier)
      this.policySet = new PolicySet(name, options, readRouterOptions(fastify), (tier) => tiers.add(tier), {
        generation: this.generation,
        leaseObstacle: backend.leaseObstacle,
        getSlotUsage: (bucket, scope) => slotUsages.get(bucket, scope),
        names: routes.names,
        buildRouteOptions: merged.buildRouteOptions,
        onPolicy: (policy) => {
          snapshots.set(policy, this)
          this.hasPeriods ||= policy.hasPeriods
          for (const limit of policy.limits) metrics?.initLimit(limit.name)
        }
      })
      // The hooks of undeclared routes are attached once.
      if (previous !== null && previous.policySet.base.hook !== this.policySet.base.hook) {
        throw new FST_SLUICE_FIXED_OPTION('rateLimit.hook')
      }
      this.routes = new RouteTable(this.policySet, routes, previous?.routes)
      for (const guard of services.guards.all()) this.policyFor(guard, GUARD_PLACE)
      if (previous !== null) this.policySet.buckets.inherit(previous.policySet.buckets)
      this.retryUnavailableSeconds = retryUnavailableSeconds(resolved)
      this.limiter = new RequestLimiter({
        registration: name,
        identifier: this.identity.identifier,
        exemptions: options.exempt === undefined
          ? null
          : new Exemptions(options.exempt, 'rateLimit.exempt', faults, this.identity.identifier.deadlineMs),
        tiers,
        store: backend.store,
        local: backend.local,
        findKnownBlock: (charges) => backend.knownBlock(charges),
        delayQueue,
        retryUnavailableSeconds: this.retryUnavailableSeconds,
        writeHeaders: createHeaderWriter(resolved),
        refusals,
        metrics,
        traffic,
        activity,
        recorder,
        getRouteConfig: routes.getRouteConfig,
        faults
      })
    } catch (error) {
      throw relocateError(error, merged)
    }
  }

  /** The snapshot that a policy of a request belongs to; `null` if this registration has selected none yet. */
  static find (request: FastifyRequest, { services }: ConfigSnapshot): ConfigSnapshot | null {
    return findOwner(findDeferred(request)?.policy ?? null, services) ?? findOwner(findDecision(request)?.policy ?? null, services)
  }

  /** The policy of a guard or a check; without options, the default policy. Throws on wrong options. */
  policyFor (options: RouteRateLimit | undefined, place: string): Policy {
    if (options === undefined) return this.policySet.base
    let policy = this.#policies.get(options)
    if (policy === undefined) {
      policy = this.#policyByKey(options, place)
      this.#policies.set(options, policy)
    }
    return policy
  }

  #policyByKey (options: RouteRateLimit, place: string): Policy {
    const key = this.#keyFor(options)
    const cached = key === null ? undefined : this.#policiesByKey.get(key)
    if (cached !== undefined) return cached
    const policy = this.policySet.compileGuardPolicy(options, place)
    if (key !== null) this.#policiesByKey.set(key, policy)
    return policy
  }
}

function findOwner (policy: Policy | null, services: SharedServices): ConfigSnapshot | null {
  const snapshot = policy === null ? undefined : snapshots.get(policy)
  // A registration in an outer scope may have decided the request before.
  return snapshot !== undefined && snapshot.services === services ? snapshot : null
}

/** The current snapshot, and the older ones that in-flight requests still use. */
export class SnapshotHolder {
  current: ConfigSnapshot

  constructor (first: ConfigSnapshot) {
    this.current = first
  }

  /** The snapshot of a request; for a new request, the current one. */
  forRequest (request: FastifyRequest): ConfigSnapshot {
    return ConfigSnapshot.find(request, this.current) ?? this.current
  }
}
