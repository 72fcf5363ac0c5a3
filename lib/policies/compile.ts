import { isExact, quotaOf } from '../algorithms/quota.js'
import { badOption } from '../config/check.js'
import { FST_SLUICE_BAD_OPTION } from '../errors.js'
import { policyField } from '../response/policy-field.js'
import type { Limit } from '../stores/store.js'
import type { LimitDraft, PolicyDraft } from './draft.js'
import type { Policy } from './policy.js'

/**
 * Prepare a policy for the request's path.
 *
 * Throws FST_SLUICE_BAD_OPTION where the arithmetic of a limit would leave 2^53, and where the static cost could never be granted.
 */
export function compilePolicy (registration: string, draft: PolicyDraft, place: string): Policy {
  const limits = draft.limits.map((limit) => compileLimit(registration, draft.scope, limit))
  const { cost, hook, failureMode, keyGenerator, errorResponseBuilder, onExceeding, onExceeded } = draft.options
  if (typeof cost === 'number') checkCost(cost, limits, place)
  return {
    scope: draft.scope,
    limits,
    isEnforced: limits.some((limit) => limit.mode === 'enforce'),
    cost,
    hook,
    failureMode,
    keyGenerator: keyGenerator ?? null,
    errorResponseBuilder: errorResponseBuilder ?? null,
    onExceeding: onExceeding ?? null,
    onExceeded: onExceeded ?? null,
    policyField: policyField(limits)
  }
}

function compileLimit (registration: string, scope: string, draft: LimitDraft): Limit {
  const quota = quotaOf(draft.algorithm, draft.max, draft.windowMs * 1000, draft.burst ?? draft.max)
  if (!isExact(quota)) {
    throw new FST_SLUICE_BAD_OPTION(`${draft.place}.max`, 'a rate that can be counted exactly (below 2^53 steps: a smaller or rounder number)', `${draft.max} per ${draft.windowMs} ms`)
  }
  const identity = [registration, scope, draft.name]
  // A limit on trial must not touch the buckets of the enforced limit that bears its name.
  if (draft.mode === 'shadow') identity.push('shadow')
  return { ...quota, name: draft.name, bucket: JSON.stringify(identity), by: draft.by, mode: draft.mode, penalty: null }
}

function checkCost (cost: number, limits: readonly Limit[], place: string): void {
  for (const limit of limits) {
    if (limit.max > 0 && cost > limit.capacity) {
      throw badOption(`${place}.cost`, `at most ${limit.capacity}, the capacity of the limit "${limit.name}"`, cost)
    }
  }
}

/** What two policies with the same scope must agree on, in words. Their modes may differ: shadow has its own buckets. */
export function limitsInWords (limits: readonly Limit[]): string {
  return limits.map((limit) => {
    const burst = limit.capacity === limit.max ? '' : ` burst ${limit.capacity}`
    const by = limit.by === 'client' ? '' : ` by ${limit.by}`
    return `"${limit.name}" ${limit.max} per ${limit.windowUs / 1000} ms${burst} (${limit.algorithm}${by})`
  }).join(', ')
}
