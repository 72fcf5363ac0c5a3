import { isExactPenalty } from '../algorithms/penalty.js'
import { isExact, withMaxDelay } from '../algorithms/quota.js'
import { systemClock } from '../common/clock.js'
import { SlotUsage } from '../concurrency/slot-usage.js'
import { badOption, requireDurationMs } from '../config/schema/check.js'
import { resolvePolicyOptions, type ResolvedPolicyOptions } from '../config/schema/resolve-options.js'
import { FST_SLUICE_BAD_OPTION, FST_SLUICE_CONTRADICTION } from '../errors.js'
import { formatPolicyField } from '../response/ratelimit-draft.js'
import type { Limit, Penalty } from '../stores/store.js'
import { asShadowConcurrency, compileConcurrency, type ConcurrencySettings } from './compile-concurrency.js'
import { builtInDraft, type PolicyDraft, type TierDraft } from './policy-draft.js'
import { planLeases, type LeasePlan, type StoreLeaseObstacle } from './lease-plan.js'
import type { LimitDraft } from './limit-draft.js'
import { compileCosts, type CompiledLimit } from './compile-costs.js'
import { computeQuota } from './compute-quota.js'
import { DynamicLimit, type CompileLimitPair } from './dynamic-limit.js'
import type { Policy } from './policy.js'
import { parseStatuses, type StatusSet } from './status-set.js'

/** What a policy and its tiers have in common. */
interface CompileContext {
  readonly registration: string
  readonly place: string
  readonly generation: number
  readonly penalty: Penalty | null
  /** Whether requests may be held. */
  readonly mayDelay: boolean
  /** How long a request queued for these buckets may be held, microseconds. 0 without a queue. */
  readonly maxDelayUs: number
  readonly leases: ResolvedPolicyOptions['leases']
  readonly leaseObstacle: StoreLeaseObstacle | null
  readonly concurrency: ConcurrencySettings
}

/** What all policies of a registration have in common. */
export interface CompileSettings {
  /** Number of reloads before. Default 0. */
  readonly generation?: number
  /** Why no limit is leased, whatever its options are. Default `null`. */
  readonly leaseObstacle?: StoreLeaseObstacle | null
  /** Returns the usage of the slots of a bucket, which outlives a policy. By default each policy has its own. */
  readonly getSlotUsage?: (bucket: string, scope: string) => SlotUsage
}

/**
 * Compile a policy, and those of its tiers, for the request's path.
 *
 * Throws FST_SLUICE_BAD_OPTION where the arithmetic of a limit would leave 2^53, and where the static cost could never be
 * granted. Throws FST_SLUICE_CONTRADICTION where `throttle` would hold requests of a limit that is no token bucket.
 */
export function compilePolicy (registration: string, draft: PolicyDraft, place: string, settings: CompileSettings = {}): Policy {
  const options = resolvePolicyOptions(draft.options)
  const { throttle, cost, refundOn, hook, failureMode, enforce: { percent } } = options
  const { throttle: sharedThrottle } = resolvePolicyOptions({ throttle: draft.sharedThrottle })
  const context: CompileContext = {
    registration,
    place,
    generation: settings.generation ?? 0,
    penalty: compilePenalty(registration, draft, options, place),
    mayDelay: throttle !== false,
    maxDelayUs: sharedThrottle === false ? 0 : 1000 * requireDurationMs(sharedThrottle.maxDelay, `${place}.throttle.maxDelay`),
    leases: options.leases,
    leaseObstacle: settings.leaseObstacle ?? null,
    concurrency: {
      registration,
      place,
      generation: settings.generation ?? 0,
      mode: options.mode,
      mayDelay: throttle !== false,
      getUsage: settings.getSlotUsage ?? ((_, scope) => new SlotUsage(scope, systemClock))
    }
  }
  const shared = {
    place,
    throttle: throttle === false ? null : { maxQueued: throttle.maxQueued, maxQueuedPerClient: throttle.maxQueuedPerClient },
    refundOn: refundOn === undefined ? null : compileStatuses(refundOn, place),
    hook,
    failureMode,
    keyGenerator: options.keyGenerator ?? null,
    errorResponseBuilder: options.errorResponseBuilder ?? null,
    onExceeding: options.onExceeding ?? null,
    onExceeded: options.onExceeded ?? null,
    onBlocked: options.onBlocked ?? null
  }
  const compileTierLimits = (limits: TierDraft, tier: string | null) => {
    return compileLimits(context, percent === 0 ? asShadow(limits) : limits, tier, cost)
  }
  const compileRollout = (limits: TierDraft, tier: string | null, parent: Policy): Policy['rollout'] => {
    if (percent === 0 || percent === 100) return null
    const shadowLimits = compileLimits(context, asShadow(limits), tier, cost)
    return { share: percent / 100, shadow: { ...shared, ...shadowLimits, throttle: null, rollout: null, tiers: null, parent } }
  }
  const tiers = new Map<string, Policy | null>()
  // The shadow policy and the policies of the tiers refer to it as their parent, so it exists before them.
  const policy: MutablePolicy = {
    ...shared, ...compileTierLimits(draft, null), rollout: null, tiers: draft.tiers.size === 0 ? null : tiers, parent: null
  }
  policy.rollout = compileRollout(draft, null, policy)
  for (const [name, tier] of draft.tiers) {
    tiers.set(name, tier === null
      ? null
      : { ...shared, ...compileTierLimits(tier, name), rollout: compileRollout(tier, name, policy), tiers: null, parent: policy })
  }
  policy.mayQueue ||= [...tiers.values()].some((tier) => tier !== null && tier.mayQueue)
  return policy
}

