import { isExactPenalty } from '../algorithms/penalty.js'
import { isExact, quotaOf, withPatience } from '../algorithms/quota.js'
import { badOption } from '../config/schema/check.js'
import { DURATION_EXPECTED, durationMs } from '../config/schema/durations.js'
import { FST_SLUICE_BAD_OPTION, FST_SLUICE_CONTRADICTION } from '../errors.js'
import { formatPolicyField } from '../response/ratelimit-draft.js'
import type { Limit, Penalty } from '../stores/store.js'
import type { PolicyDraft, TierDraft } from './draft.js'
import { builtInLimit, type LimitDraft } from './limit-draft.js'
import { LimitMaker, type CompileNumbers, type LimitPair } from './dynamic-limit.js'
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
interface Frame {
  readonly registration: string
  readonly place: string
  readonly generation: number
  readonly penalty: Penalty | null
  /** Whether requests may be held. */
  readonly isPatient: boolean
  /** How long those in line in these buckets may be held, microseconds; 0: nobody is. */
  readonly lineUs: number
}

/**
 * Prepare a policy, and those of its tiers, for the request's path.
 *
 * Throws FST_SLUICE_BAD_OPTION where the arithmetic of a limit would leave 2^53 and where the static cost could never be
 * granted, and FST_SLUICE_CONTRADICTION where a limit that is no token bucket would be throttled.
 */
