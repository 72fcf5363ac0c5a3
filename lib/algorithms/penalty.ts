/*
 * Progressive cooldown: a number of strikes within a time blocks a partition. Each further block is longer, until the
 * partition has had no strikes for long enough.
 */

/** When strikes block a partition, and for how long. Times are whole microseconds, 1 or more. */
export interface PenaltyRule {
  /** Strikes that start a block, 1 or more. */
  readonly strikes: number
  /** How long strikes count, from the first of them. Also the quiet time that removes one level. */
  readonly withinUs: number
  /** Length of the first block. */
  readonly cooldownUs: number
  /** Each further block is this many times as long as the one before, 1 or more. */
  readonly factor: number
  readonly maxCooldownUs: number
}

/** The state of a partition under a penalty. All numbers are integers. */
export interface PenaltyState {
  /** Time of the first of `strikes`. */
  startUs: number
  strikes: number
  /** Earlier blocks that make the next one longer. */
  level: number
  /** The end of the last block, or the last strike after it. Quiet time is counted from here. */
  quietFromUs: number
  /** Length of the block that ends at `quietFromUs`; 0 if a strike set `quietFromUs`. */
  blockUs: number
}

/** Levels are bounded, so that they all expire in bounded time. At this level a factor of 1.1 turns a minute into nine days. */
const MAX_LEVELS = 100

export function createPenaltyState (): PenaltyState {
  return { startUs: 0, strikes: 0, level: 0, quietFromUs: 0, blockUs: 0 }
}

/**
 * Advance a state to now: drop expired strikes, and remove one level for every full `withinUs` without a strike.
 *
 * Returns whether the state must be stored although no strike was added. There are two such cases: a clock stepped back
 * and left a time in the future, or a block is longer than the rule allows. Unless the state is stored, each read
 * restarts the block.
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

/** How long an advanced state still blocks the partition; 0 if it does not. */
export function blockedUs (state: PenaltyState, nowUs: number): number {
  return Math.max(0, state.quietFromUs - nowUs)
}

/** Add strikes, 1 or more, to an advanced state that is not blocked. Returns whether they start a block. */
export function strike (rule: PenaltyRule, state: PenaltyState, strikes: number, nowUs: number): boolean {
  if (state.strikes === 0) state.startUs = nowUs
  state.strikes += strikes
  state.quietFromUs = nowUs
  if (state.strikes < rule.strikes) return false
  state.strikes = 0
  state.blockUs = cooldownUs(rule, state.level)
  state.quietFromUs += state.blockUs
  // A level that makes no block longer would only take time to expire.
  if (rule.factor > 1 && state.blockUs < rule.maxCooldownUs && state.level < MAX_LEVELS) state.level++
  return true
}

/** Time until an advanced state is equal to an empty one; 0 if it is already. */
export function penaltyTtlUs (rule: PenaltyRule, state: PenaltyState, nowUs: number): number {
  const strikesUs = state.strikes === 0 ? 0 : state.startUs + rule.withinUs - nowUs
  const levelsUs = state.quietFromUs + state.level * rule.withinUs - nowUs
  return Math.max(0, strikesUs, levelsUs)
}

/** Whether every time that a rule can produce is an exact integer, with room for an instant: see `isExact` of a quota. */
export function isExactPenalty ({ withinUs, cooldownUs, maxCooldownUs }: PenaltyRule): boolean {
  return Math.max(cooldownUs, maxCooldownUs) + MAX_LEVELS * withinUs <= MAX_TIME_US
}

const MAX_TIME_US = 2 ** 50

/** `cooldown * factor^level`, multiplied step by step: the power functions of Lua and JavaScript differ in the last bits. */
function cooldownUs (rule: PenaltyRule, level: number): number {
  let us = rule.cooldownUs
  for (let step = 0; step < level && us < rule.maxCooldownUs; step++) us *= rule.factor
  return Math.min(rule.maxCooldownUs, Math.floor(us))
}
