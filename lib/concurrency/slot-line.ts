/** How often the first request of a line asks again, milliseconds: other processes give slots back too. Up to half as much again. */
const POLL_MS = 60

/** Requests in this process that wait for a slot of one partition, first come, first served. */
export class SlotLine {
  readonly #places = new Set<Place>()
  readonly #onLeave: (isEmpty: boolean) => void
  #poll: NodeJS.Timeout | null = null

  /** `onLeave`: called when a request leaves. `isEmpty`: whether it was the last one. */
  constructor (onLeave: (isEmpty: boolean) => void) {
    this.#onLeave = onLeave
  }

  get size (): number {
    return this.#places.size
  }

  /** Wait at the end of the line, for at most `maxWaitMs`. */
  enter (maxWaitMs: number): Place {
    const place: Place = new Place(maxWaitMs, (isFirst) => { this.#remove(place, isFirst) }, () => this.#first() === place)
    this.#places.add(place)
    if (this.#poll === null) this.#pollLater()
    return place
  }

  /** A slot may be free: it is the turn of the first request. */
  wake (): void {
    this.#first()?.wake()
  }

  /** No request waits any longer. */
  close (): void {
    for (const place of this.#places) place.end()
  }

  #first (): Place | undefined {
    const [first] = this.#places
    return first
  }

  #remove (place: Place, isFirst: boolean): void {
    this.#places.delete(place)
    this.#onLeave(this.#places.size === 0)
    // There may be more than one free slot.
    if (this.#places.size > 0) {
      if (isFirst) this.wake()
      return
    }
    if (this.#poll !== null) clearTimeout(this.#poll)
    this.#poll = null
  }

  #pollLater (): void {
    this.#poll = setTimeout(() => {
      this.#pollLater()
      this.wake()
    }, POLL_MS * (1 + Math.random() / 2))
  }
}

/** The place of one request in a line. Leave it, however the wait ends. */
export class Place {
  readonly #onLeave: (isFirst: boolean) => void
  readonly #isFirst: () => boolean
  readonly #timer: NodeJS.Timeout
  #resolve: ((isTurn: boolean) => void) | null = null
  #isWoken = false
  #isOver = false
  #hasLeft = false

  constructor (maxWaitMs: number, onLeave: (isFirst: boolean) => void, isFirst: () => boolean) {
    this.#onLeave = onLeave
    this.#isFirst = isFirst
    // Like a delayed request, a waiting one is unfinished work, so the timer keeps the process alive.
    this.#timer = setTimeout(() => { this.end() }, maxWaitMs)
  }

  /** Resolves to true when a slot may be free, and to false when the wait is over. Never resolves after `leave`. */
  async nextTurn (): Promise<boolean> {
    if (this.#isOver) return false
    if (this.#isWoken) {
      this.#isWoken = false
      return true
    }
    return await new Promise((resolve) => { this.#resolve = resolve })
  }

  wake (): void {
    if (this.#resolve === null) this.#isWoken = true
    else this.#settle(true)
  }

  /** Wait no longer. */
  end (): void {
    this.#isOver = true
    this.#settle(false)
  }

  /** Further calls do nothing. */
  leave (): void {
    if (this.#hasLeft) return
    this.#hasLeft = true
    clearTimeout(this.#timer)
    this.#resolve = null
    this.#onLeave(this.#isFirst())
  }

  #settle (isTurn: boolean): void {
    const resolve = this.#resolve
    this.#resolve = null
    resolve?.(isTurn)
  }
}
