// Whether more was granted than promised, whenever between its two times each request was decided.
import { neededBurst } from '../../fixtures/needed-burst.js'
import type { LimitPromise } from '../promises.js'
import { countOpen, DRIFT, lowerBound, sums, type Charge } from './charges.js'
import type { Loss, Span } from './outages.js'

/** A time with more units than promised. */
export interface Excess extends Span {
  readonly units: number
  readonly allowed: number
}

const ROUNDING = 0.05

/** What was granted for one bucket, and what may excuse more. */
export interface Grants {
  readonly limit: LimitPromise
  /** Charges that were surely made. */
  readonly sure: readonly Charge[]
  /** Charges that may have been made. A window may begin with one of them. */
  readonly possible: readonly Charge[]
  readonly losses: readonly Loss[]
  /** Charges that were given back. One that was on its way when a time begins may excuse as much in it. */
  readonly returned: readonly Charge[]
  /** How many budgets there are: 2 for an instance that may also decide by itself. */
  readonly budgets: number
}

/** The first time in which too much was granted, as short as can be; `null` if the promise was kept. */
export function findExcess (grants: Grants): Excess | null {
  if (grants.sure.length === 0) return null
  switch (grants.limit.algorithm) {
    case 'token-bucket': return findBucketExcess(grants)
    case 'sliding-window': return findSlidingExcess(grants)
    case 'fixed-window': return findFixedExcess(grants)
    default: return grants.limit.algorithm satisfies never
  }
}

/**
 * After a loss, a bucket is full. So time seems to make a leap in which one burst drains. Requests that were held have their
 * units already, and pass beside the new burst. While two servers decide, time seems to run twice as fast.
 */
function findBucketExcess ({ limit, sure, losses, returned, budgets }: Grants): Excess | null {
  const rate = budgets * limit.max / limit.windowUs * (1 + DRIFT)
  const burst = budgets * limit.burst
  const heldUs = limit.maxDelayUs ?? 0
  const leapUs = burst / rate + heldUs
  const begins = losses.map(({ fromUs }) => fromUs)
  const ends = losses.map(({ untilUs }) => untilUs + heldUs + (limit.leaseUs ?? 0)).sort((a, b) => a - b)
  const splits = losses.filter(({ isSplit }) => isSplit)
  const splitUs = (atUs: number) => splits.reduce((sum, { fromUs, untilUs }) => sum + Math.max(0, Math.min(atUs, untilUs) - fromUs), 0)
  const onTheWay = countOpen(returned)
  const leapt = sure.map((charge) => ({
    fromUs: charge.fromUs + lowerBound(ends, charge.fromUs) * leapUs + splitUs(charge.fromUs) - onTheWay(charge.fromUs, charge.fromUs) / rate,
    untilUs: charge.untilUs + lowerBound(begins, charge.untilUs + 1) * leapUs + splitUs(charge.untilUs),
    units: charge.units,
    charge
  }))
  if (neededBurst(leapt, rate) <= burst + ROUNDING) return null
  // Rare: so the search may be slow.
  const byStart = leapt.sort((a, b) => b.fromUs - a.fromUs)
  for (const last of [...leapt].sort((a, b) => a.untilUs - b.untilUs)) {
    let units = 0
    for (const first of byStart) {
      if (first.untilUs > last.untilUs) continue
      units += first.units
      const allowed = burst + rate * (last.untilUs - first.fromUs)
      if (units > allowed + ROUNDING) return { fromUs: first.charge.fromUs, untilUs: last.charge.untilUs, units, allowed }
    }
  }
  return null
}

function findSlidingExcess ({ limit, sure, losses, budgets }: Grants): Excess | null {
  const windowUs = limit.windowUs * (1 - DRIFT)
  // A request that took longer than a window proves nothing.
  const short = sure.filter(({ fromUs, untilUs }) => untilUs - fromUs < windowUs)
  const byStart = [...short].sort((a, b) => a.fromUs - b.fromUs)
  const byEnd = [...short].sort((a, b) => a.untilUs - b.untilUs)
  const ends = byEnd.map(({ untilUs }) => untilUs)
  const unitsByEnd = sums(byEnd)
  const unitsByStart = sums(byStart)
  for (const [i, { fromUs }] of byStart.entries()) {
    // All that began earlier also ended before the end of this window.
    const units = unitsByEnd[lowerBound(ends, fromUs + windowUs)] - unitsByStart[i]
    const lost = losses.filter((loss) => loss.fromUs <= fromUs + windowUs && loss.untilUs >= fromUs).length
    const allowed = budgets * limit.max * (1 + lost)
    if (units > allowed) return { fromUs, untilUs: fromUs + windowUs, units, allowed }
  }
  return null
}

/**
 * A window begins with its first unit. So the first begins between two known times, and the next after its end with the next
 * unit, again between two times. What lies surely after the end of the one before, and before its own end, counts.
 */
function findFixedExcess ({ limit, sure, possible, losses, budgets }: Grants): Excess | null {
  const byStart = [...sure].sort((a, b) => a.fromUs - b.fromUs)
  const starts = byStart.map(({ fromUs }) => fromUs)
  const firstEnds = suffixMinimum(byStart.map(({ untilUs }) => untilUs))
  const all = [...sure, ...possible].sort((a, b) => a.untilUs - b.untilUs)
  const ends = all.map(({ untilUs }) => untilUs)
  const firstStarts = suffixMinimum(all.map(({ fromUs }) => fromUs))
  const windowUs = limit.windowUs * (1 - DRIFT)
  const allowed = budgets * limit.max
  const borders = [{ fromUs: -Infinity, untilUs: -Infinity }, ...losses]
  let lastUs = Infinity
  for (const [i, border] of borders.entries()) {
    const endUs = borders[i + 1]?.fromUs ?? Infinity
    // The earliest and the latest time at which the window may begin, and when the one before is surely over. After a loss, a
    // window begins, or the last one goes on.
    let fromUs = Math.min(lastUs, Math.max(border.fromUs, firstStarts[lowerBound(ends, border.fromUs)]))
    let sinceUs = border.untilUs
    let untilUs = firstEnds[lowerBound(starts, sinceUs)]
    while (untilUs < endUs) {
      const windowEndUs = Math.min(fromUs + windowUs, endUs)
      const first = lowerBound(starts, sinceUs)
      let units = 0
      for (let at = first; at < starts.length && starts[at] < windowEndUs; at++) {
        if (byStart[at].untilUs < windowEndUs) units += byStart[at].units
      }
      if (units > allowed) return { fromUs: starts[first], untilUs: windowEndUs, units, allowed }
      lastUs = fromUs
      fromUs = Math.max(fromUs + windowUs, firstStarts[lowerBound(ends, fromUs + windowUs)])
      sinceUs = untilUs + limit.windowUs * (1 + DRIFT)
      untilUs = firstEnds[lowerBound(starts, sinceUs)]
    }
  }
  return null
}

/** The minimum of the numbers from each place on; at the end, infinity. */
function suffixMinimum (numbers: readonly number[]): Float64Array {
  const least = new Float64Array(numbers.length + 1).fill(Infinity)
  for (let at = numbers.length - 1; at >= 0; at--) least[at] = Math.min(numbers[at], least[at + 1])
  return least
}
