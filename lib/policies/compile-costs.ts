import { badOption } from '../config/schema/check.js'
import type { Limit } from '../stores/store.js'
import type { DynamicLimit, LimitPair } from './dynamic-limit.js'
import type { LimitDraft } from './limit-draft.js'
import type { Policy } from './policy.js'

/** A limit of a policy. */
export interface CompiledLimit {
  readonly pair: LimitPair
  /** `null` without functions. */
  readonly dynamicLimit: DynamicLimit | null
}

/** The costs of a policy. `shared`: of limits without their own. `place`: of the policy. Throws FST_SLUICE_BAD_OPTION. */
export function compileCosts (
  drafts: readonly LimitDraft[], compiled: readonly CompiledLimit[], shared: Policy['cost'], place: string
): Pick<Policy, 'cost' | 'costs'> {
  const costs = drafts.map(({ cost, place: ownPlace }, index) => {
    if (compiled[index].dynamicLimit === null) checkCost(cost ?? shared, compiled[index].pair.immediate, cost === null ? place : ownPlace)
    return cost ?? shared
  })
  return costs.every((cost) => cost === costs[0]) ? { cost: costs[0], costs: null } : { cost: shared, costs }
}

function checkCost (cost: Policy['cost'], { name, max, capacity }: Limit, place: string): void {
  if (typeof cost !== 'number' || max === 0 || cost <= capacity) return
  throw badOption(`${place}.cost`, `at most ${capacity}, the capacity of the limit "${name}"`, cost)
}
