import { isExactPenalty } from '../algorithms/penalty.js'
import { isExact, createQuota, withMaxDelay } from '../algorithms/quota.js'
import { badOption } from '../config/schema/check.js'
import { DURATION_EXPECTED, durationMs } from '../config/schema/durations.js'
import { FST_SLUICE_BAD_OPTION, FST_SLUICE_CONTRADICTION } from '../errors.js'
import { formatPolicyField } from '../response/ratelimit-draft.js'
import type { Limit, Penalty } from '../stores/store.js'
import type { PolicyDraft, TierDraft } from './policy-draft.js'
import { builtInLimit, type LimitDraft } from './limit-draft.js'
import { DynamicLimit, type CompileLimitPair, type LimitPair } from './dynamic-limit.js'
import type { Policy } from './policy.js'
import { parseStatuses, type StatusSet } from './status-set.js'

const MAX_DELAY = '2s'
const MAX_QUEUED = 1000
const MAX_QUEUED_PER_CLIENT = 100
const STRIKES = 5
const WITHIN = '10 minutes'
const COOLDOWN = '1 minute'
const FACTOR = 2
const MAX_COOLDOWN = '1 hour'

/** What is the same for a policy and its tiers. */
interface CompileContext {
  readonly registration: string
  readonly place: string
  readonly generation: number
  readonly penalty: Penalty | null
  /** Whether requests may be held. */
  readonly mayDelay: boolean
  /** How long those in line in these buckets may be held, microseconds; 0: nobody is. */
  readonly maxDelayUs: number
}

/**
 * Prepare a policy, and those of its tiers, for the request's path.
 *
 * Throws FST_SLUICE_BAD_OPTION where the arithmetic of a limit would leave 2^53 and where the static cost could never be
 * granted, and FST_SLUICE_CONTRADICTION where a limit that is no token bucket would be throttled.
 */
export function compilePolicy (registration: string, draft: PolicyDraft, place: string, generation = 0): Policy {
  const { cost, hook, failureMode, refundOn, enforce, throttle = false, keyGenerator, errorResponseBuilder, onExceeding, onExceeded, onBlocked } = draft.options
  const { sharedThrottle = false } = draft
  const context: CompileContext = {
    registration,
    place,
    generation,
    penalty: compilePenalty(registration, draft, place),
    mayDelay: throttle !== false,
    maxDelayUs: sharedThrottle === false ? 0 : 1000 * requireDurationMs(sharedThrottle.maxDelay ?? MAX_DELAY, `${place}.throttle.maxDelay`)
  }
  const shared = {
    place,
    throttle: throttle === false ? null : { maxQueued: throttle.maxQueued ?? MAX_QUEUED, maxQueuedPerClient: throttle.maxQueuedPerClient ?? MAX_QUEUED_PER_CLIENT },
    cost,
    refundOn: refundOn === undefined ? null : compileStatuses(refundOn, place),
    hook,
    failureMode,
    keyGenerator: keyGenerator ?? null,
    errorResponseBuilder: errorResponseBuilder ?? null,
    onExceeding: onExceeding ?? null,
    onExceeded: onExceeded ?? null,
    onBlocked: onBlocked ?? null
  }
  const percent = enforce?.percent ?? 100
  const compileTierLimits = (limits: TierDraft, tier: string | null) => compileLimits(context, percent === 0 ? asShadow(limits) : limits, tier, cost)
  const compileRollout = (limits: TierDraft, tier: string | null, parent: Policy): Policy['rollout'] => percent === 0 || percent === 100
    ? null
    : { share: percent / 100, shadow: { ...shared, ...compileLimits(context, asShadow(limits), tier, cost), throttle: null, rollout: null, tiers: null, parent } }
  const tiers = new Map<string, Policy | null>()
  // Its trial, and the policies of its tiers, have it as their parent, so it is there before them.
  const policy: MutablePolicy = { ...shared, ...compileTierLimits(draft, null), rollout: null, tiers: draft.tiers.size === 0 ? null : tiers, parent: null }
  policy.rollout = compileRollout(draft, null, policy)
  for (const [name, tier] of draft.tiers) {
    tiers.set(name, tier === null ? null : { ...shared, ...compileTierLimits(tier, name), rollout: compileRollout(tier, name, policy), tiers: null, parent: policy })
  }
  return policy
}

interface MutablePolicy extends Policy {
  rollout: Policy['rollout']
}

function asShadow (draft: TierDraft): TierDraft {
  return { ...draft, limits: draft.limits.map((limit) => ({ ...limit, mode: 'shadow' })) }
}

function compileLimits (context: CompileContext, { scope, limits: drafts }: TierDraft, tier: string | null, cost: Policy['cost']) {
  const compiled = drafts.map((draft) => compileLimit(context, scope, tier, draft))
  const limits = compiled.map(({ pair }) => pair.immediate)
  const isDynamic = compiled.some(({ dynamicLimit }) => dynamicLimit !== null)
  if (typeof cost === 'number' && !isDynamic) checkCost(cost, limits, context.place)
  return {
    scope,
    limits,
    single: limits.length === 1 && limits[0].by === 'client' && !isDynamic ? limits[0] : null,
    delayableLimits: !context.mayDelay ? null : compiled.map(({ pair }) => pair.delayable),
    dynamicLimits: isDynamic ? compiled.map(({ dynamicLimit }) => dynamicLimit) : null,
    isEnforced: limits.some((limit) => limit.mode === 'enforce'),
    hasShadowLimits: limits.some((limit) => limit.mode === 'shadow'),
    policyField: isDynamic ? null : formatPolicyField(limits)
  }
}

