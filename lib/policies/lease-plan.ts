import { createLeaseTerms, MAX_HOLD_US, MIN_HOLD_US, type LeaseTerms } from '../algorithms/lease.js'
import { badOption, requireDurationMs } from '../config/schema/check.js'
import type { LeaseOptions } from '../config/schema/policy-schema.js'
import { resolvePolicyOptions, type ResolvedPolicyOptions } from '../config/schema/resolve-options.js'
import { formatDuration } from '../common/format-duration.js'
import type { UnleasedReason } from '../model/unleased-reason.js'
import { computeQuota } from './compute-quota.js'
import type { LimitDraft } from './limit-draft.js'

/** Why no limit of a registration is leased. */
export type StoreLeaseObstacle = Extract<UnleasedReason, 'no-redis' | 'client-resends'>

/** The terms of a limit, or why it is not leased. */
export type LeasePlan = LeaseTerms | UnleasedReason

/** How the limits of a policy are leased. */
export interface LeaseSettings {
  /** The option of the policy. */
  readonly leases: ResolvedPolicyOptions['leases']
  readonly place: string
  readonly obstacle: StoreLeaseObstacle | null
  readonly maxDelayUs: number
  /** Whether each request needs a slot, which the store grants. */
  readonly hasConcurrency: boolean
}

/** Decide for each limit of a policy whether it is leased. Throws FST_SLUICE_BAD_OPTION for a `hold` out of its range. */
export function planLeases (settings: LeaseSettings, drafts: readonly LimitDraft[]): LeasePlan[] {
  const plans = drafts.map((draft) => planLease(settings, draft))
  const isExact = plans.some((plan) => typeof plan === 'string')
  return plans.map((plan) => isExact && typeof plan !== 'string' ? 'beside-exact' : plan)
}

function planLease ({ leases, place, obstacle, maxDelayUs, hasConcurrency }: LeaseSettings, draft: LimitDraft): LeasePlan {
  const holdUs = draft.leases === null ? requireHoldUs(leases, place) : requireHoldUs(resolveLeases(draft.leases), draft.place)
  if (holdUs === null) return 'off'
  if (obstacle !== null) return obstacle
  if (hasConcurrency) return 'concurrency'
  const { max, windowMs } = draft
  if (typeof max === 'function' || typeof windowMs === 'function') return 'by-function'
  return createLeaseTerms(computeQuota(draft, max, windowMs, maxDelayUs), holdUs)
}

function resolveLeases (leases: LeaseOptions): ResolvedPolicyOptions['leases'] {
  return resolvePolicyOptions({ leases }).leases
}

/** The longest life of a lease, microseconds; `null` without leases. */
function requireHoldUs (leases: ResolvedPolicyOptions['leases'], place: string): number | null {
  if (leases === false) return null
  const holdUs = 1000 * requireDurationMs(leases.hold, `${place}.leases.hold`)
  if (holdUs < MIN_HOLD_US || holdUs > MAX_HOLD_US) throw badOption(`${place}.leases.hold`, HOLD_EXPECTED, leases.hold)
  return holdUs
}

const HOLD_EXPECTED = `a duration from ${formatDuration(MIN_HOLD_US / 1000)} to ${formatDuration(MAX_HOLD_US / 1000)}`
