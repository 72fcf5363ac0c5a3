import type { FastifyRequest } from 'fastify'
import type { ClientIdentifier } from '../clients/identifier.js'
import type { FaultReporter } from '../common/log.js'
import { waitFor } from '../common/time-budget.js'
import { isThenable } from '../common/type-guards.js'
import type { CostFunction } from '../config/schema/functions.js'
import { FST_SLUICE_CONTRADICTION } from '../errors.js'
import type { Policy } from '../policies/policy.js'
import type { Limit } from '../stores/store.js'

/** The units that a request takes: from each limit of its policy, or those of each limit by its index in the policy. */
export type Cost = number | readonly number[]

/** The cost if a cost function fails: an error in it must never make requests free. */
const FALLBACK_COST = 1

/** The units that a request takes from one limit of its policy. */
export function findUnits (cost: Cost, { limits }: Policy, { name }: Limit): number {
  return typeof cost === 'number' ? cost : cost[limits.findIndex((limit) => limit.name === name)]
}

/** Whether a request takes nothing from any limit. */
export function isFree (cost: Cost): boolean {
  return typeof cost === 'number' ? cost === 0 : cost.every((units) => units === 0)
}

/** What a request takes at least, without a call of its cost functions. */
export function findStaticCost ({ cost, costs }: Policy): Cost {
  return costs === null ? toStaticUnits(cost) : costs.map(toStaticUnits)
}

/** The cost without a request. Throws FST_SLUICE_CONTRADICTION if a function of the request computes it. */
export function requireStaticCost ({ cost, costs, place }: Policy): Cost {
  if (costs === null && typeof cost === 'number') return cost
  if (costs !== null) {
    const numbers = costs.filter((units) => typeof units === 'number')
    if (numbers.length === costs.length) return numbers
  }
  const index = costs?.findIndex((units) => typeof units === 'function' && units !== cost) ?? -1
  throw new FST_SLUICE_CONTRADICTION(index < 0 ? `${place}.cost` : `${place}.limits[${index}].cost`, NEEDS_REQUEST)
}

const NEEDS_REQUEST = 'is a function of the request, and consume has no request; set a number for it'

/** Computes what requests cost. Fractions are rounded up. A promise of a cost never rejects. */
export class CostResolver {
  readonly #identifier: ClientIdentifier
  readonly #faults: FaultReporter

  constructor (identifier: ClientIdentifier, faults: FaultReporter) {
    this.#identifier = identifier
    this.#faults = faults
  }

  /** Synchronous if the functions are. A function of several limits is called once. */
  resolve ({ cost, costs }: Policy, request: FastifyRequest): Cost | Promise<Cost> {
    if (costs !== null) return this.#resolveEach(costs, request)
    return typeof cost === 'number' ? cost : this.#compute(cost, request)
  }

  /**
   * The cost of a request that ends before its hook. A function that misses the body must not make it free. Units that
   * would be refunded, because the request is never settled, are not charged.
   */
  resolveEarly (policy: Policy, request: FastifyRequest): Cost | Promise<Cost> {
    const cost = this.resolve(policy, request)
    return cost instanceof Promise ? cost.then((units) => toEarlyCost(policy, units)) : toEarlyCost(policy, cost)
  }

  #resolveEach (costs: NonNullable<Policy['costs']>, request: FastifyRequest): Cost | Promise<Cost> {
    const units: Array<number | Promise<number>> = []
    for (const [index, cost] of costs.entries()) {
      const first = costs.indexOf(cost)
      units.push(first < index ? units[first] : typeof cost === 'number' ? cost : this.#compute(cost, request))
    }
    return units.every((one) => typeof one === 'number') ? units : Promise.all(units)
  }

  #compute (compute: CostFunction, request: FastifyRequest): number | Promise<number> {
    try {
      const cost: unknown = compute(request)
      return isThenable(cost) ? this.#settle(cost) : this.#parse(cost)
    } catch (error) {
      this.#faults.report('cost', error)
      return FALLBACK_COST
    }
  }

  async #settle (pending: PromiseLike<unknown>): Promise<number> {
    try {
      return this.#parse(await waitFor(pending, this.#identifier.deadlineMs, 'cost'))
    } catch (error) {
      this.#faults.report('cost', error)
      return FALLBACK_COST
    }
  }

  #parse (cost: unknown): number {
    if (typeof cost === 'number' && cost >= 0) return Math.min(Math.ceil(cost), Number.MAX_SAFE_INTEGER)
    this.#faults.reportLazy('cost', () => {
      return new TypeError(`expected a number of units, 0 or more, got ${typeof cost === 'number' ? cost : typeof cost}`)
    })
    return FALLBACK_COST
  }
}

function toStaticUnits (cost: Policy['cost']): number {
  return typeof cost === 'number' ? cost : FALLBACK_COST
}

function toEarlyCost ({ limits, cost, costs, refundsUnsettled }: Policy, resolved: Cost): Cost {
  const toUnits = (units: number, given: Policy['cost']) => typeof given === 'number' ? units : Math.max(FALLBACK_COST, units)
  if (costs === null && refundsUnsettled === null) return typeof resolved === 'number' ? toUnits(resolved, cost) : resolved
  return limits.map(({ name }, index) => {
    if (refundsUnsettled?.has(name) === true) return 0
    return toUnits(typeof resolved === 'number' ? resolved : resolved[index], costs?.[index] ?? cost)
  })
}
