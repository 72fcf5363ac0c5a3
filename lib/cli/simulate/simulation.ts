import type { Sources } from '../common/read-sources.js'
import type { SimulateOptions } from '../common/simulate-options.js'
import type { LineCounts } from './log/log-entries.js'
import type { LogEntry } from './log/log-entry.js'
import { Replay } from './replay/replay.js'
import { buildEffectReport, buildFlipReport, type LogReport, type SimulationReport } from './report/report.js'
import type { FormatClient, Flips } from './stats/flips.js'
import { Tally } from './stats/tally.js'

const TOO_MANY_REQUESTS = 429
const SECOND_US = 1_000_000

/** The shortest window that a log of whole seconds can judge, milliseconds. */
const MIN_WINDOW_MS = 10_000

interface Configurations {
  readonly config: Sources
  /** `null` without a configuration to compare with. */
  readonly against: Sources | null
  readonly flips: Flips | null
}

/** The requests of a log under one configuration or two. */
export class Simulation {
  readonly #sources: Configurations
  readonly #replay: Replay
  readonly #tally = new Tally()
  readonly #other: Replay | null
  readonly #otherTally = new Tally()
  readonly #log = { firstUs: 0, lastUs: 0, requests: 0, late: 0, refusedThen: 0, hasFractions: false }
  #lines: LineCounts & Pick<LogReport, 'files'> | null = null

  constructor (configurations: Configurations) {
    const { config, against } = configurations
    this.#sources = configurations
    this.#replay = new Replay(config)
    this.#other = against === null ? null : new Replay(against)
  }

  /** Decide the next requests, in the order of time. */
  addAll (entries: readonly LogEntry[]): void {
    this.#tally.prefetch(entries)
    for (const entry of entries) this.#add(entry)
  }

  #add (entry: LogEntry): void {
    this.#noteEntry(entry)
    const verdict = this.#replay.decide(entry)
    this.#tally.add(entry, verdict, this.#replay.nowUs)
    if (this.#other === null) return
    const other = this.#other.decide(entry)
    this.#otherTally.add(entry, other, this.#other.nowUs)
    this.#sources.flips?.add(entry, other, verdict)
  }

  /** After the last request. */
  finish (files: readonly string[], counts: LineCounts): void {
    this.#lines = { ...counts, files }
    this.#replay.close()
    this.#other?.close()
    this.#sources.flips?.close()
  }

  report ({ config, against, shares, failOver, failOverClients }: SimulateOptions, formatClient: FormatClient): SimulationReport {
    const { firstUs, lastUs, requests, late, refusedThen } = this.#log
    const { flips } = this.#sources
    const effect = buildEffectReport(config, this.#tally, shares, formatClient)
    const toDate = (us: number) => requests === 0 ? null : new Date(us / 1000).toISOString()
    const lines = this.#lines ?? { files: [], lines: 0, requests: 0, others: 0, bad: 0, shown: [] }
    return {
      ok: effect.requests.share <= (failOver ?? 1) && effect.clients.share <= (failOverClients ?? 1),
      log: { ...lines, from: toDate(firstUs), to: toDate(lastUs), late, refusedThen },
      warnings: this.#listWarnings(),
      config: effect,
      against: against === null ? null : buildEffectReport(against, this.#otherTally, shares, formatClient),
      flips: flips === null ? null : buildFlipReport(flips, formatClient)
    }
  }

  #noteEntry ({ timeUs, status }: LogEntry): void {
    const log = this.#log
    if (log.requests === 0) log.firstUs = timeUs
    if (timeUs < log.lastUs) log.late++
    else log.lastUs = timeUs
    log.requests++
    if (status === TOO_MANY_REQUESTS) log.refusedThen++
    if (timeUs % SECOND_US !== 0) log.hasFractions = true
  }

  #listWarnings (): string[] {
    const { config, against } = this.#sources
    const found: string[] = []
    const inCode = [...config.madeInCode, ...against?.madeInCode ?? []]
    if (inCode.length > 0) found.push(`rules without "match" are made in code, and left out: ${[...new Set(inCode)].join(', ')}`)
    const isShort = [...this.#tally.limits.values()].some(({ limit }) => limit.windowUs < MIN_WINDOW_MS * 1000)
    if (this.#log.requests > 0 && !this.#log.hasFractions && isShort) {
      found.push('the times of the log are whole seconds, so limits with a window below 10 seconds refuse more here than in service')
    }
    if (this.#replay.overflows > 0) {
      const times = this.#replay.overflows
      found.push(`more concurrent clients than memory.maxKeys allows: ${times} times a client shared the budget of its network`)
    }
    return found
  }
}