interface MutablePolicy extends Policy {
  rollout: Policy['rollout']
  mayQueue: boolean
}

function asShadow ({ scope, limits, concurrency }: TierDraft): TierDraft {
  return { scope, limits: limits.map((limit) => ({ ...limit, mode: 'shadow' })), concurrency: asShadowConcurrency(concurrency) }
}

function compileLimits (context: CompileContext, draft: TierDraft, tier: string | null, cost: Policy['cost']) {
  const { scope, limits: drafts } = draft
  const { leases, place, leaseObstacle: obstacle, maxDelayUs } = context
  const concurrency = compileConcurrency(context.concurrency, draft.concurrency)
  const plans = planLeases({ leases, place, obstacle, maxDelayUs, hasConcurrency: concurrency !== null }, drafts)
  const compiled = drafts.map((draft, index) => compileLimit(context, { scope, tier, plan: plans[index] }, draft))
  const limits = compiled.map(({ pair }) => pair.immediate)
  const hasPeriods = drafts.some(({ period }) => period !== null)
  const isDynamic = compiled.some(({ dynamicLimit }) => dynamicLimit !== null)
  const unsettled = drafts.filter(({ refundsUnsettled }) => refundsUnsettled).map(({ name }) => name)
  return {
    scope,
    limits,
    ...compileCosts(drafts, compiled, cost, context.place),
    refundsUnsettled: unsettled.length === 0 ? null : new Set(unsettled),
    unleased: plans.map((plan) => typeof plan === 'string' ? plan : null),
    single: limits.length === 1 && limits[0].by === 'client' && !isDynamic && !hasPeriods ? limits[0] : null,
    delayableLimits: !context.mayDelay ? null : compiled.map(({ pair }) => pair.delayable),
    dynamicLimits: isDynamic ? compiled.map(({ dynamicLimit }) => dynamicLimit) : null,
    isEnforced: limits.some((limit) => limit.mode === 'enforce'),
    hasPeriods,
    hasShadowLimits: limits.some((limit) => limit.mode === 'shadow') || concurrency?.limit.mode === 'shadow',
    concurrency,
    mayQueue: concurrency !== null && concurrency.queue !== null,
    policyField: isDynamic ? null : formatPolicyField(limits)
  }
}

interface LimitContext {
  readonly scope: string
  readonly tier: string | null
  readonly plan: LeasePlan
}

