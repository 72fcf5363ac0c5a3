import type { FastifyReply } from 'fastify'
import type { Reservation, Ticket } from '../throttle/delay-queue.js'
import type { RequestDecision } from './decision.js'
import { onFinished } from './on-finished.js'

/** Reserved places in the delay queue. */
const reservations = new WeakMap<RequestDecision, Reservation>()

/** Save the place reserved for a delayed request. */
export function saveReservation (decision: RequestDecision, reservation: Reservation): void {
  reservations.set(decision, reservation)
}

/** Hold a delayed request in its reserved place. Returns `null`, and calls neither callback, if the queue is closed. */
export function holdUntilDue (decision: RequestDecision, onDue: () => void, onClose: () => void): Ticket | null {
  const { policy, client, delayUs } = decision
  return reservations.get(decision)?.hold({
    dueInUs: delayUs,
    // The buckets of one scope and client share a queue; other routes of the same client have their own.
    orderKey: `${policy.scope} ${client.partition}`,
    onDue,
    onClose
  }) ?? null
}

/** A request is held for a whole number of these parts of its `handlerTimeout`: few different limits, and time for the handler. */
const TIMEOUT_PARTS = 10

/** How long a request may be held before Fastify answers it with 503, microseconds. Infinity without `handlerTimeout`. */
export function computeMaxHoldUs ({ request, elapsedTime }: Pick<FastifyReply, 'request' | 'elapsedTime'>): number {
  const { handlerTimeout } = request.routeOptions
  if (!(handlerTimeout > 0)) return Infinity
  const parts = Math.floor((handlerTimeout - elapsedTime) / handlerTimeout * TIMEOUT_PARTS)
  return Math.max(0, Math.min(TIMEOUT_PARTS - 1, parts)) * handlerTimeout * 1000 / TIMEOUT_PARTS
}

/**
 * Hold a delayed request until it is due. If the queue closes first, `onClose` is called instead of `onDue`. If the
 * client leaves, neither is called; its units are refunded if no request waits behind it.
 */
export function hold (decision: RequestDecision, reply: FastifyReply, onDue: () => void, onClose: () => void): void {
  const ticket = holdUntilDue(decision, onDue, () => {
    decision.leaveQueue()
    onClose()
  })
  if (ticket === null) {
    decision.leaveQueue()
    onClose()
    return
  }
  onFinished(reply, () => {
    if (ticket.cancel()) decision.leaveQueue()
  })
}
