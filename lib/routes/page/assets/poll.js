const INTERVAL_MS = 10_000
const MAX_WAIT_MS = 60_000

/** Calls a function every 10 s, and pauses while the page is hidden. After failures it waits longer: 20, 40, 60 s. */
export class Poll {
  #load
  #onFailure
  #timer = null
  #failures = 0
  #isLoading = false
  /** Whether something has changed since the load began. */
  #isOutdated = false

  /** `load` returns a promise. `onFailure` gets its error, and when the next attempt is due. */
  constructor (load, onFailure) {
    this.#load = load
    this.#onFailure = onFailure
    document.addEventListener('visibilitychange', () => {
      if (document.hidden) clearTimeout(this.#timer)
      else this.now()
    })
  }

  /** Load now, and then every 10 s. */
  async now () {
    this.#isOutdated = this.#isLoading
    if (this.#isLoading) return
    clearTimeout(this.#timer)
    this.#isLoading = true
    try {
      await this.#load()
      this.#failures = 0
    } catch (error) {
      this.#failures++
      this.#onFailure(error, Date.now() + this.#waitMs)
    }
    this.#isLoading = false
    if (this.#isOutdated) return await this.now()
    if (!document.hidden) this.#timer = setTimeout(() => this.now(), this.#waitMs)
  }

  get #waitMs () {
    return Math.min(INTERVAL_MS * 2 ** this.#failures, MAX_WAIT_MS)
  }
}
