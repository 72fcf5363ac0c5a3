import type { FastifyRequest } from 'fastify'
import type { Identifier } from '../clients/identifier.js'
import { GLOBAL_PARTITION } from '../clients/partition.js'
import type { FaultReporter } from '../common/log.js'
import { findStorePartition, type Client } from '../model/client.js'
import type { Policy } from '../policies/policy.js'
import type { Charge, Limit, PartitionBy } from '../stores/store.js'

/** The cost if a cost function fails: an error in it must never make requests free. */
export const FALLBACK_COST = 1

/** What every charge of a request shares. `maxHoldUs`: see `build`. */
export interface ChargeInput {
  readonly request: FastifyRequest
  readonly client: Client
  readonly cost: number
  readonly maxHoldUs: number
}

/** Builds the charges of a request: which limits, which partitions, how many units. */
export class ChargeBuilder {
  readonly #identifier: Identifier
  readonly #faults: FaultReporter

  constructor ({ identifier, faults }: { readonly identifier: Identifier, readonly faults: FaultReporter }) {
    this.#identifier = identifier
    this.#faults = faults
  }

  /**
   * `maxHoldUs`: how long the request may be held until its tokens are due, besides the limits of its policy. 0: not at all.
   * Limits by user do not apply to unidentified clients. If no enforced limit is left for such a client, its address is
   * charged.
   */
  build (policy: Policy, request: FastifyRequest, client: Client, maxHoldUs: number): Charge[] {
    const cost = this.resolveCost(policy, request)
    return policy.single !== null && maxHoldUs === 0
      ? [{ limit: policy.single, partition: findStorePartition(client), cost }]
      : this.buildAll(policy, { request, client, cost, maxHoldUs })
  }

  /** Build the charges of a given cost. */
  buildAll (policy: Policy, input: ChargeInput): Charge[] {
    const { limits, delayableLimits } = policy
    const { cost, maxHoldUs } = input
    const candidates = maxHoldUs > 0 && delayableLimits !== null ? delayableLimits : limits
    const charges: Charge[] = []
    let isEnforced = false
    for (let i = 0; i < candidates.length; i++) {
      const partition = this.#findPartition(candidates[i].by, input)
      if (partition === null) continue
      if (candidates[i].mode === 'enforce') isEnforced = true
      charges.push({ limit: this.#resolveLimit(policy, i, input), partition, cost })
    }
    if (isEnforced || charges.length === limits.length) return charges
    return [...charges, ...this.#chargeAddress(policy, input)]
  }

  /** Charge the limits by user to the address. */
  #chargeAddress (policy: Policy, input: ChargeInput): Charge[] {
    const { id: partition } = this.#identifier.identifyByAddress(input.request)
    return policy.limits
      .map((limit, i) => ({ limit, i }))
      .filter(({ limit }) => limit.by === 'user')
      .map(({ i }) => ({ limit: this.#resolveLimit(policy, i, input), partition, cost: input.cost }))
  }

  /** One limit of a policy with the numbers for this request. */
  #resolveLimit (policy: Policy, index: number, { request, client, maxHoldUs }: ChargeInput): Limit {
    const { limits, delayableLimits, dynamicLimits } = policy
    const dynamicLimit = dynamicLimits === null ? null : dynamicLimits[index]
    if (dynamicLimit === null) {
      return maxHoldUs > 0 && delayableLimits !== null ? limitDelay(delayableLimits[index], maxHoldUs) : limits[index]
    }
    const { immediate, delayable } = dynamicLimit.resolve(request, client, this.#faults)
    return maxHoldUs > 0 ? limitDelay(delayable, maxHoldUs) : immediate
  }

  /** `null` if a limit does not apply to the client. */
  #findPartition (by: PartitionBy, { request, client }: ChargeInput): string | null {
    switch (by) {
      case 'client': return findStorePartition(client)
      case 'ip': return client.kind === 'ip' ? client.id : this.#identifier.identifyByAddress(request).id
      case 'user': return client.kind === 'user' ? client.partition : null
      case 'global': return GLOBAL_PARTITION
      default: return by satisfies never
    }
  }

  /** The units that a request takes. Fractions are rounded up. Every limit refuses a cost above its capacity. */
  resolveCost ({ cost }: Policy, request: FastifyRequest): number {
    return typeof cost === 'number' ? cost : this.#computeCost(cost, request)
  }

  #computeCost (compute: (request: FastifyRequest) => unknown, request: FastifyRequest): number {
    try {
      const cost = compute(request)
      if (typeof cost === 'number' && cost >= 0) return Math.min(Math.ceil(cost), Number.MAX_SAFE_INTEGER)
      if (cost instanceof Promise) cost.catch(() => {})
      this.#faults.reportLazy('cost', () => {
        return new TypeError(`expected a number of units, 0 or more, got ${typeof cost === 'number' ? cost : typeof cost}`)
      })
    } catch (error) {
      this.#faults.report('cost', error)
    }
    return FALLBACK_COST
  }
}

/** By limit and longest delay. The same object for the same numbers: the cache of refusals compares limits by identity. */
const shorterDelays = new WeakMap<Limit, Map<number, Limit>>()

/** The same limit, for a request that may be held for a shorter time than its policy allows. */
function limitDelay (limit: Limit, maxHoldUs: number): Limit {
  if (limit.maxDelayUs <= maxHoldUs) return limit
  const known = shorterDelays.get(limit) ?? new Map<number, Limit>()
  const shorter = known.get(maxHoldUs) ?? { ...limit, maxDelayUs: maxHoldUs }
  shorterDelays.set(limit, known.set(maxHoldUs, shorter))
  return shorter
}
