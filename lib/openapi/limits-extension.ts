import type { Policy } from '../policies/policy.js'
import type { RoutePolicy } from '../policies/policy-set.js'

/** A limit as clients are told of it. */
export interface DocumentedLimit {
  readonly name: string
  /** Not where a function works the numbers out for each request. */
  readonly max?: number
  readonly windowMs?: number
  /** Where it is another than `max`. */
  readonly burst?: number
  /** Whose budget is charged, where it is not the client's. */
  readonly by?: string
}

/** What is told of a policy: of limits on trial nothing, nor of tiers that have none. */
export interface DocumentedPolicy {
  readonly limits: readonly DocumentedLimit[]
  /** Units that a request takes, where it is not one. */
  readonly cost?: number | 'by request'
  /** The limits of clients who have others by their tier. */
  readonly tiers?: Readonly<Record<string, readonly DocumentedLimit[]>>
}

/** The extension `x-rate-limit` of an operation; where the request decides, all policies that it may meet. */
export type LimitsExtension = DocumentedPolicy | { readonly byRequest: readonly DocumentedPolicy[] }

/** What is told of a route's limits. `null` where none may refuse. */
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
  const limited = [...tiers ?? []].flatMap(([name, tier]) => tier === null || !tier.isEnforced ? [] : [[name, toDocumentedLimits(tier)] as const])
  return {
    limits: toDocumentedLimits(policy),
    ...(cost !== 1 && { cost: typeof cost === 'number' ? cost : 'by request' }),
    ...(limited.length > 0 && { tiers: Object.fromEntries(limited) })
  }
}

function toDocumentedLimits ({ limits, dynamicLimits }: Policy): DocumentedLimit[] {
  return limits.flatMap(({ name, max, windowUs, capacity, by, mode }, index) => {
    if (mode === 'shadow') return []
    const isDynamic = (dynamicLimits?.[index] ?? null) !== null
    return [{
      name,
      ...(!isDynamic && { max, windowMs: windowUs / 1000, ...(capacity !== max && { burst: capacity }) }),
      ...(by !== 'client' && { by })
    }]
  })
}
