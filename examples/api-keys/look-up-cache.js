/**
 * @template T
 * @typedef {object} Entry
 * @property {Promise<T | null>} answer
 * @property {number} untilMs
 */

/**
 * Remembers look-ups, those that found nothing too, in bounded memory. Many requests that ask for one name at once are
 * one look-up.
 *
 * What was found and what was not have rooms of their own: keys that do not exist, or were revoked, cannot push out
 * those of customers.
 *
 * @template T
 */
export class LookUpCache {
  #lookUp
  #maxEntries
  #ttlMs
  /** @type {Map<string, Entry<T>>} */
  #found = new Map()
  /** @type {Map<string, Entry<T>>} */
  #missing = new Map()
  /** @type {Map<string, Promise<T | null>>} */
  #pending = new Map()

  /**
   * @param {(name: string) => Promise<T | null>} lookUp
   * @param {{ maxEntries: number, ttlMs: number }} options `ttlMs`: for so long a change goes unnoticed here.
   */
  constructor (lookUp, { maxEntries, ttlMs }) {
    this.#lookUp = lookUp
    this.#maxEntries = maxEntries
    this.#ttlMs = ttlMs
  }

  /** @param {string} name @returns {Promise<T | null>} */
  get (name) {
    const entry = this.#found.get(name) ?? this.#missing.get(name)
    if (entry !== undefined && performance.now() < entry.untilMs) return entry.answer
    const pending = this.#pending.get(name)
    if (pending !== undefined) return pending
    const answer = this.#ask(name)
    this.#pending.set(name, answer)
    return answer
  }

  /** @param {string} name */
  async #ask (name) {
    try {
      const value = await this.#lookUp(name)
      this.#remember(name, value)
      return value
    } finally {
      // A look-up that failed is not remembered: the next request tries again.
      this.#pending.delete(name)
    }
  }

  /** @param {string} name @param {T | null} value */
  #remember (name, value) {
    this.#found.delete(name)
    this.#missing.delete(name)
    const room = value === null ? this.#missing : this.#found
    if (room.size >= this.#maxEntries) {
      // A map keeps the order of insertion: the first is the oldest.
      const [oldest] = room.keys()
      room.delete(oldest)
    }
    room.set(name, { answer: Promise.resolve(value), untilMs: performance.now() + this.#ttlMs })
  }
}
