/** What every process of the fleet is told: each client may use 100 units at once, and gains 50 a second. */
export const limit = /** @type {const} */ ({ max: 50, timeWindow: '1s', burst: 100 })

/** Units that the bucket gains, per second. */
const unitsPerSecond = limit.max

/**
 * The most that may be granted within so many seconds, by all processes together: burst + t * max / timeWindow.
 *
 * @param {number} seconds
 */
export function mostGranted (seconds) {
  return Math.floor(limit.burst + seconds * unitsPerSecond)
}
