import type { FastifyReply } from 'fastify'
import type { Decision } from './policies/decision.js'
import type { Policy } from './policies/policy.js'
import { onSettled } from './settle.js'
import type { Reservation } from './throttle/waiting-room.js'

/** The places that were reserved for requests which are to be held. */
const places = new WeakMap<Decision, Reservation>()

/** Remember where a delayed request may wait. */
export function keepPlace (decision: Decision, place: Reservation): void {
  places.set(decision, place)
}

/**
 * Hold a delayed request until it is due. `onClose` instead of `onDue` where the room closes first; neither where the
 * client leaves, and its units then return if nobody is in line behind it.
 */
export function hold (policy: Policy, reply: FastifyReply, decision: Decision, onDue: () => void, onClose: () => void): void {
  const ticket = places.get(decision)?.hold({
    dueInUs: decision.delayUs,
    // The buckets of one scope and client are one line; another route's line of the same client is no matter of this one.
    line: `${policy.scope} ${decision.client.partition}`,
    onDue,
    onClose: () => {
      decision.leaveLine()
      onClose()
    }
  }) ?? null
  if (ticket === null) {
    decision.leaveLine()
    onClose()
    return
  }
  onSettled(reply, () => {
    if (ticket.leave()) decision.leaveLine()
  })
}
