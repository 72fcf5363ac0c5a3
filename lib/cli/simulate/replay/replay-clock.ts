import type { Clock } from '../../../common/clock.js'

/** A clock that the times of a log move, never back. */
export class ReplayClock implements Clock {
  readonly #listeners = new Set<() => void>()
  #nowUs = 0

  nowUs (): number {
    return this.#nowUs
  }

  onMove (listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => { this.#listeners.delete(listener) }
  }

  /** Returns whether the clock has moved: not if the time is not later. */
  moveTo (timeUs: number): boolean {
    if (timeUs <= this.#nowUs) return false
    this.#nowUs = timeUs
    this.notify()
    return true
  }

  /** Call the listeners again, for those that do a part of their work at each call. */
  notify (): void {
    for (const listener of this.#listeners) listener()
  }
}
