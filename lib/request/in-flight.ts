import type { Policy } from '../policies/policy.js'
import type { Standing } from '../stores/store.js'
import { findStaticCost, findUnits } from './cost.js'
import type { RequestDecision } from './decision.js'
import { formatBucket } from './standing.js'

/**
 * Units that requests before their hook will take from a bucket, whichever way they end. Without them, a client could send
 * any number of requests at once, each before the first of them is charged.
 */
export class InFlight {
  readonly #units = new Map<string, number>()

  get (standing: Standing): number {
    return this.#units.size === 0 ? 0 : this.#units.get(formatBucket(standing)) ?? 0
  }

  /** Add a request under a policy. */
  add (standings: readonly Standing[], policy: Policy): void {
    this.#change(standings, policy, 1)
  }

  /** Remove a request that is over. */
  remove (standings: readonly Standing[], policy: Policy): void {
    this.#change(standings, policy, -1)
  }

  #change (standings: readonly Standing[], policy: Policy, sign: 1 | -1): void {
    const cost = findStaticCost(policy)
    for (const standing of standings) {
      const key = formatBucket(standing)
      const sum = (this.#units.get(key) ?? 0) + sign * findUnits(cost, policy, standing.limit)
      if (sum === 0) this.#units.delete(key)
      else this.#units.set(key, sum)
    }
  }
}

/**
 * The buckets that a request is charged in, whether or not its hook is reached. Others may be charged for another client:
 * the hook may find a key or a user.
 */
export function findSureStandings ({ policy, client, storeStandings }: RequestDecision, hasUsers: boolean): readonly Standing[] {
  if (client.kind === 'user' || (policy.keyGenerator === null && !hasUsers)) return storeStandings
  return storeStandings.filter(({ limit }) => limit.by === 'ip' || limit.by === 'global')
}

/** Whether an enforced limit has no `units` left, or a block refuses. `standing`: for a cost of 0. */
export function isExhausted ({ limit, granted, remaining, resetUs }: Standing, units: number): boolean {
  if (limit.mode === 'shadow') return false
  if (!granted || limit.maxDelayUs === 0) return !granted || remaining < units
  return resetUs + (units - limit.capacity) * limit.windowUs / limit.max > limit.maxDelayUs
}
