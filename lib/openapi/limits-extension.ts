import type { Policy } from '../policies/policy.js'
import type { RoutePolicy } from '../policies/policy-set.js'

/** A limit as the document shows it. */
export interface DocumentedLimit {
  readonly name: string
  /** Absent if a function computes the numbers for each request. */
  readonly max?: number
  readonly windowMs?: number
  /** The period of the calendar that `max` applies to; `windowMs` is then its longest length. */
  readonly period?: string
  /** Present if it differs from `max`. */
  readonly burst?: number
  /** Which budget is charged. Present if it is not the client's. */
  readonly by?: string
}

/** A policy as the document shows it, without limits in shadow mode and without unlimited tiers. */
export interface DocumentedPolicy {
  readonly limits: readonly DocumentedLimit[]
  /** Units per request. Present if it is not one. */
  readonly cost?: number | 'by request'
  /** The limits of tiers that have their own. */
  readonly tiers?: Readonly<Record<string, readonly DocumentedLimit[]>>
}

/** The extension `x-rate-limit` of an operation. If the policy depends on the request, all possible policies. */
export type LimitsExtension = DocumentedPolicy | { readonly byRequest: readonly DocumentedPolicy[] }

/** Build the extension for a route; `null` if no limit can refuse its requests. */
export function buildLimitsExtension (route: RoutePolicy): LimitsExtension | null {
  if (route.kind === 'fixed') return route.policy === null || !mayRefuse(route.policy) ? null : toDocumentedPolicy(route.policy)
  const policies = route.policies.filter(mayRefuse)
  return policies.length === 0 ? null : { byRequest: policies.map(toDocumentedPolicy) }
}

function mayRefuse ({ isEnforced, tiers }: Policy): boolean {
  return isEnforced || [...tiers?.values() ?? []].some((tier) => tier?.isEnforced === true)
}

function toDocumentedPolicy (policy: Policy): DocumentedPolicy {
  const { cost, tiers } = policy
  const limited = [...tiers ?? []].flatMap(([name, tier]) => {
    return tier === null || !tier.isEnforced ? [] : [[name, toDocumentedLimits(tier)] as const]
  })
  return {
    limits: toDocumentedLimits(policy),
    ...(cost !== 1 && { cost: typeof cost === 'number' ? cost : 'by request' }),
    ...(limited.length > 0 && { tiers: Object.fromEntries(limited) })
  }
}

function toDocumentedLimits ({ limits, dynamicLimits }: Policy): DocumentedLimit[] {
  return limits.flatMap(({ name, max, windowUs, calendar, capacity, by, mode }, index) => {
    if (mode === 'shadow') return []
    const isDynamic = (dynamicLimits?.[index] ?? null) !== null
    return [{
      name,
      ...(!isDynamic && { max, windowMs: windowUs / 1000, ...(capacity !== max && { burst: capacity }) }),
      ...(calendar !== null && { period: calendar.unit }),
      ...(by !== 'client' && { by })
    }]
  })
}
