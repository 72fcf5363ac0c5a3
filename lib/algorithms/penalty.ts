/*
 * Progressive cooldown: so many strikes in a time block a partition for a while, and each block that follows is longer,
 * until the partition has stayed quiet for long enough.
 */

/** What strikes earn. Times are whole microseconds, 1 or more. */
export interface PenaltyRule {
  /** Strikes that begin a block, 1 or more. */
  readonly strikes: number
  /** The time in which they count, from the first of them; and the quiet time that takes one level off. */
  readonly withinUs: number
  /** How long the first block lasts. */
  readonly cooldownUs: number
  /** How much longer each further block is than the one before, 1 or more. */
  readonly factor: number
  readonly maxCooldownUs: number
}

/** How a partition stands under a penalty. All are integers. */
export interface PenaltyState {
  /** When the first of `strikes` came. */
  startUs: number
  strikes: number
  /** Blocks that make the next one longer. */
  level: number
  /** The end of the last block, or the last strike since: quiet time counts from here. */
  quietFromUs: number
  /** How long the block is that ends at `quietFromUs`; 0 where the quiet began with a strike. */
  blockUs: number
}

/** Levels are bounded, so that forgiveness is: by then a factor of 1.1 has made nine days of a minute. */
const MAX_LEVELS = 100

export function createPenaltyState (): PenaltyState {
  return { startUs: 0, strikes: 0, level: 0, quietFromUs: 0, blockUs: 0 }
}

/**
 * Bring a conduct to now: what is over is forgotten, and every full `withinUs` of quiet takes one level off.
 *
 * Answers whether it must be stored, though nothing happened: a time that a clock, stepping back, left in the future, or
 * a block longer than the rule's longest, would else begin anew at each look.
 */
export function advancePenalty (rule: PenaltyRule, state: PenaltyState, nowUs: number): boolean {
  const longestUs = Math.min(state.blockUs, rule.maxCooldownUs)
  const isAhead = state.startUs > nowUs || state.quietFromUs - nowUs > longestUs
  if (isAhead) {
    state.startUs = Math.min(state.startUs, nowUs)
    state.quietFromUs = Math.min(state.quietFromUs, nowUs + longestUs)
  }
  if (nowUs - state.startUs >= rule.withinUs) state.strikes = 0
  if (state.quietFromUs <= nowUs) {
    const droppedLevels = Math.min(state.level, Math.floor((nowUs - state.quietFromUs) / rule.withinUs))
    state.level -= droppedLevels
    state.quietFromUs += droppedLevels * rule.withinUs
    state.blockUs = 0
  }
  return isAhead
}

/** How long a settled conduct is still blocked; 0: it is not. */
export function blockedUs (state: PenaltyState, nowUs: number): number {
  return Math.max(0, state.quietFromUs - nowUs)
}

/** Count strikes, 1 or more, of a settled conduct that is not blocked. Answers whether they begin a block. */
export function strike (rule: PenaltyRule, state: PenaltyState, strikes: number, nowUs: number): boolean {
  if (state.strikes === 0) state.startUs = nowUs
  state.strikes += strikes
  state.quietFromUs = nowUs
  if (state.strikes < rule.strikes) return false
  state.strikes = 0
  state.blockUs = cooldownUs(rule, state.level)
  state.quietFromUs += state.blockUs
  // A level that makes no block longer would only be forgiven later.
  if (rule.factor > 1 && state.blockUs < rule.maxCooldownUs && state.level < MAX_LEVELS) state.level++
  return true
}

/** Until a settled conduct says no more than an empty one; 0 where it does already. */
export function penaltyTtlUs (rule: PenaltyRule, state: PenaltyState, nowUs: number): number {
  const strikesUs = state.strikes === 0 ? 0 : state.startUs + rule.withinUs - nowUs
  const levelsUs = state.quietFromUs + state.level * rule.withinUs - nowUs
  return Math.max(0, strikesUs, levelsUs)
}

/** Whether every time that a rule can lead to is an exact integer, with room for an instant: see `isExact` of a quota. */
export function isExactPenalty ({ withinUs, cooldownUs, maxCooldownUs }: PenaltyRule): boolean {
  return Math.max(cooldownUs, maxCooldownUs) + MAX_LEVELS * withinUs <= MAX_TIME_US
}

const MAX_TIME_US = 2 ** 50

/** `cooldown * factor^level`, multiplied step by step: the powers of two languages differ in their last bits. */
function cooldownUs (rule: PenaltyRule, level: number): number {
  let us = rule.cooldownUs
  for (let step = 0; step < level && us < rule.maxCooldownUs; step++) us *= rule.factor
  return Math.min(rule.maxCooldownUs, Math.floor(us))
}
