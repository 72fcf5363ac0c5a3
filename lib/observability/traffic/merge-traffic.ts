import type { TrafficSummary } from './traffic-summary.js'
import type { MergedTraffic } from './traffic-views.js'

/** Add up what instances have counted. `nowMs`: milliseconds since 1970; the hour before it is shown. */
export function mergeTraffic (summaries: readonly TrafficSummary[], nowMs: number): MergedTraffic {
  const startMs = (Math.floor(nowMs / 10_000) - 359) * 10_000
  const sampled = Math.max(1, ...summaries.map((summary) => summary.sampled))
  return { outcomes: { startMs, stepMs: 10_000, series: [] }, limits: [], clients: { sampled, top: [] } }
}
