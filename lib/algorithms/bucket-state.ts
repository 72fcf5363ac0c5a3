/** A bucket as an algorithm reads it. Each algorithm documents what the two numbers mean. */
export interface BucketState {
  readonly timeUs: number
  readonly count: number
}

/** Units to give back, and the charge that took them. */
export interface Refund {
  /** Whole units, 0 or more. */
  readonly units: number
  /** When the charge was made, microseconds. */
  readonly chargedAtUs: number
  /** When the bucket would have been full again after the charge: its time plus its reset, microseconds. */
  readonly chargedUntilUs: number
}
