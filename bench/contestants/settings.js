/** So high that nobody reaches it in a run. */
export const NEVER_REACHED = 10_000_000

/** So long that a bucket is still in use when its client comes again: dropping full ones would be another test. */
export const WINDOW_SECONDS = 86_400
