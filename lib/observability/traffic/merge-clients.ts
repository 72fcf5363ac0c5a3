import { STEP_MS } from './hour-steps.js'
import { MAX_CLIENTS, orderByTurns } from './top-clients.js'
import type { TrafficSummary } from './traffic-summary.js'
import type { TopClient } from './traffic-views.js'

/**
 * Add up the clients of instances: the busiest and those that exceed most. Where an instance does not list a client, it may
 * have counted it as often as an unlisted one: so no sum is too low (Agarwal and others: Mergeable Summaries, 2012).
 */
export function mergeClients (summaries: readonly TrafficSummary[]): TopClient[] {
  const unlisted = summaries.map(toUnlisted).reduce(addEstimates, { requests: 0, refused: 0, error: 0 })
  const merged = new Map<string, TopClient>()
  for (const summary of summaries) {
    const assumed = toUnlisted(summary)
    for (const [partition, isHashed, requests, refused, error, lastStep] of summary.clients) {
      const sum = merged.get(partition) ?? { partition, isHashed: isHashed === 1, ...unlisted, lastAtMs: 0 }
      const counted = { requests: requests - assumed.requests, refused: refused - assumed.refused, error: error - assumed.error }
      merged.set(partition, { ...sum, ...addEstimates(sum, counted), lastAtMs: Math.max(sum.lastAtMs, lastStep * STEP_MS) })
    }
  }
  return orderByTurns([...merged.values()]).slice(0, MAX_CLIENTS).sort((a, b) => b.requests - a.requests)
}

type Estimates = Pick<TopClient, 'requests' | 'refused' | 'error'>

function toUnlisted ({ unlisted: [requests, refused] }: TrafficSummary): Estimates {
  return { requests, refused, error: Math.max(requests, refused) }
}

function addEstimates (a: Estimates, b: Estimates): Estimates {
  return { requests: a.requests + b.requests, refused: a.refused + b.refused, error: a.error + b.error }
}
