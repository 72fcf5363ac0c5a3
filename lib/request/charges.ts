import type { FastifyRequest } from 'fastify'
import type { ClientIdentifier } from '../clients/identifier.js'
import { getTemporal, loadTemporal } from '../calendar/temporal.js'
import { GLOBAL_PARTITION } from '../clients/partition.js'
import type { FaultReporter } from '../common/log.js'
import { FST_SLUICE_CONTRADICTION } from '../errors.js'
import { findStorePartition, type Client } from '../model/client.js'
import type { LimitPair } from '../policies/dynamic-limit.js'
import type { Policy } from '../policies/policy.js'
import type { Charge, Limit, PartitionBy } from '../stores/store.js'
import { anchorLimit } from './anchored-limit.js'
import { CostResolver, findUnits, requireStaticCost, type Cost } from './cost.js'
import { findDecision } from './decision.js'
import type { DeciderContext } from './limiter-context.js'
import { noteCost } from './record-decision.js'

const NEEDS_REQUEST = 'is a function of the request, and consume has no request; set a number for it'

/** What every charge of a request shares. */
export interface ChargeInput {
  readonly request: FastifyRequest
  readonly client: Client
  readonly cost: Cost
  /** See `build`. */
  readonly maxHoldUs: number
}

/** A charge whose limit may still be replaced by one with the numbers for the request. */
type DraftCharge = { -readonly [Field in keyof Charge]: Charge[Field] }

/** Builds the charges of a request: which limits, which partitions, how many units. A promise of them never rejects. */
export class ChargeBuilder {
  readonly #identifier: ClientIdentifier
  readonly #faults: FaultReporter
  readonly #costs: CostResolver
  readonly #takesSlots: boolean
  readonly #keepsCosts: boolean

  /** `takesSlots`: whether requests take slots of concurrency limits, which must be released. */
  constructor ({ identifier, faults, recorder }: Pick<DeciderContext, 'identifier' | 'faults' | 'recorder'>, takesSlots: boolean) {
    this.#identifier = identifier
    this.#faults = faults
    this.#costs = new CostResolver(identifier, faults)
    this.#takesSlots = takesSlots
    this.#keepsCosts = recorder !== null
  }

  /**
   * `maxHoldUs`: how long the request may be held until its tokens are due, besides the limits of its policy. 0: not at all.
   * Limits by user do not apply to unidentified clients. If no enforced limit is left for such a client, its address is
   * charged. Synchronous if the functions of the policy are.
   */
  build (policy: Policy, request: FastifyRequest, client: Client, maxHoldUs: number): Charge[] | Promise<Charge[]> {
    const charges = this.#buildRates(policy, request, client, maxHoldUs)
    if (policy.concurrency === null || !this.#takesSlots) return charges
    return charges instanceof Promise
      ? this.#addSlotLater(policy.concurrency.limit, charges, { request, client })
      : this.#addSlot(policy.concurrency.limit, charges, { request, client })
  }

  #buildRates (policy: Policy, request: FastifyRequest, client: Client, maxHoldUs: number): Charge[] | Promise<Charge[]> {
    const cost = this.#costs.resolve(policy, request)
    if (cost instanceof Promise) return this.#buildLater(policy, { request, client, cost: 0, maxHoldUs }, cost)
    if (this.#keepsCosts) noteCost(request, cost)
    return policy.single !== null && typeof cost === 'number' && maxHoldUs === 0
      ? [{ limit: policy.single, partition: findStorePartition(client), cost }]
      : this.buildAll(policy, { request, client, cost, maxHoldUs })
  }

  /**
   * Build the charges of a client without a request. Limits that do not apply to it are skipped.
   *
   * Throws FST_SLUICE_CONTRADICTION if the cost or a limit is computed by a function, or if no enforced limit applies.
   */
  buildWithoutRequest (policy: Policy, client: Client): Charge[] {
    const { dynamicLimits, limits, place, isEnforced, concurrency } = policy
    const cost = requireStaticCost(policy)
    if (dynamicLimits !== null) throw new FST_SLUICE_CONTRADICTION(`${place}.max`, NEEDS_REQUEST)
    const applicable = limits.filter((limit) => appliesTo(limit, client))
    // Of an address, limits by user are all that do not apply.
    const chosen = client.kind === 'ip' && !applicable.some(isEnforcing) ? limits : applicable
    if (chosen.length === 0 || (isEnforced && !chosen.some(isEnforcing))) {
      throw new FST_SLUICE_CONTRADICTION(place, `no limit applies to the partition "${client.partition}"; see the option "by"`)
    }
    const partition = findStorePartition(client)
    const toCharge = (limit: Limit, units: number): Charge => {
      return { limit, partition: limit.by === 'global' ? GLOBAL_PARTITION : partition, cost: units }
    }
    const charges = chosen.map((limit) => toCharge(limit, findUnits(cost, policy, limit)))
    if (concurrency !== null && this.#takesSlots && appliesTo(concurrency.limit, client)) charges.push(toCharge(concurrency.limit, 1))
    return charges
  }

  /** Add the slot of the request, unless its limit does not apply to the client, or the request holds one already. */
  #addSlot (limit: Limit, charges: Charge[], input: Pick<ChargeInput, 'request' | 'client'>): Charge[] {
    const partition = this.#findPartition(limit.by, input)
    if (partition === null || findDecision(input.request)?.holdsSlot(limit, partition) === true) return charges
    const charge = { limit, partition, cost: 1 }
    // An array that grows is allocated twice.
    return charges.length === 1 ? [charges[0], charge] : [...charges, charge]
  }

  async #addSlotLater (limit: Limit, charges: Promise<Charge[]>, input: Pick<ChargeInput, 'request' | 'client'>): Promise<Charge[]> {
    return this.#addSlot(limit, await charges, input)
  }