function compileLimit (context: CompileContext, scope: string, tier: string | null, draft: LimitDraft): { pair: LimitPair, dynamicLimit: DynamicLimit | null } {
  const { algorithm, max, windowMs, mode } = draft
  if (context.mayDelay && algorithm !== 'token-bucket' && mode === 'enforce') {
    throw new FST_SLUICE_CONTRADICTION(`${context.place}.throttle`, `needs token buckets, and the limit "${draft.name}" is a ${algorithm}; or set throttle: false`)
  }
  const bucketKey = [context.registration, scope, draft.name]
  if (tier !== null) bucketKey.push('tier', tier)
  // A limit on trial must not touch the buckets of the enforced limit that bears its name.
  if (mode === 'shadow') bucketKey.push('shadow')
  const isDynamic = typeof max === 'function' || typeof windowMs === 'function'
  // A number that is written down may change, and the bucket stays.
  const toDynamicNumbers = (units: number, ms: number) => [typeof max === 'function' ? units : null, typeof windowMs === 'function' ? ms : null]
  const toBucket = (units: number, ms: number) => JSON.stringify(isDynamic ? [...bucketKey, 'numbers', ...toDynamicNumbers(units, ms)] : bucketKey)
  const compile: CompileLimitPair = (units, ms) => {
    const quota = createQuota(algorithm, units, ms * 1000, draft.burst ?? units, context.maxDelayUs)
    if (!isExact(quota)) return null
    const limit = { ...quota, name: draft.name, bucket: toBucket(units, ms), by: draft.by, mode, penalty: context.penalty, generation: context.generation }
    const immediate = withMaxDelay<Limit>(limit, 0)
    return { immediate, delayable: context.mayDelay && mode === 'enforce' ? limit : immediate }
  }
  const [units, ms] = [typeof max === 'number' ? max : toStaticNumber(builtInLimit.max), typeof windowMs === 'number' ? windowMs : toStaticNumber(builtInLimit.windowMs)]
  const pair = compile(units, ms)
  if (pair === null) {
    throw new FST_SLUICE_BAD_OPTION(`${draft.place}.max`, 'a rate that can be counted exactly (below 2^53 steps: a smaller or rounder number)', `${units} per ${ms} ms`)
  }
  return { pair, dynamicLimit: isDynamic ? new DynamicLimit(draft, pair, compile) : null }
}

/** What stands in for a number that only a request tells. */
function toStaticNumber (value: LimitDraft['max'] | LimitDraft['windowMs']): number {
  return typeof value === 'number' ? value : 0
}

function checkCost (cost: number, limits: readonly Limit[], place: string): void {
  for (const limit of limits) {
    if (limit.max > 0 && cost > limit.capacity) {
      throw badOption(`${place}.cost`, `at most ${limit.capacity}, the capacity of the limit "${limit.name}"`, cost)
    }
  }
}

/** The strikes of a policy's tiers count together. */
function compilePenalty (registration: string, { scope, options: { penalty = false } }: PolicyDraft, place: string): Penalty | null {
  if (penalty === false) return null
  const requireTimeUs = (field: 'within' | 'cooldown' | 'maxCooldown', builtIn: string) => 1000 * requireDurationMs(penalty[field] ?? builtIn, `${place}.penalty.${field}`)
  const cooldownUs = requireTimeUs('cooldown', COOLDOWN)
  const compiled: Penalty = {
    // No limit's name: a penalty must not be taken for the bucket of a limit that is called so.
    bucket: JSON.stringify([registration, scope, null, 'penalty']),
    strikes: penalty.strikes ?? STRIKES,
    withinUs: requireTimeUs('within', WITHIN),
    cooldownUs,
    factor: penalty.factor ?? FACTOR,
    // A cooldown that is longer by itself means itself.
    maxCooldownUs: penalty.maxCooldown === undefined ? Math.max(cooldownUs, requireTimeUs('maxCooldown', MAX_COOLDOWN)) : requireTimeUs('maxCooldown', MAX_COOLDOWN)
  }
  if (compiled.maxCooldownUs < cooldownUs) throw new FST_SLUICE_CONTRADICTION(`${place}.penalty.maxCooldown`, 'is shorter than the first cooldown')
  if (!isExactPenalty(compiled)) throw badOption(`${place}.penalty`, 'times below 35 years', penalty)
  return compiled
}

function compileStatuses (entries: ReadonlyArray<string | number>, place: string): StatusSet | null {
  const statuses = parseStatuses(entries)
  if ('invalidIndex' in statuses) throw badOption(`${place}.refundOn[${statuses.invalidIndex}]`, statuses.expected, statuses.value)
  return statuses.isEmpty ? null : statuses
}

function requireDurationMs (value: number | string, place: string): number {
  const ms = durationMs(value)
  if (ms === null) throw badOption(place, DURATION_EXPECTED, value)
  return ms
}