export function compilePolicy (registration: string, draft: PolicyDraft, place: string, generation = 0): Policy {
  const { cost, hook, failureMode, refundOn, enforce, throttle = false, keyGenerator, errorResponseBuilder, onExceeding, onExceeded, onBlocked } = draft.options
  const { line = false } = draft
  const frame: Frame = {
    registration,
    place,
    generation,
    penalty: compilePenalty(registration, draft, place),
    isPatient: throttle !== false,
    lineUs: line === false ? 0 : 1000 * durationOf(line.maxDelay ?? MAX_DELAY, `${place}.throttle.maxDelay`)
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
  const limitsOf = (limits: TierDraft, tier: string | null) => compileLimits(frame, percent === 0 ? onTrial(limits) : limits, tier, cost)
  const trialOf = (limits: TierDraft, tier: string | null, parent: Policy): Policy['rollout'] => percent === 0 || percent === 100
    ? null
    : { share: percent / 100, trial: { ...shared, ...compileLimits(frame, onTrial(limits), tier, cost), throttle: null, rollout: null, tiers: null, parent } }
  const tiers = new Map<string, Policy | null>()
  // Its trial, and the policies of its tiers, have it as their parent, so it is there before them.
  const policy: Growing = { ...shared, ...limitsOf(draft, null), rollout: null, tiers: draft.tiers.size === 0 ? null : tiers, parent: null }
  policy.rollout = trialOf(draft, null, policy)
  for (const [name, tier] of draft.tiers) {
    tiers.set(name, tier === null ? null : { ...shared, ...limitsOf(tier, name), rollout: trialOf(tier, name, policy), tiers: null, parent: policy })
  }
  return policy
}

interface Growing extends Policy {
  rollout: Policy['rollout']
}

function onTrial (draft: TierDraft): TierDraft {
  return { ...draft, limits: draft.limits.map((limit) => ({ ...limit, mode: 'shadow' })) }
}

function compileLimits (frame: Frame, { scope, limits: drafts }: TierDraft, tier: string | null, cost: Policy['cost']) {
  const compiled = drafts.map((draft) => compileLimit(frame, scope, tier, draft))
  const limits = compiled.map(({ pair }) => pair.prompt)
  const isMade = compiled.some(({ maker }) => maker !== null)
  if (typeof cost === 'number' && !isMade) checkCost(cost, limits, frame.place)
  return {
    scope,
    limits,
    single: limits.length === 1 && limits[0].by === 'client' && !isMade ? limits[0] : null,
    patientLimits: !frame.isPatient ? null : compiled.map(({ pair }) => pair.patient),
    makers: isMade ? compiled.map(({ maker }) => maker) : null,
    isEnforced: limits.some((limit) => limit.mode === 'enforce'),
    hasTrial: limits.some((limit) => limit.mode === 'shadow'),
    policyField: isMade ? null : formatPolicyField(limits)
  }
}

function compileLimit (frame: Frame, scope: string, tier: string | null, draft: LimitDraft): { pair: LimitPair, maker: LimitMaker | null } {
  const { algorithm, max, windowMs, mode } = draft
  if (frame.isPatient && algorithm !== 'token-bucket' && mode === 'enforce') {
    throw new FST_SLUICE_CONTRADICTION(`${frame.place}.throttle`, `needs token buckets, and the limit "${draft.name}" is a ${algorithm}; or set throttle: false`)
  }
  const identity = [frame.registration, scope, draft.name]
  if (tier !== null) identity.push('tier', tier)
  // A limit on trial must not touch the buckets of the enforced limit that bears its name.
  if (mode === 'shadow') identity.push('shadow')
  const isMade = typeof max === 'function' || typeof windowMs === 'function'
  // A number that is written down may change, and the bucket stays.
  const madeOf = (units: number, ms: number) => [typeof max === 'function' ? units : null, typeof windowMs === 'function' ? ms : null]
  const bucketOf = (units: number, ms: number) => JSON.stringify(isMade ? [...identity, 'numbers', ...madeOf(units, ms)] : identity)
  const compile: CompileNumbers = (units, ms) => {
    const quota = quotaOf(algorithm, units, ms * 1000, draft.burst ?? units, frame.lineUs)
    if (!isExact(quota)) return null
    const limit = { ...quota, name: draft.name, bucket: bucketOf(units, ms), by: draft.by, mode, penalty: frame.penalty, generation: frame.generation }
    const prompt = withPatience<Limit>(limit, 0)
    return { prompt, patient: frame.isPatient && mode === 'enforce' ? limit : prompt }
  }
  const [units, ms] = [typeof max === 'number' ? max : numberOf(builtInLimit.max), typeof windowMs === 'number' ? windowMs : numberOf(builtInLimit.windowMs)]
  const pair = compile(units, ms)
  if (pair === null) {
    throw new FST_SLUICE_BAD_OPTION(`${draft.place}.max`, 'a rate that can be counted exactly (below 2^53 steps: a smaller or rounder number)', `${units} per ${ms} ms`)
  }
  return { pair, maker: isMade ? new LimitMaker(draft, pair, compile) : null }
}

/** What stands in for a number that only a request tells. */
function numberOf (value: LimitDraft['max'] | LimitDraft['windowMs']): number {
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
  const timeOf = (field: 'within' | 'cooldown' | 'maxCooldown', builtIn: string) => 1000 * durationOf(penalty[field] ?? builtIn, `${place}.penalty.${field}`)
  const cooldownUs = timeOf('cooldown', COOLDOWN)
  const compiled: Penalty = {
    // No limit's name: a penalty must not be taken for the bucket of a limit that is called so.
    bucket: JSON.stringify([registration, scope, null, 'penalty']),
    strikes: penalty.strikes ?? STRIKES,
    withinUs: timeOf('within', WITHIN),
    cooldownUs,
    factor: penalty.factor ?? FACTOR,
    // A cooldown that is longer by itself means itself.
    maxCooldownUs: penalty.maxCooldown === undefined ? Math.max(cooldownUs, timeOf('maxCooldown', MAX_COOLDOWN)) : timeOf('maxCooldown', MAX_COOLDOWN)
  }
  if (compiled.maxCooldownUs < cooldownUs) throw new FST_SLUICE_CONTRADICTION(`${place}.penalty.maxCooldown`, 'is shorter than the first cooldown')
  if (!isExactPenalty(compiled)) throw badOption(`${place}.penalty`, 'times below 35 years', penalty)
  return compiled
}

function compileStatuses (entries: ReadonlyArray<string | number>, place: string): StatusSet | null {
  const statuses = parseStatuses(entries)
  if ('wrongAt' in statuses) throw badOption(`${place}.refundOn[${statuses.wrongAt}]`, statuses.expected, statuses.value)
  return statuses.isEmpty ? null : statuses
}

function durationOf (value: number | string, place: string): number {
  const ms = durationMs(value)
  if (ms === null) throw badOption(place, DURATION_EXPECTED, value)
  return ms
}
