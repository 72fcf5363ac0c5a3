import type { Span } from './outages.js'

/** Units that were charged at some moment of a time. */
export interface Charge extends Span {
  readonly units: number
}

/** The clock of the store and the monotonic one differ by less than this share: the system adjusts one of them. */
export const DRIFT = 5e-4

/** The place of the first number that is not below this one, in ascending numbers. */
export function lowerBound (numbers: ArrayLike<number>, number: number): number {
  let low = 0
  let high = numbers.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (numbers[middle] < number) low = middle + 1
    else high = middle
  }
  return low
}

/** The sum of the units before each place. */
export function sums (charges: readonly Charge[]): Float64Array {
  const total = new Float64Array(charges.length + 1)
  for (const [i, { units }] of charges.entries()) total[i + 1] = total[i] + units
  return total
}

/** The units of charges that may have been made after the one time and before the other. */
export function countOpen (charges: readonly Charge[]): (fromUs: number, untilUs: number) => number {
  const byStart = [...charges].sort((a, b) => a.fromUs - b.fromUs)
  const byEnd = [...charges].sort((a, b) => a.untilUs - b.untilUs)
  const starts = Float64Array.from(byStart, ({ fromUs }) => fromUs)
  const ends = Float64Array.from(byEnd, ({ untilUs }) => untilUs)
  const unitsByStart = sums(byStart)
  const unitsByEnd = sums(byEnd)
  return (fromUs, untilUs) => unitsByStart[lowerBound(starts, untilUs + 1)] - unitsByEnd[lowerBound(ends, fromUs + 1)]
}
