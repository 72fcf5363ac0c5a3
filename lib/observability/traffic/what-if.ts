import { createQuota, isExact } from '../../algorithms/quota.js'
import { createMemoryStore } from '../../stores/memory/store.js'
import type { Limit } from '../../stores/store.js'
import { MAX_SAMPLED, type RequestSample, type SampledRequest } from './request-sample.js'
import type { WhatIf } from './traffic-views.js'

/**
 * Decide sampled requests again, by the limit as it is and with another `max`, each alone: without other limits, penalties,
 * and later refunds and charges. `null` if the arithmetic with this `max` would not be exact.
 */
export function replay (limit: Limit, max: number, sample: RequestSample, nowUs: number): WhatIf | null {
  const changed = changeMax(limit, max)
  if (!isExact(changed)) return null
  const requests = sample.list()
  return {
    limit: limit.bucket,
    max,
    clients: new Set(requests.map(({ client }) => client)).size,
    requests: requests.length,
    sinceMs: Math.floor((requests[0]?.timeUs ?? nowUs) / 1000),
    refused: countRefused(changed, requests),
    refusedNow: countRefused(limit, requests)
  }
}

/** A burst that equals `max` follows it; another one stays. */
function changeMax (limit: Limit, max: number): Limit {
  const burst = limit.capacity === limit.max ? max : limit.capacity
  return { ...limit, ...createQuota(limit.algorithm, max, limit.windowUs, burst, limit.maxDelayUs) }
}

function countRefused (limit: Limit, requests: readonly SampledRequest[]): number {
  let nowUs = 0
  const store = createMemoryStore({ clock: { nowUs: () => nowUs }, maxKeys: MAX_SAMPLED })
  const alone: Limit = { ...limit, mode: 'enforce', penalty: null, lease: null }
  let refused = 0
  for (const { timeUs, client, cost } of requests) {
    // The clock of the system may have been set back.
    nowUs = Math.max(nowUs, timeUs)
    if (!store.take([{ limit: alone, partition: String(client), cost }]).granted) refused++
  }
  store.close()
  return refused
}
