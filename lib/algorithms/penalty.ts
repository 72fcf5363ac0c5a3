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
export interface Conduct {
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
const MOST_LEVELS = 100

export function emptyConduct (): Conduct {
  return { startUs: 0, strikes: 0, level: 0, quietFromUs: 0, blockUs: 0 }
}

/**
 * Bring a conduct to now: what is over is forgotten, and every full `withinUs` of quiet takes one level off.
 *
 * Answers whether it must be stored, though nothing happened: a time that a clock, stepping back, left in the future, or
 * a block longer than the rule's longest, would else begin anew at each look.
 */
export function settleConduct (rule: PenaltyRule, conduct: Conduct, nowUs: number): boolean {
  const longestUs = Math.min(conduct.blockUs, rule.maxCooldownUs)
  const isAhead = conduct.startUs > nowUs || conduct.quietFromUs - nowUs > longestUs
  if (isAhead) {
    conduct.startUs = Math.min(conduct.startUs, nowUs)
    conduct.quietFromUs = Math.min(conduct.quietFromUs, nowUs + longestUs)
  }
  if (nowUs - conduct.startUs >= rule.withinUs) conduct.strikes = 0
  if (conduct.quietFromUs <= nowUs) {
    const forgiven = Math.min(conduct.level, Math.floor((nowUs - conduct.quietFromUs) / rule.withinUs))
    conduct.level -= forgiven
    conduct.quietFromUs += forgiven * rule.withinUs
    conduct.blockUs = 0
  }
  return isAhead
}

/** How long a settled conduct is still blocked; 0: it is not. */
export function blockedUs (conduct: Conduct, nowUs: number): number {
  return Math.max(0, conduct.quietFromUs - nowUs)
}

/** Count strikes, 1 or more, of a settled conduct that is not blocked. Answers whether they begin a block. */
export function strike (rule: PenaltyRule, conduct: Conduct, strikes: number, nowUs: number): boolean {
  if (conduct.strikes === 0) conduct.startUs = nowUs
  conduct.strikes += strikes
  conduct.quietFromUs = nowUs
  if (conduct.strikes < rule.strikes) return false
  conduct.strikes = 0
  conduct.blockUs = cooldownUs(rule, conduct.level)
  conduct.quietFromUs += conduct.blockUs
  // A level that makes no block longer would only be forgiven later.
  if (rule.factor > 1 && conduct.blockUs < rule.maxCooldownUs && conduct.level < MOST_LEVELS) conduct.level++
  return true
}

/** Until a settled conduct says no more than an empty one; 0 where it does already. */
export function conductLifeUs (rule: PenaltyRule, conduct: Conduct, nowUs: number): number {
  const strikesUs = conduct.strikes === 0 ? 0 : conduct.startUs + rule.withinUs - nowUs
  const levelsUs = conduct.quietFromUs + conduct.level * rule.withinUs - nowUs
  return Math.max(0, strikesUs, levelsUs)
}

/** Whether every time that a rule can lead to is an exact integer, with room for an instant: see `isExact` of a quota. */
export function isExactPenalty ({ withinUs, cooldownUs, maxCooldownUs }: PenaltyRule): boolean {
  return Math.max(cooldownUs, maxCooldownUs) + MOST_LEVELS * withinUs <= LONGEST_US
}

const LONGEST_US = 2 ** 50

/** `cooldown * factor^level`, multiplied step by step: the powers of two languages differ in their last bits. */
function cooldownUs (rule: PenaltyRule, level: number): number {
  let us = rule.cooldownUs
  for (let step = 0; step < level && us < rule.maxCooldownUs; step++) us *= rule.factor
  return Math.min(rule.maxCooldownUs, Math.floor(us))
}
