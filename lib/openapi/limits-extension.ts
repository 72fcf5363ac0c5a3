import { isDeepStrictEqual } from 'node:util'
import type { Policy } from '../policies/policy.js'
import type { RoutePolicy } from '../policies/policy-set.js'

type DocumentedCost = number | 'by request'

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
  /** Units per request. Present if it is not that of the policy. */
  readonly cost?: DocumentedCost
}

/** Requests in flight as the document shows them. */
export interface DocumentedConcurrency {
  readonly max: number | 'adaptive'
  /** Whose requests are counted. Present if they are not the client's. */
  readonly by?: string
}

/** A policy as the document shows it, without limits in shadow mode and without unlimited tiers. */
export interface DocumentedPolicy {
  readonly limits: readonly DocumentedLimit[]
  /** Units per request. Present if it is not one. */
  readonly cost?: DocumentedCost
  /** The limits of tiers that have their own. */
  readonly tiers?: Readonly<Record<string, readonly DocumentedLimit[]>>
  /** Present if requests in flight are limited. */
  readonly concurrency?: DocumentedConcurrency
  /** The same for tiers, if it differs; `null` if they are not limited. */
  readonly tierConcurrency?: Readonly<Record<string, DocumentedConcurrency | null>>
}

/** The extension `x-rate-limit` of an operation. If the policy depends on the request, all possible policies. */
export type LimitsExtension = DocumentedPolicy | { readonly byRequest: readonly DocumentedPolicy[] }

/** Build the extension for a route; `null` if no limit can refuse its requests. */
export function buildLimitsExtension (route: RoutePolicy): LimitsExtension | null {
  if (route.kind === 'fixed') return route.policy === null || !mayRefuse(route.policy) ? null : toDocumentedPolicy(route.policy)
  const policies = route.policies.filter(mayRefuse)
  return policies.length === 0 ? null : { byRequest: policies.map(toDocumentedPolicy) }
}

/** Whether a concurrency limit of all clients together can refuse requests: it answers 503. */
export function hasGlobalConcurrency (limits: LimitsExtension): boolean {
  return ('byRequest' in limits ? limits.byRequest : [limits]).some(({ concurrency, tierConcurrency = {} }) => {
    return [concurrency, ...Object.values(tierConcurrency)].some((one) => one?.by === 'global')
  })
}

function mayRefuse (policy: Policy): boolean {
  return [policy, ...policy.tiers?.values() ?? []].some((one) => one !== null && (one.isEnforced || toDocumentedConcurrency(one) !== null))
}

function toDocumentedConcurrency ({ concurrency }: Policy): DocumentedConcurrency | null {
  if (concurrency === null || concurrency.limit.mode === 'shadow') return null
  const { max, by, room } = concurrency.limit
  return { max: room == null ? max : 'adaptive', ...(by !== 'client' && { by }) }
}

function toDocumentedPolicy (policy: Policy): DocumentedPolicy {
  const { cost, tiers } = policy
  const limited = [...tiers ?? []].flatMap(([name, tier]) => {
    return tier === null || !tier.isEnforced ? [] : [[name, toDocumentedLimits(tier, cost)] as const]
  })
  return {
    limits: toDocumentedLimits(policy, cost),
    ...(cost !== 1 && { cost: toDocumentedCost(cost) }),
    ...(limited.length > 0 && { tiers: Object.fromEntries(limited) }),
    ...documentConcurrency(policy)
  }
}

function toDocumentedCost (cost: Policy['cost']): DocumentedCost {
  return typeof cost === 'number' ? cost : 'by request'
}

function documentConcurrency (policy: Policy): Pick<DocumentedPolicy, 'concurrency' | 'tierConcurrency'> {
  const concurrency = toDocumentedConcurrency(policy)
  const tiers = [...policy.tiers ?? []].flatMap(([name, tier]) => {
    const own = tier === null ? null : toDocumentedConcurrency(tier)
    return tier === null || tier.concurrency === policy.concurrency || isDeepStrictEqual(own, concurrency) ? [] : [[name, own] as const]
  })
  return { ...(concurrency !== null && { concurrency }), ...(tiers.length > 0 && { tierConcurrency: Object.fromEntries(tiers) }) }
}

function toDocumentedLimits ({ limits, dynamicLimits, cost: own, costs }: Policy, shared: Policy['cost']): DocumentedLimit[] {
  return limits.flatMap(({ name, max, windowUs, calendar, capacity, by, mode }, index) => {
    if (mode === 'shadow') return []
    const isDynamic = (dynamicLimits?.[index] ?? null) !== null
    const cost = costs?.[index] ?? own
    return [{
      name,
      ...(!isDynamic && { max, windowMs: windowUs / 1000, ...(capacity !== max && { burst: capacity }) }),
      ...(calendar !== null && { period: calendar.unit }),
      ...(by !== 'client' && { by }),
      ...(cost !== shared && { cost: toDocumentedCost(cost) })
    }]
  })
}
