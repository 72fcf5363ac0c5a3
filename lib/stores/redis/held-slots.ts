import { randomBytes } from 'node:crypto'
import type { Limit } from '../store.js'
import type { KeptSlots } from './pack-slot-reports.js'
import { INSTANCE_BYTES, type SlotCount } from './wire-format.js'

/** Slots of this process, by limit and partition. */
export interface SlotCounts {
  get (limit: Limit, partition: string): number
  take (limit: Limit, partition: string, slots: number): void
  release (limit: Limit, partition: string, slots: number): void
}

/** The slots of one partition, and what Redis knows of them. */
interface Holding {
  readonly key: string
  readonly partition: string
  readonly limit: Limit
  /** Slots that checks have asked for, and that are not decided yet. */
  pending: number
  /** The number of the last report. */
  sequence: number
  /** Slots that Redis counts since the last report; `null` if unknown. */
  reported: number | null
  /** Whether a check was not answered: it may be executed later. */
  isUncertain: boolean
}

/** The report of a batch of checks, with the slots that they ask for. */
export interface BatchReport extends SlotCount {
  readonly holding: Holding
  asked: number
  granted: number
}

/** A report without a check. */
export interface HoldingReport extends KeptSlots {
  readonly key: string
  readonly partition: string
}

export interface HeldSlotsOptions {
  readonly counts: SlotCounts
  readonly formatKey: (limit: Limit, partition: string) => string
  /** Send reports of several partitions. Resolves to whether Redis has taken each. Must not reject. */
  readonly send: (reports: readonly HoldingReport[]) => Promise<boolean>
}

/** Slots that were given back are reported together, after this time. */
const RELEASE_DELAY_MS = 5

/** Heartbeats in the time of a lease: two may be lost. */
const BEATS_PER_LEASE = 3

/** Reports in one call, so that it does not hold Redis for long. */
const MAX_REPORTS = 64

/**
 * The slots that this process holds, and has to report to Redis: all slots of a partition in one number, whenever it changes,
 * and again with each heartbeat. A check reports them too. So a message that is lost, doubled or late is corrected by the
 * next one, and a process that was paused for longer than its lease is counted again with its first message.
 */
export class HeldSlots {
  /** Names this process. */
  readonly instance = randomBytes(INSTANCE_BYTES)
  readonly #options: HeldSlotsOptions
  readonly #holdings = new Map<string, Holding>()
  #changed = new Set<Holding>()
  #sequence = 0
  #releaseTimer: NodeJS.Timeout | null = null
  #heartbeat: NodeJS.Timeout | null = null
  #beatMs = Infinity

  constructor (options: HeldSlotsOptions) {
    this.#options = options
  }

  /** The report of a batch of checks for one partition. Close it, however the call ends. */
  open (limit: Limit, partition: string): BatchReport {
    const holding = this.#meet(limit, partition)
    return { ...this.#createReport(holding), holding, asked: 0, granted: 0 }
  }

  /** A check of the batch asks for slots. They count from now on. */
  ask (report: BatchReport, slots: number): void {
    report.asked += slots
    report.holding.pending += slots
  }

  /** Redis has decided a check. `charged`: the slots that it counts. `isHeld`: whether the request goes on with them. */
  settle (report: BatchReport, charged: number, isHeld: boolean): void {
    const { limit, partition } = report.holding
    report.granted += charged
    if (isHeld) this.#options.counts.take(limit, partition, charged)
  }

  /** The call is over. `isAnswered`: whether all of its checks are settled. */
  close ({ holding, sequence, slots, asked, granted }: BatchReport, isAnswered: boolean): void {
    holding.pending -= asked
    if (!isAnswered) holding.isUncertain = true
    if (holding.sequence === sequence) holding.reported = isAnswered ? slots + granted : null
    this.#compare(holding)
  }

  /** Give back slots of a request that is over. */
  release (limit: Limit, partition: string, slots: number): void {
    this.#options.counts.release(limit, partition, slots)
    this.#report(this.#meet(limit, partition))
  }

  /** Report that no slots are held any more. Call it when no request is in flight. */
  async end (): Promise<void> {
    this.#stop()
    const reports = Array.from(this.#holdings.values(), (holding) => ({ ...this.#createReport(holding), slots: 0 }))
    this.#holdings.clear()
    await Promise.all(splitReports(reports).map((part) => this.#options.send(part)))
  }

  #meet (limit: Limit, partition: string): Holding {
    const key = this.#options.formatKey(limit, partition)
    let holding = this.#holdings.get(key)
    if (holding === undefined) {
      holding = { key, partition, limit, pending: 0, sequence: 0, reported: null, isUncertain: false }
      this.#holdings.set(key, holding)
      this.#beat(limit.windowUs / 1000 / BEATS_PER_LEASE)
    }
    return holding
  }

  #createReport (holding: Holding): HoldingReport {
    const { key, partition, limit, pending, isUncertain } = holding
    holding.sequence = ++this.#sequence
    this.#changed.delete(holding)
    const slots = this.#options.counts.get(limit, partition) + pending
    return { key, partition, sequence: holding.sequence, slots, leaseMs: Math.floor(limit.windowUs / 1000), isKept: isUncertain }
  }

  /** Report the slots again if Redis counts another number, and forget a partition without slots. */
  #compare (holding: Holding): void {
    if (holding.pending > 0) return
    const slots = this.#options.counts.get(holding.limit, holding.partition)
    if (holding.reported !== slots || holding.isUncertain) this.#report(holding)
    else if (slots === 0) this.#holdings.delete(holding.key)
  }

  #report (holding: Holding): void {
    this.#changed.add(holding)
    this.#releaseTimer ??= setTimeout(() => {
      this.#releaseTimer = null
      this.#sendChanged()
    }, RELEASE_DELAY_MS).unref()
  }

  #sendChanged (): void {
    const changed = [...this.#changed]
    this.#changed = new Set()
    for (const part of splitReports(changed)) this.#sendPart(part).catch(() => {})
  }

  async #sendPart (part: readonly Holding[]): Promise<void> {
    const reports = part.map((holding) => this.#createReport(holding))
    const isTaken = await this.#options.send(reports)
    part.forEach((holding, i) => {
      // A later report is on its way, or the next heartbeat repeats this one.
      if (holding.sequence !== reports[i].sequence) return
      holding.reported = isTaken ? reports[i].slots : null
      if (!isTaken) return
      // Only a report that was kept makes a check that comes late a stale one.
      if (reports[i].isKept) holding.isUncertain = false
      this.#compare(holding)
    })
  }

  /** Beat at least this often while slots are held. */
  #beat (beatMs: number): void {
    if (this.#heartbeat !== null && beatMs >= this.#beatMs) return
    if (this.#heartbeat !== null) clearInterval(this.#heartbeat)
    this.#beatMs = beatMs
    this.#heartbeat = setInterval(() => {
      for (const holding of this.#holdings.values()) this.#changed.add(holding)
      if (this.#holdings.size === 0) this.#stop()
      else this.#sendChanged()
    }, beatMs).unref()
  }

  #stop (): void {
    if (this.#heartbeat !== null) clearInterval(this.#heartbeat)
    if (this.#releaseTimer !== null) clearTimeout(this.#releaseTimer)
    this.#heartbeat = null
    this.#releaseTimer = null
  }
}

function splitReports<One> (all: readonly One[]): One[][] {
  const parts: One[][] = []
  for (let from = 0; from < all.length; from += MAX_REPORTS) parts.push(all.slice(from, from + MAX_REPORTS))
  return parts
}
