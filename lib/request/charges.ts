import type { FastifyRequest } from 'fastify'
import type { ClientIdentifier } from '../clients/identifier.js'
import { GLOBAL_PARTITION } from '../clients/partition.js'
import type { FaultReporter } from '../common/log.js'
import { waitFor } from '../common/time-budget.js'
import { isThenable } from '../common/type-guards.js'
import { FST_SLUICE_CONTRADICTION } from '../errors.js'
import { findStorePartition, type Client } from '../model/client.js'
import type { LimitPair } from '../policies/dynamic-limit.js'
import type { Policy } from '../policies/policy.js'
import type { Charge, Limit, PartitionBy } from '../stores/store.js'

/** The cost if a cost function fails: an error in it must never make requests free. */
export const FALLBACK_COST = 1

const NEEDS_REQUEST = 'is a function of the request, and consume has no request; set a number for it'

/** What every charge of a request shares. */
export interface ChargeInput {
  readonly request: FastifyRequest
  readonly client: Client
  readonly cost: number
  /** See `build`. */
  readonly maxHoldUs: number
}

/** A charge whose limit may still be replaced by one with the numbers for the request. */
type DraftCharge = { -readonly [Field in keyof Charge]: Charge[Field] }

/** Builds the charges of a request: which limits, which partitions, how many units. A promise of them never rejects. */
export class ChargeBuilder {
  readonly #identifier: ClientIdentifier
  readonly #faults: FaultReporter

  constructor ({ identifier, faults }: { readonly identifier: ClientIdentifier, readonly faults: FaultReporter }) {
    this.#identifier = identifier
    this.#faults = faults
  }

  /**
   * `maxHoldUs`: how long the request may be held until its tokens are due, besides the limits of its policy. 0: not at all.
   * Limits by user do not apply to unidentified clients. If no enforced limit is left for such a client, its address is
   * charged. Synchronous if the functions of the policy are.
   */
  build (policy: Policy, request: FastifyRequest, client: Client, maxHoldUs: number): Charge[] | Promise<Charge[]> {
    const cost = this.resolveCost(policy, request)
    if (typeof cost !== 'number') return this.#buildLater(policy, { request, client, cost: FALLBACK_COST, maxHoldUs }, cost)
    return policy.single !== null && maxHoldUs === 0
      ? [{ limit: policy.single, partition: findStorePartition(client), cost }]
      : this.buildAll(policy, { request, client, cost, maxHoldUs })
  }

  /**
   * Build the charges of a client without a request. Limits that do not apply to it are skipped.
   *
   * Throws FST_SLUICE_CONTRADICTION if the cost or a limit is computed by a function, or if no enforced limit applies.
   */
  buildWithoutRequest ({ cost, dynamicLimits, limits, place, isEnforced }: Policy, client: Client): Charge[] {
    if (typeof cost !== 'number') throw new FST_SLUICE_CONTRADICTION(`${place}.cost`, NEEDS_REQUEST)
    if (dynamicLimits !== null) throw new FST_SLUICE_CONTRADICTION(`${place}.max`, NEEDS_REQUEST)
    const applicable = limits.filter(({ by }) => by === 'global' || (client.kind !== 'global' && (by === 'client' || by === client.kind)))
    const chosen = client.kind === 'ip' && !applicable.some(isEnforcing)
      ? limits.filter((limit) => applicable.includes(limit) || limit.by === 'user')
      : applicable
    if (chosen.length === 0 || (isEnforced && !chosen.some(isEnforcing))) {
      throw new FST_SLUICE_CONTRADICTION(place, `no limit applies to the partition "${client.partition}"; see the option "by"`)
    }
    const partition = findStorePartition(client)
    return chosen.map((limit) => ({ limit, partition: limit.by === 'global' ? GLOBAL_PARTITION : partition, cost }))
  }

