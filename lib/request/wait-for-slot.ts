import type { FastifyRequest } from 'fastify'
import type { LineLimits } from '../concurrency/slot-usage.js'
import type { Metrics } from '../observability/metrics/metrics.js'
import type { Concurrency, Policy } from '../policies/policy.js'
import { findSlot, isUnavailable, type Answer, type Charge } from '../stores/store.js'
import type { RequestDecision } from './decision.js'

/** What leaves the line when the client of a request leaves. */
const leaving = new WeakMap<FastifyRequest, () => void>()

/** A request that waits for a slot. */
export interface SlotWait {
  readonly concurrency: Concurrency
  readonly partition: string
  /** `null` without a request. */
  readonly request: FastifyRequest | null
  readonly metrics: Metrics | null
  /** Decide again. */
  readonly attempt: () => RequestDecision | Promise<RequestDecision>
  /** The decision if no slot gets free in time. */
  readonly refuse: () => RequestDecision | Promise<RequestDecision>
}

/**
 * Wait in line until a slot is free, or for as long as the options allow. The promise never settles if the client leaves
 * the line. Without a place in the line the request is refused at once.
 */
export async function waitForSlot (wait: SlotWait): Promise<RequestDecision> {
  const { concurrency: { usage, queue }, partition, request, attempt, refuse, metrics } = wait
  const place = queue === null ? null : usage.enterLine(partition, limitWait(queue, request))
  if (place === null) return await refuse()
  const beganUs = usage.nowUs()
  if (request !== null) leaving.set(request, () => { place.leave() })
  try {
    while (await place.nextTurn()) {
      const decision = await attempt()
      if (decision.refusingConcurrency !== null) continue
      if (!decision.isRefused) metrics?.observeDelay((usage.nowUs() - beganUs) / 1_000_000)
      return decision
    }
  } finally {
    place.leave()
  }
  return await refuse()
}

/** The share of its `handlerTimeout` that a request may wait: the handler needs time too. */
const TIMEOUT_SHARE = 0.9

/** Fastify answers a request with 503 at the end of its `handlerTimeout`, also while it waits. */
function limitWait ({ maxWaiting, maxWaitMs }: LineLimits, request: FastifyRequest | null): LineLimits {
  const handlerTimeout = request?.routeOptions.handlerTimeout ?? 0
  return { maxWaiting, maxWaitMs: handlerTimeout > 0 ? Math.min(maxWaitMs, handlerTimeout * TIMEOUT_SHARE) : maxWaitMs }
}

/** Whether a decision is a refusal that a wait may change. */
export function mayWait ({ refusingConcurrency }: RequestDecision): boolean {
  return refusingConcurrency !== null && refusingConcurrency.queue !== null
}

/** Whether other requests wait in this process for the same slot: a later one must not overtake them. */
export function isBehindOthers ({ concurrency }: Policy, charges: readonly Charge[]): boolean {
  if (concurrency === null || concurrency.queue === null) return false
  const slot = findSlot(charges)
  return slot !== undefined && concurrency.usage.hasLine(slot.partition)
}

/** The answer to charges of rates that were not charged, as a refusal for a slot. */
export function refuseSlot ({ limit, partition }: Charge, answer: Answer): Answer {
  if (isUnavailable(answer)) return answer
  const standing = { limit, partition, charged: 0, granted: false, remaining: 0, resetUs: 0, delayUs: 0, retryUs: 0, blockedUs: 0 }
  return { ...answer, granted: false, standings: [...answer.standings, standing] }
}

/** The client of a request is gone. */
export function leaveLine (request: FastifyRequest): void {
  leaving.get(request)?.()
}
