import type { Quota } from './quota.js'

/*
 * Requests in flight of one partition. A unit of such a limit is a slot: it is taken when a request is decided, and given
 * back when the request is over. No time gives it back. The window of its quota is the lease: how long a store that
 * several processes share counts the slots of a process that it has not heard from.
 */

/** Whether `cost` more requests may be in flight. */
export function hasSlots ({ max }: Pick<Quota, 'max'>, inFlight: number, cost: number): boolean {
  return inFlight + cost <= max
}
