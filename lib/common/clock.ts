/** A source of time that never steps back. Tests inject their own clock. */
export interface Clock {
  /** Whole microseconds since an arbitrary start. */
  nowUs (): number
  /**
   * Only in a clock that a test moves: call the listener after each move. No timer of the process then waits for the clock.
   * Returns a function that removes the listener.
   */
  onMove? (listener: () => void): () => void
}

/** The monotonic clock of the process. */
export const systemClock: Clock = {
  nowUs: () => Math.floor(performance.now() * 1000)
}
