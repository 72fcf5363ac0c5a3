// Whether a request was refused that had to be granted, whenever between their two times all requests were decided.
import type { Decision } from '../history.js'
import type { LimitPromise } from '../promises.js'
import type { Span } from './outages.js'
import { countOpen, DRIFT, type Charge } from './charges.js'

/** A sliding window may keep a unit longer by this share of it: its log has so many entries. */
const MERGED = 1 / 128

export interface Refusal extends Span {
  readonly cost: number
  readonly decision: Decision
}

/** What may have been used of one bucket. */
export interface Usage {
  readonly limit: LimitPromise
  /** All charges that may have been made. */
  readonly charges: readonly Charge[]
  /** Charges of refused requests that were given back at the end of their time. */
  readonly returned: readonly Charge[]
}

/** Whether a refusal can be right: the bucket may have had too little. Ask in the order of `fromUs`. */
export type Excuse = (refusal: Refusal) => boolean

export function createExcuse (usage: Usage): Excuse {
  const wasCharged = countOpen(usage.charges)
  const wasReturned = countOpen(usage.returned)
  const own = ({ cost }: Refusal) => usage.returned.length === 0 ? 0 : cost
  const { limit } = usage
  if (limit.algorithm !== 'token-bucket') {
    const keptUs = limit.windowUs * (limit.algorithm === 'sliding-window' ? 1 + MERGED + DRIFT : 1 + DRIFT)
    return (refusal) => {
      const { fromUs, untilUs, cost } = refusal
      return wasCharged(fromUs - keptUs, untilUs) + wasReturned(fromUs, untilUs) - own(refusal) + cost > limit.max
    }
  }
  const levelAt = createLevel(limit, usage.charges)
  const rate = (limit.least?.max ?? limit.max) / limit.windowUs
  const room = (limit.least?.burst ?? limit.burst) + rate * (limit.maxDelayUs ?? 0)
  return (refusal) => {
    const { fromUs, untilUs, cost } = refusal
    const used = levelAt(fromUs) + wasCharged(fromUs, untilUs) + wasReturned(fromUs, untilUs) - own(refusal)
    return used + cost > room * (1 - 2 * DRIFT) - 0.05
  }
}

/** The most units that a bucket can have counted as used, by the charges that ended before a time. */
function createLevel (limit: LimitPromise, charges: readonly Charge[]): (atUs: number) => number {
  const byEnd = [...charges].sort((a, b) => a.untilUs - b.untilUs)
  const drainPerUs = (limit.least?.max ?? limit.max) / limit.windowUs * (1 - DRIFT)
  // No charge is granted beyond this.
  const full = limit.burst + limit.max / limit.windowUs * (limit.maxDelayUs ?? 0)
  let level = 0
  let levelUs = -Infinity
  let next = 0
  const drain = (atUs: number) => {
    level = Math.max(0, level - (atUs - levelUs) * drainPerUs)
    levelUs = atUs
  }
  return (atUs) => {
    for (; next < byEnd.length && byEnd[next].untilUs <= atUs; next++) {
      drain(byEnd[next].untilUs)
      level = Math.min(full, level + byEnd[next].units)
    }
    drain(Math.max(atUs, levelUs))
    return level
  }
}
