/** A source of time that never steps back. Tests inject their own clock. */
export interface Clock {
  /**
   * Whole microseconds since an arbitrary start. Limits with a `period` in the memory store take them as the time since 1970.
   */
  nowUs (): number
  /**
   * Only in a clock that a test moves: call the listener after each move. No timer of the process then waits for the clock.
   * Returns a function that removes the listener.
   */
  onMove? (listener: () => void): () => void
}

/** Milliseconds since 1970, by the clock of the system. It may be set back. */
export function readWallClockMs (): number {
  return Date.now()
}

/** The clock of the system, microseconds since 1970. Unlike other clocks, it may be set back. */
export const wallClock: Clock = {
  nowUs: () => Date.now() * 1000
}

/** When the process started, by the clock of the system. */
const STARTED_US = Math.round(performance.timeOrigin * 1000)

/** The monotonic clock of the process: microseconds since 1970, but later changes of the system's clock do not move it. */
export const systemClock: Clock = {
  nowUs: () => STARTED_US + Math.floor(performance.now() * 1000)
}

/** A clock that `Date` moves, also a mocked one, but never back: where `Date` steps back, it stands still. */
export function createDateClock (): Clock {
  let lastMs = Date.now()
  let elapsedUs = 0
  return {
    nowUs () {
      const nowMs = Date.now()
      elapsedUs += Math.max(0, nowMs - lastMs) * 1000
      lastMs = nowMs
      return elapsedUs
    }
  }
}
