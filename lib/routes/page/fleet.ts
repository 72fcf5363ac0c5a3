import type { SharedSwitch, Sighting, SummaryBoard } from '../../stores/redis/summary-board.js'
import { parseSummary, type InstanceSummary } from './instance-summary.js'

/** How often an instance publishes its summary. It is kept for 60 s, so several may be lost. */
const PUBLISH_MS = 10_000

/** After a failure, and while the first connection is opened. */
const RETRY_MS = 2000

export interface FleetOptions {
  readonly board: SummaryBoard
  /** The id of this instance. */
  readonly id: string
  readonly summarize: () => Promise<string>
  /** An operator has set the switch of all instances. */
  readonly onSwitch: (enabled: boolean) => void
  readonly publishMs: number | undefined
  /** Milliseconds since 1970. */
  readonly nowMs: () => number
}

/** What the other instances have published. */
export interface FleetReport {
  readonly others: readonly InstanceSummary[]
  readonly problem: string | null
  readonly skipped: number
}

interface Known extends Sighting {
  /** `null`: damaged, or of another version. */
  readonly summary: InstanceSummary | null
}

/**
 * The other instances of a registration, by their summaries in Redis. Publishes the summary of this instance, and follows the
 * switch that they share. No request waits for it, and nothing that Redis does makes it fail.
 */
export class Fleet {
  readonly #options: FleetOptions
  #known = new Map<string, Known>()
  #timer: NodeJS.Timeout | null = null
  #publishing: Promise<void> | null = null
  #followedUs = 0
  /** How far the clock of Redis is ahead of this one. */
  #aheadMs = 0
  #isClosed = false

  constructor (options: FleetOptions) {
    this.#options = options
  }

  /** Publish now, and from then on. */
  start (): void {
    this.#publishing = this.#publish().then((isPublished) => {
      this.#publishing = null
      if (this.#isClosed) return
      const { publishMs = PUBLISH_MS } = this.#options
      this.#timer = setTimeout(() => { this.start() }, isPublished ? publishMs : Math.min(RETRY_MS, publishMs)).unref()
    })
  }

  /** Read what is new. Never rejects: without an answer, the others are unknown. */
  async read (): Promise<FleetReport> {
    try {
      await this.#refresh()
    } catch {
      this.#known = new Map()
      return { others: [], problem: this.#options.board.lastError ?? 'ERROR', skipped: 0 }
    }
    const readable = Array.from(this.#known.values()).flatMap(({ summary, seenAtMs }) => {
      return summary === null ? [] : [{ ...summary, instance: { ...summary.instance, seenAtMs: seenAtMs - this.#aheadMs } }]
    })
    return { others: readable, problem: null, skipped: this.#known.size - readable.length }
  }

  /** Switch limits on or off in all instances. The caller switches this one. Rejects with FST_SLUICE_STORE. */
  async switchAll (enabled: boolean): Promise<void> {
    this.#follow(await this.#options.board.writeSwitch(enabled))
  }

  /** Stop, and delete the summary of this instance. */
  async close (): Promise<void> {
    this.#isClosed = true
    if (this.#timer !== null) clearTimeout(this.#timer)
    // Published later, it would name an instance that has ended.
    await this.#publishing
    await this.#options.board.remove(this.#options.id).catch(() => {})
  }

  async #publish (): Promise<boolean> {
    const { board, id, summarize, onSwitch } = this.#options
    try {
      const summary = await summarize()
      if (this.#isClosed) return true
      const shared = await board.publish(id, summary)
      if (shared !== null && !this.#isClosed && this.#follow(shared)) onSwitch(shared.enabled)
      return true
    } catch {
      // The next summary replaces this one. Failures of Redis are reported by the calls of the limits.
      return false
    }
  }

  /** Returns whether the switch is new: each one applies once, so that a later switch of this instance alone stays. */
  #follow ({ setAtUs }: SharedSwitch): boolean {
    const isNew = setAtUs > this.#followedUs
    if (isNew) this.#followedUs = setAtUs
    return isNew
  }

  async #refresh (): Promise<void> {
    const { board, id: ownId } = this.#options
    const { nowMs: redisMs, instances } = await board.list()
    const sightings = instances.filter(({ id }) => id !== ownId)
    const fresh = sightings.filter(({ id, seenAtMs }) => this.#known.get(id)?.seenAtMs !== seenAtMs)
    const read = await board.read(fresh.map(({ id }) => id))
    const known = new Map<string, Known>()
    // By id, so that no instance changes its place on the page.
    for (const sighting of sightings.sort((a, b) => a.id < b.id ? -1 : 1)) {
      const index = fresh.indexOf(sighting)
      const one = index < 0 ? this.#known.get(sighting.id) : toKnown(sighting, read[index])
      if (one !== undefined) known.set(sighting.id, one)
    }
    this.#known = known
    this.#aheadMs = redisMs - this.#options.nowMs()
  }
}

/** `undefined`: it has expired. */
function toKnown (sighting: Sighting, read: Awaited<ReturnType<SummaryBoard['read']>>[number]): Known | undefined {
  if (read === null) return undefined
  return { ...sighting, summary: read === 'damaged' ? null : parseSummary(read.text, sighting.id) }
}
