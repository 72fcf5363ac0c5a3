import type { Fault, History } from '../history.js'

/** A time in which something may happen that is a violation otherwise. Microseconds. */
export interface Span {
  readonly fromUs: number
  readonly untilUs: number
}

/** A time in which each bucket may be lost once. */
export interface Loss extends Span {
  /** Whether two servers may decide in this time: the new primary, and the old one until it is demoted. */
  readonly isSplit: boolean
}

/** What a fault excuses. Kinds that are not listed excuse nothing: a killed instance, a reload, a flush of scripts, a slow reply. */
interface Effect {
  /** The store may be away, for all instances or for the one that is named. */
  readonly isAway: boolean
  /** Buckets may be lost, once each. */
  readonly isLoss: boolean
}

const EFFECTS: Readonly<Record<string, Effect>> = {
  'redis stopped': { isAway: true, isLoss: false },
  'redis killed': { isAway: true, isLoss: true },
  'redis paused': { isAway: true, isLoss: false },
  'clients killed': { isAway: true, isLoss: false },
  flushed: { isAway: false, isLoss: true },
  late: { isAway: true, isLoss: false },
  cut: { isAway: true, isLoss: false },
  'half open': { isAway: true, isLoss: false },
  refused: { isAway: true, isLoss: false },
  failover: { isAway: true, isLoss: true },
  'primary killed': { isAway: true, isLoss: true },
  /** The probe measured that a server answered late, without a fault of the schedule. */
  'slow server': { isAway: true, isLoss: false }
}

/** Which exceptions hold when, by the faults of a history. */
export class Outages {
  /** Ordered. In each of these, every bucket may be lost once. */
  readonly losses: readonly Loss[]
  readonly #away: readonly Span[][]
  readonly #stalls: readonly Span[][]

  constructor ({ header: { slots, times }, faults }: History) {
    const ordered = [...faults].sort((a, b) => a.fromUs - b.fromUs)
    const concerns = (slot: number) => (fault: Fault) => fault.slot === undefined || fault.slot === slot
    const overUs = ({ kind, fromUs, untilUs }: Fault) => kind === 'half open' ? Math.max(untilUs, fromUs + times.silenceUs) : untilUs
    this.losses = ordered.filter(({ kind }) => EFFECTS[kind]?.isLoss).map(({ kind, fromUs, untilUs }) => ({ fromUs, untilUs, isSplit: kind === 'failover' }))
    // Without a slot: the process did not run that probes the servers. In a longer time than a deadline, one may have been late.
    const isUnwatched = ({ kind, slot, fromUs, untilUs }: Fault) => kind === 'stall' && slot === undefined && untilUs - fromUs >= times.deadlineUs
    const each = Array.from({ length: slots }, (_, slot) => ordered.filter(concerns(slot)))
    this.#stalls = each.map((own) => merge(own.filter(({ kind }) => kind === 'stall' || kind === 'instance stopped')))
    this.#away = each.map((own, slot) => merge(own.filter((fault) => EFFECTS[fault.kind]?.isAway || isUnwatched(fault)).map((fault) => {
      return { fromUs: fault.fromUs, untilUs: addRunningTime(overUs(fault), times.backUs, this.#stalls[slot]) }
    })))
  }

  /** The end of the outage that overlaps this time, for an instance; `null` if the store was there. */
  awayUntilUs (instance: number, { fromUs, untilUs }: Span): number | null {
    return findOverlap(this.#away[instance % this.#away.length], fromUs, untilUs)?.untilUs ?? null
  }

  /** How long the process did not run within this time. */
  stalledUs (instance: number, { fromUs, untilUs }: Span): number {
    let stalledUs = 0
    for (const span of this.#stalls[instance % this.#stalls.length]) {
      stalledUs += Math.max(0, Math.min(untilUs, span.untilUs) - Math.max(fromUs, span.fromUs))
    }
    return stalledUs
  }
}

/** When a process has run for so long, from a time on: it recovers only while it runs. */
function addRunningTime (fromUs: number, runningUs: number, stalls: readonly Span[]): number {
  let atUs = fromUs
  let leftUs = runningUs
  for (const stall of stalls) {
    if (stall.untilUs <= atUs) continue
    if (stall.fromUs > atUs + leftUs) break
    leftUs -= Math.max(0, stall.fromUs - atUs)
    atUs = stall.untilUs
  }
  return atUs + leftUs
}

function merge (spans: readonly Span[]): Span[] {
  const merged: Span[] = []
  for (const { fromUs, untilUs } of spans) {
    const last = merged.at(-1)
    if (last !== undefined && fromUs <= last.untilUs) merged[merged.length - 1] = { fromUs: last.fromUs, untilUs: Math.max(last.untilUs, untilUs) }
    else merged.push({ fromUs, untilUs })
  }
  return merged
}

/** The last of these spans that overlaps a time. They are ordered, and apart from each other. */
function findOverlap (spans: readonly Span[], fromUs: number, untilUs: number): Span | null {
  let low = 0
  let high = spans.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (spans[middle].fromUs <= untilUs) low = middle + 1
    else high = middle
  }
  const last = spans[low - 1]
  return last !== undefined && last.untilUs >= fromUs ? last : null
}
