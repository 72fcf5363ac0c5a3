/** Who waits in a line. */
export interface InLine {
  readonly line: string
  readonly dueUs: number
  /** Who came before, and after; `null` at the ends. Written by the lines alone. */
  ahead: InLine | null
  behind: InLine | null
}

/**
 * Keeps the requests of one line in the order in which they came. Their answers took different times on the way from
 * the store, so a later one may seem to be due a little sooner; it waits for the one before it.
 */
export class Lines {
  /** The last one of each line. A line that nobody is in is forgotten. */
  readonly #lasts = new Map<string, InLine>()

  /** The time at which one is due who would be due at `dueUs` if he were alone, but not before those ahead of him. */
  turnOf (line: string, dueUs: number): number {
    const last = this.#lasts.get(line)
    return last === undefined ? dueUs : Math.max(dueUs, last.dueUs)
  }

  /** Get in line, behind all others. */
  join (one: InLine): void {
    const last = this.#lasts.get(one.line)
    if (last !== undefined) {
      one.ahead = last
      last.behind = one
    }
    this.#lasts.set(one.line, one)
  }

  /** Leave, from wherever in the line: who gave up holds back nobody who comes later. */
  part (one: InLine): void {
    const { line, ahead, behind } = one
    if (ahead !== null) ahead.behind = behind
    if (behind !== null) behind.ahead = ahead
    else if (ahead !== null) this.#lasts.set(line, ahead)
    else this.#lasts.delete(line)
    // Not to keep each other's requests in memory.
    one.ahead = null
    one.behind = null
  }
}
