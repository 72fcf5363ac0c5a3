/** A source of time that never steps back. Tests inject their own clock. */
export interface Clock {
  /** Whole microseconds since an arbitrary start. */
  nowUs (): number
}

/** The monotonic clock of the process. */
export const systemClock: Clock = {
  nowUs: () => Math.floor(performance.now() * 1000)
}
