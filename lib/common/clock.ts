/** A source of time that never steps back. Tests inject their own. */
export interface Clock {
  /** Whole microseconds since an arbitrary start. */
  nowUs (): number
}

/** The process's monotonic clock. */
export const systemClock: Clock = {
  nowUs: () => Math.floor(performance.now() * 1000)
}
