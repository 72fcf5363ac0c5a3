import { decodeCounts } from './encode-counts.js'
import { findStep, STEP_MS, STEPS } from './hour-steps.js'
import { mergeClients } from './merge-clients.js'
import { mergeLimits } from './merge-limits.js'
import { OTHER } from './outcome-counts.js'
import type { TrafficSummary } from './traffic-summary.js'
import type { MergedTraffic, Outcomes, OutcomeSeries } from './traffic-views.js'

/** Series that are shown; the others are added up. */
const MAX_SERIES = 20

/**
 * Add up what instances have counted. `nowMs`: milliseconds since 1970. The last step is that of `nowMs`: what an instance
 * counted for a later one, because its clock is ahead, is not shown yet.
 */
export function mergeTraffic (summaries: readonly TrafficSummary[], nowMs: number): MergedTraffic {
  return {
    outcomes: mergeOutcomes(summaries, findStep(nowMs) - STEPS + 1),
    limits: mergeLimits(summaries),
    clients: { sampled: Math.max(1, ...summaries.map(({ sampled }) => sampled)), top: mergeClients(summaries) }
  }
}

interface OpenSeries extends OutcomeSeries {
  readonly allowed: number[]
  readonly refused: number[]
  readonly other: number[]
  total: number
}

function mergeOutcomes (summaries: readonly TrafficSummary[], first: number): Outcomes {
  const merged = new Map<string, OpenSeries>()
  for (const { step, series } of summaries) {
    const shift = step - STEPS + 1 - first
    for (const [route, tier, allowed, refused, other] of series) {
      const key = JSON.stringify([route, tier])
      const sum = merged.get(key) ?? createSeries(route, tier)
      merged.set(key, sum)
      sum.total += addShifted(sum.allowed, allowed, shift) + addShifted(sum.refused, refused, shift) + addShifted(sum.other, other, shift)
    }
  }
  const key = JSON.stringify([OTHER, OTHER])
  const rest = merged.get(key) ?? createSeries(OTHER, OTHER)
  merged.delete(key)
  const sorted = [...merged.values()].filter(({ total }) => total > 0).sort((a, b) => b.total - a.total)
  for (const one of sorted.splice(MAX_SERIES)) addSeries(rest, one)
  const shown = rest.total > 0 ? [...sorted, rest] : sorted
  return {
    startMs: first * STEP_MS,
    stepMs: STEP_MS,
    series: shown.map(({ route, tier, allowed, refused, other }) => ({ route, tier, allowed, refused, other }))
  }
}

function createSeries (route: string, tier: string): OpenSeries {
  const createCounts = () => new Array<number>(STEPS).fill(0)
  return { route, tier, allowed: createCounts(), refused: createCounts(), other: createCounts(), total: 0 }
}

/** Returns the sum of what was added. */
function addShifted (sum: number[], text: string, shift: number): number {
  if (text === '') return 0
  return decodeCounts(text, STEPS).reduce((total, count, index) => {
    const at = index + shift
    if (at < 0 || at >= STEPS) return total
    sum[at] += count
    return total + count
  }, 0)
}

function addSeries (sum: OpenSeries, { allowed, refused, other, total }: OpenSeries): void {
  allowed.forEach((count, index) => { sum.allowed[index] += count })
  refused.forEach((count, index) => { sum.refused[index] += count })
  other.forEach((count, index) => { sum.other[index] += count })
  sum.total += total
}
