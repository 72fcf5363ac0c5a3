import type { Quota } from './quota.js'

/*
 * Requests in flight of one partition. A unit of such a limit is a slot: it is taken when a request is decided, and given
 * back when the request is over. No time gives it back. The window of its quota is the lease: how long a store that
 * several processes share counts the slots of a process that it has not heard from.
 *
 * Such a store keeps one entry for each process, and a process reports how many slots it holds in all, never a difference.
 * So a report that is lost, doubled or late changes nothing for longer than until the next one.
 */

/** Whether `cost` more requests may be in flight. */
export function hasSlots ({ max }: Pick<Quota, 'max'>, inFlight: number, cost: number): boolean {
  return inFlight + cost <= max
}

/** The slots of one process, as a shared store knows them. */
export interface SlotHolder {
  /** Eight bytes that no other process has. */
  readonly instance: string
  /** The number of its last report. Reports with a lower one are stale. */
  sequence: number
  slots: number
  /** Without a further report, the slots count until then. */
  endsUs: number
  readonly leaseUs: number
}

/** All slots that a process holds, and those that it has asked for and may hold. */
export interface SlotReport {
  readonly instance: string
  /** Grows with each report of the process. */
  readonly sequence: number
  readonly slots: number
  readonly leaseUs: number
}

/** The entry of a report, and what the report means. */
export interface ReportedSlots {
  readonly own: SlotHolder
  /** Slots of all other processes. */
  readonly others: number
  /** A later report is known. It has counted the slots that come with this one. */
  readonly isStale: boolean
  /** Slots after this report, without those that come with it. */
  base: number
  /** Slots that the first execution of the same report granted. 0 if it is executed for the first time. */
  readonly replayed: number
}

/** Drop the entries whose lease is over. A lease that a clock, stepping back, left in the future is cut. */
export function dropEndedHolders (holders: readonly SlotHolder[], nowUs: number): SlotHolder[] {
  return holders
    .map((holder) => ({ ...holder, endsUs: Math.min(holder.endsUs, nowUs + holder.leaseUs) }))
    .filter(({ endsUs }) => endsUs > nowUs)
}

/** Enter a report. Adds an entry to `holders` for a process without one. */
export function enterReport (holders: SlotHolder[], report: SlotReport, nowUs: number): ReportedSlots {
  const { instance, sequence, slots, leaseUs } = report
  const index = holders.findIndex((holder) => holder.instance === instance)
  const known = index === -1 ? null : holders[index]
  const others = holders.reduce((sum, holder) => holder === known ? sum : sum + holder.slots, 0)
  if (known !== null && known.sequence > sequence) return { own: known, others, isStale: true, base: known.slots, replayed: 0 }
  const replayed = known !== null && known.sequence === sequence ? known.slots : 0
  const own = { instance, sequence, slots: Math.max(slots, replayed), endsUs: nowUs + leaseUs, leaseUs }
  if (index === -1) holders.push(own)
  else holders[index] = own
  return { own, others, isStale: false, base: slots, replayed }
}

/** Whether slots that come with a report can be taken. Takes none. */
export function assessReported (quota: Pick<Quota, 'max'>, { own, others, isStale, base, replayed }: ReportedSlots, cost: number): boolean {
  if (isStale) return hasSlots(quota, others, own.slots)
  return base + cost <= replayed || hasSlots(quota, others + base, cost)
}

/** Take slots that were assessed. */
export function takeReported (reported: ReportedSlots, cost: number): void {
  if (reported.isStale) return
  reported.base += cost
  reported.own.slots = Math.max(reported.replayed, reported.base)
}

/** Slots that are left. 0 or more. */
export function countLeft ({ max }: Pick<Quota, 'max'>, { own, others, isStale, base }: ReportedSlots): number {
  return Math.max(0, max - others - (isStale ? own.slots : base))
}