  /** Build the charges of a given cost. */
  buildAll (policy: Policy, input: ChargeInput): Charge[] | Promise<Charge[]> {
    return policy.hasPeriods ? this.#buildWithPeriods(policy, input) : this.#buildCharges(policy, input)
  }

  #buildWithPeriods (policy: Policy, input: ChargeInput): Charge[] | Promise<Charge[]> {
    // Loaded when the server starts, but for the first limit with a period of a reload or a guard.
    if (getTemporal() === null) return loadTemporal().then(() => this.#buildWithPeriods(policy, input))
    const charges = this.#buildCharges(policy, input)
    const { anchorMs } = input.client
    if (anchorMs === undefined) return charges
    return charges instanceof Promise ? charges.then((resolved) => anchorCharges(resolved, anchorMs)) : anchorCharges(charges, anchorMs)
  }

  #buildCharges (policy: Policy, input: ChargeInput): Charge[] | Promise<Charge[]> {
    const { limits, delayableLimits } = policy
    const { cost, maxHoldUs } = input
    const candidates = maxHoldUs > 0 && delayableLimits !== null ? delayableLimits : limits
    const charges: DraftCharge[] = []
    let isEnforced = false
    for (let i = 0; i < candidates.length; i++) {
      const partition = this.#findPartition(candidates[i].by, input)
      if (partition === null) continue
      if (candidates[i].mode === 'enforce') isEnforced = true
      charges.push({ limit: candidates[i], partition, cost: typeof cost === 'number' ? cost : cost[i] })
    }
    if (!isEnforced && charges.length < limits.length) {
      // Charge the limits by user to the address.
      const { id: partition } = this.#identifier.identifyByAddress(input.request)
      for (const limit of candidates) {
        if (limit.by === 'user') charges.push({ limit, partition, cost: findUnits(cost, policy, limit) })
      }
    }
    if (policy.dynamicLimits !== null) return this.#resolveLimits(policy.dynamicLimits, candidates, charges, input)
    if (maxHoldUs > 0) for (const charge of charges) charge.limit = limitDelay(charge.limit, maxHoldUs)
    return charges
  }

  /** `input`: its cost is replaced. */
  async #buildLater (policy: Policy, input: ChargeInput, pending: Promise<Cost>): Promise<Charge[]> {
    const cost = await pending
    if (this.#keepsCosts) noteCost(input.request, cost)
    return this.buildAll(policy, { ...input, cost })
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
  #findPartition (by: PartitionBy, { request, client }: Pick<ChargeInput, 'request' | 'client'>): string | null {
    switch (by) {
      case 'client': return findStorePartition(client)
      case 'ip': return client.kind === 'ip' ? client.id : this.#identifier.identifyByAddress(request).id
      case 'user': return client.kind === 'user' ? client.partition : null
      case 'global': return GLOBAL_PARTITION
      default: return by satisfies never
    }
  }
}

/** Whether a limit applies to a client without a request. */
function appliesTo ({ by }: Limit, { kind }: Client): boolean {
  return by === 'global' || (kind !== 'global' && (by === 'client' || by === kind))
}

function anchorCharges (charges: readonly Charge[], anchorMs: number): Charge[] {
  return charges.map((charge) => ({ ...charge, limit: anchorLimit(charge.limit, anchorMs) }))
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