function compileLimit (context: CompileContext, { scope, tier, plan }: LimitContext, draft: LimitDraft): CompiledLimit {
  const { algorithm, max, windowMs, mode } = draft
  if (context.mayDelay && algorithm !== 'token-bucket' && mode === 'enforce') {
    const message = `needs token buckets, and the limit "${draft.name}" is a ${algorithm}; or set throttle: false`
    throw new FST_SLUICE_CONTRADICTION(`${context.place}.throttle`, message)
  }
  const bucketKey = [context.registration, scope, draft.name]
  if (tier !== null) bucketKey.push('tier', tier)
  // A limit in shadow mode must not touch the buckets of the enforced limit with the same name.
  if (mode === 'shadow') bucketKey.push('shadow')
  const isDynamic = typeof max === 'function' || typeof windowMs === 'function'
  // A fixed number may change in the configuration, and the bucket stays.
  const toDynamicNumbers = (units: number, ms: number) => {
    return [typeof max === 'function' ? units : null, typeof windowMs === 'function' ? ms : null]
  }
  const toBucket = (units: number, ms: number) => {
    return JSON.stringify(isDynamic ? [...bucketKey, 'numbers', ...toDynamicNumbers(units, ms)] : bucketKey)
  }
  const lease = typeof plan === 'string' ? null : plan
  const compile: CompileLimitPair = (units, ms) => {
    const quota = computeQuota(draft, units, ms, context.maxDelayUs)
    if (!isExact(quota)) return null
    const { penalty, generation } = context
    const limit = { ...quota, lease, name: draft.name, bucket: toBucket(units, ms), by: draft.by, mode, penalty, generation }
    const immediate = withMaxDelay<Limit>(limit, 0)
    return { immediate, delayable: context.mayDelay && mode === 'enforce' ? limit : immediate }
  }
  const [builtIn] = builtInDraft.limits
  const units = typeof max === 'number' ? max : toStaticNumber(builtIn.max)
  const ms = typeof windowMs === 'number' ? windowMs : toStaticNumber(builtIn.windowMs)
  const pair = compile(units, ms)
  if (pair === null) throw inexactRate(draft, units, ms)
  return { pair, dynamicLimit: isDynamic ? new DynamicLimit(draft, pair, compile) : null }
}

/** The number in place of one that is only known with a request. */
function toStaticNumber (value: LimitDraft['max'] | LimitDraft['windowMs']): number {
  return typeof value === 'number' ? value : 0
}

/** All tiers of a policy share its strikes. */
function compilePenalty (registration: string, draft: PolicyDraft, { penalty }: ResolvedPolicyOptions, place: string): Penalty | null {
  if (penalty === false) return null
  const requireTimeUs = (field: 'within' | 'cooldown' | 'maxCooldown') => {
    return 1000 * requireDurationMs(penalty[field], `${place}.penalty.${field}`)
  }
  const cooldownUs = requireTimeUs('cooldown')
  const withinUs = requireTimeUs('within')
  const maxCooldownUs = requireTimeUs('maxCooldown')
  const { penalty: given } = draft.options
  const hasMaxCooldown = given !== false && given.maxCooldown !== undefined
  const compiled: Penalty = {
    // `null` is no name of a limit, so this is never the bucket of a limit called "penalty".
    bucket: JSON.stringify([registration, draft.scope, null, 'penalty']),
    strikes: penalty.strikes,
    withinUs,
    cooldownUs,
    factor: penalty.factor,
    // A given cooldown may be longer than the default maximum.
    maxCooldownUs: hasMaxCooldown ? maxCooldownUs : Math.max(cooldownUs, maxCooldownUs)
  }
  if (compiled.maxCooldownUs < cooldownUs) {
    throw new FST_SLUICE_CONTRADICTION(`${place}.penalty.maxCooldown`, 'is shorter than the first cooldown')
  }
  if (!isExactPenalty(compiled)) throw badOption(`${place}.penalty`, 'times below 35 years', penalty)
  return compiled
}

/** 17 years. Two such windows fit into the range that is counted exactly. */
const MAX_USUAL_WINDOW_MS = 17 * 365.25 * 86_400_000

/** The error of a rate that cannot be counted exactly, at the option that is too large. */
function inexactRate (draft: LimitDraft, units: number, ms: number): Error {
  const { burst, place } = draft
  if (ms > MAX_USUAL_WINDOW_MS) {
    return new FST_SLUICE_BAD_OPTION(`${place}.timeWindow`, 'a duration of 17 years or less', `${ms} ms`)
  }
  const isBurst = burst !== null && isExact(computeQuota({ ...draft, burst: null }, units, ms))
  const expected = 'a rate that can be counted exactly (below 2^53 steps: a smaller or rounder number)'
  const rate = `${units} per ${ms} ms`
  return new FST_SLUICE_BAD_OPTION(`${place}.${isBurst ? 'burst' : 'max'}`, expected, isBurst ? `${burst} at ${rate}` : rate)
}

function compileStatuses (entries: ReadonlyArray<string | number>, place: string): StatusSet | null {
  const statuses = parseStatuses(entries)
  if ('invalidIndex' in statuses) throw badOption(`${place}.refundOn[${statuses.invalidIndex}]`, statuses.expected, statuses.value)
  return statuses.isEmpty ? null : statuses
}
