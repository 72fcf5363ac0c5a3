import { toPrintable } from '../../../common/printable.js'
import { TimeOrder } from './time-order.js'
import { FileParser } from './parse-line.js'
import { decodeText, type Block, type LogEntry } from './log-entry.js'

/** Lines without a known format that are shown. */
const MAX_SHOWN = 10
const MAX_SHOWN_LENGTH = 120

/** Requests that wait for the line of their response. */
const MAX_PENDING = 100_000

/** Requests that are passed on together. */
const BATCH = 64

/** A line that could not be parsed. */
export interface BadLine {
  readonly line: number
  readonly text: string
}

/** Numbers of lines of a log. */
export interface LineCounts {
  readonly lines: number
  readonly requests: number
  /** Lines about something else: responses, comments, other log lines. */
  readonly others: number
  readonly bad: number
  /** The first bad lines. */
  readonly shown: readonly BadLine[]
}

/** Parses the lines of all files, pairs responses with their requests, and sorts the requests by time. */
export class LogEntries {
  readonly #order: TimeOrder
  readonly #pending = new Map<string, LogEntry>()
  readonly #counts = { lines: 0, requests: 0, others: 0, bad: 0 }
  readonly #shown: BadLine[] = []
  readonly #onEntries: (entries: readonly LogEntry[]) => void
  #batch: LogEntry[] = []
  #parser = new FileParser()

  /** `windowUs`: how far lines may be out of order. `onEntries`: called with all requests, in order, some at a time. */
  constructor (windowUs: number, onEntries: (entries: readonly LogEntry[]) => void) {
    this.#onEntries = onEntries
    this.#order = new TimeOrder(windowUs, (entry) => {
      if (entry.pairKey !== null && this.#pending.get(entry.pairKey) === entry) this.#pending.delete(entry.pairKey)
      if (this.#batch.push(entry) === BATCH) this.#passOn()
    })
  }

  get counts (): LineCounts {
    return { ...this.#counts, shown: this.#shown }
  }

  /** Begin another file, whose format may be another one. */
  beginFile (): void {
    this.#parser = new FileParser()
  }

  addLine (block: Block, start: number, end: number, isTooLong: boolean): void {
    const line = ++this.#counts.lines
    const parsed = isTooLong ? 'bad' : this.#parser.parse(block, start, end, line)
    if (parsed === 'bad') {
      this.#counts.bad++
      if (this.#shown.length < MAX_SHOWN) this.#shown.push({ line, text: toPrintable(decodeText(block, start, end), MAX_SHOWN_LENGTH) })
    } else if (parsed === 'other') {
      this.#counts.others++
    } else if ('address' in parsed) {
      this.#counts.requests++
      this.#addEntry(parsed)
    } else {
      this.#counts.others++
      const entry = this.#pending.get(parsed.pairKey)
      if (entry !== undefined) entry.status = parsed.status
      this.#pending.delete(parsed.pairKey)
    }
  }

  /** Pass on all requests that are held. */
  flush (): void {
    this.#order.flush()
    this.#passOn()
  }

  #passOn (): void {
    const batch = this.#batch
    this.#batch = []
    this.#onEntries(batch)
  }

  #addEntry (entry: LogEntry): void {
    if (entry.pairKey !== null && this.#pending.size < MAX_PENDING) this.#pending.set(entry.pairKey, entry)
    this.#order.push(entry)
  }
}
