import type { FastifyReply } from 'fastify'
import type { Reservation } from '../throttle/delay-queue.js'
import type { RequestDecision } from './decision.js'
import { onFinished } from './on-finished.js'

/** Reserved places in the delay queue. */
const reservations = new WeakMap<RequestDecision, Reservation>()

/** Save the place reserved for a delayed request. */
export function saveReservation (decision: RequestDecision, reservation: Reservation): void {
  reservations.set(decision, reservation)
}

/**
 * Hold a delayed request until it is due. If the queue closes first, `onClose` is called instead of `onDue`. If the
 * client leaves, neither is called; its units are refunded if no request waits behind it.
 */
export function hold (decision: RequestDecision, reply: FastifyReply, onDue: () => void, onClose: () => void): void {
  const { policy, client, delayUs } = decision
  const ticket = reservations.get(decision)?.hold({
    dueInUs: delayUs,
    // The buckets of one scope and client share a queue; other routes of the same client have their own.
    orderKey: `${policy.scope} ${client.partition}`,
    onDue,
    onClose: () => {
      decision.leaveQueue()
      onClose()
    }
  }) ?? null
  if (ticket === null) {
    decision.leaveQueue()
    onClose()
    return
  }
  onFinished(reply, () => {
    if (ticket.cancel()) decision.leaveQueue()
  })
}
