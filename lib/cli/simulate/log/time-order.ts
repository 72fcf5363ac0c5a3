import { IndexedHeap, type HeapEntry } from '../../../common/indexed-heap.js'
import type { LogEntry } from './log-entry.js'

/** Entries that are held at most, whatever their times are. */
const MAX_HELD = 100_000

/** Released entries are removed from the queue together, this many or more. */
const MIN_RELEASED = 1000

/** An entry that came before one of an earlier time. */
interface LateEntry extends HeapEntry {
  readonly entry: LogEntry
}

/**
 * Sorts entries by time. Servers log a request at its end, so lines are not quite in order. An entry is held until one
 * came that is later by the window, or until too many are held.
 */
export class TimeOrder {
  readonly #windowUs: number
  readonly #onEntry: (entry: LogEntry) => void
  /** In order, from `#first` on. Most entries are. */
  #queue: LogEntry[] = []
  #first = 0
  readonly #late = new IndexedHeap<LateEntry>()
  #lastUs = -Infinity
  #order = 0

  /** `onEntry`: called with each entry, in order. An entry that is later than the window allows comes when it does. */
  constructor (windowUs: number, onEntry: (entry: LogEntry) => void) {
    this.#windowUs = windowUs
    this.#onEntry = onEntry
  }

  push (entry: LogEntry): void {
    const { timeUs } = entry
    if (timeUs >= this.#lastUs) {
      this.#queue.push(entry)
      this.#lastUs = timeUs
    } else {
      this.#late.push({ entry, dueUs: timeUs, order: this.#order++, index: -1 })
    }
    this.#release(this.#lastUs - this.#windowUs)
    while (this.#queue.length - this.#first + this.#late.size > MAX_HELD) this.#releaseFirst()
  }

  /** Release all entries. */
  flush (): void {
    this.#release(Infinity)
  }

  #release (untilUs: number): void {
    // Most of the time no entry is late.
    while (this.#late.first === null) {
      if (this.#first === this.#queue.length || this.#queue[this.#first].timeUs > untilUs) return
      this.#onEntry(this.#takeNext())
    }
    while (this.#isDue(untilUs)) this.#releaseFirst()
  }

  #isDue (untilUs: number): boolean {
    const late = this.#late.first
    if (late !== null && late.dueUs <= untilUs) return true
    return this.#first < this.#queue.length && this.#queue[this.#first].timeUs <= untilUs
  }

  #releaseFirst (): void {
    const next = this.#first < this.#queue.length ? this.#queue[this.#first] : null
    const late = this.#late.first
    // Entries of the same time keep the order of their lines.
    if (late !== null && (next === null || late.dueUs < next.timeUs || (late.dueUs === next.timeUs && late.entry.line < next.line))) {
      this.#late.remove(late)
      this.#onEntry(late.entry)
    } else if (next !== null) {
      this.#onEntry(this.#takeNext())
    }
  }

  #takeNext (): LogEntry {
    const next = this.#queue[this.#first++]
    // A released entry that stays in the queue would be copied by each garbage collection.
    if (this.#first === this.#queue.length || (this.#first >= MIN_RELEASED && this.#first * 2 > this.#queue.length)) {
      this.#queue = this.#queue.slice(this.#first)
      this.#first = 0
    }
    return next
  }
}
