import type { State } from './slot-state.js'

/** Requests that run, and grants on their way, without those that Redis has forgotten. */
export function countGranted ({ processes }: State): number {
  let granted = 0
  for (const { running, overlooked, messages } of processes) {
    const onTheWay = messages.filter(({ isReply, isGranted, isOverlooked }) => isReply && isGranted && !isOverlooked)
    granted += running - overlooked + onTheWay.length
  }
  return granted
}

/** What a client or another process may count on, and does not get. */
export function findFault ({ processes, holders }: State): string | null {
  for (const process of processes) {
    const { instance, held, isHolding, reported, heardIn, lateIn, messages, isDead, running, overlooked } = process
    const slots = holders.find((holder) => holder.instance === instance)?.slots ?? 0
    if (heardIn === 0 && lateIn === 0 && slots > 0) return 'slots are counted after the lease'
    const isSettled = !isDead && messages.length === 0 && (!isHolding || reported === held) && heardIn > 0 && lateIn === 0
    if (isSettled && slots !== running) return `Redis counts ${slots} slots instead of ${running}`
    if (heardIn > 0 && slots < running - overlooked) return `Redis counts ${slots} slots though ${running} run`
  }
  return null
}