  /** Build the charges of a given cost. */
  buildAll (policy: Policy, input: ChargeInput): Charge[] | Promise<Charge[]> {
    const { limits, delayableLimits } = policy
    const { cost, maxHoldUs } = input
    const candidates = maxHoldUs > 0 && delayableLimits !== null ? delayableLimits : limits
    const charges: DraftCharge[] = []
    let isEnforced = false
    for (let i = 0; i < candidates.length; i++) {
      const partition = this.#findPartition(candidates[i].by, input)
      if (partition === null) continue
      if (candidates[i].mode === 'enforce') isEnforced = true
      charges.push({ limit: candidates[i], partition, cost })
    }
    if (!isEnforced && charges.length < limits.length) {
      // Charge the limits by user to the address.
      const { id: partition } = this.#identifier.identifyByAddress(input.request)
      for (const limit of candidates) {
        if (limit.by === 'user') charges.push({ limit, partition, cost })
      }
    }
    if (policy.dynamicLimits !== null) return this.#resolveLimits(policy.dynamicLimits, candidates, charges, input)
    if (maxHoldUs > 0) for (const charge of charges) charge.limit = limitDelay(charge.limit, maxHoldUs)
    return charges
  }

  /** `input`: its cost is replaced. */
  async #buildLater (policy: Policy, input: ChargeInput, pending: Promise<number>): Promise<Charge[]> {
    return this.buildAll(policy, { ...input, cost: await pending })
  }

  /** Replace the limits that depend on the request by those with its numbers. All of their functions are called at once. */
  #resolveLimits (
    dynamicLimits: NonNullable<Policy['dynamicLimits']>, candidates: Policy['limits'], charges: DraftCharge[], input: ChargeInput
  ): Charge[] | Promise<Charge[]> {
    const { request, client, maxHoldUs } = input
    let pending: Array<Promise<void>> | null = null
    for (const charge of charges) {
      const dynamicLimit = dynamicLimits[candidates.indexOf(charge.limit)]
      if (dynamicLimit === null) {
        if (maxHoldUs > 0) charge.limit = limitDelay(charge.limit, maxHoldUs)
        continue
      }
      const pair = dynamicLimit.resolve(request, client, this.#faults, this.#identifier.deadlineMs)
      if (pair instanceof Promise) (pending ??= []).push(replaceLimitLater(charge, pair, maxHoldUs))
      else replaceLimit(charge, pair, maxHoldUs)
    }
    return pending === null ? charges : Promise.all(pending).then(() => charges)
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
  resolveCost ({ cost }: Policy, request: FastifyRequest): number | Promise<number> {
    return typeof cost === 'number' ? cost : this.#computeCost(cost, request)
  }

  #computeCost (compute: (request: FastifyRequest) => unknown, request: FastifyRequest): number | Promise<number> {
    try {
      const cost = compute(request)
      return isThenable(cost) ? this.#settleCost(cost) : this.#parseCost(cost)
    } catch (error) {
      this.#faults.report('cost', error)
      return FALLBACK_COST
    }
  }

  async #settleCost (pending: PromiseLike<unknown>): Promise<number> {
    try {
      return this.#parseCost(await waitFor(pending, this.#identifier.deadlineMs, 'cost'))
    } catch (error) {
      this.#faults.report('cost', error)
      return FALLBACK_COST
    }
  }

  #parseCost (cost: unknown): number {
    if (typeof cost === 'number' && cost >= 0) return Math.min(Math.ceil(cost), Number.MAX_SAFE_INTEGER)
    this.#faults.reportLazy('cost', () => {
      return new TypeError(`expected a number of units, 0 or more, got ${typeof cost === 'number' ? cost : typeof cost}`)
    })
    return FALLBACK_COST
  }
}

function isEnforcing ({ mode }: Limit): boolean {
  return mode === 'enforce'
}

function replaceLimit (charge: DraftCharge, { immediate, delayable }: LimitPair, maxHoldUs: number): void {
  charge.limit = maxHoldUs > 0 ? limitDelay(delayable, maxHoldUs) : immediate
}

async function replaceLimitLater (charge: DraftCharge, pending: Promise<LimitPair>, maxHoldUs: number): Promise<void> {
  replaceLimit(charge, await pending, maxHoldUs)
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
