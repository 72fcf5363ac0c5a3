import { formatColumns } from './columns.js'

/** @import { Tally } from './failover.js' */

/** The most that one client may be granted within a time. @typedef {(seconds: number) => number} MostGranted */

/**
 * What became of the requests, a line for each phase.
 *
 * @param {readonly Tally[]} tallies
 * @param {MostGranted} mostGranted
 */
export function formatPhases (tallies, mostGranted) {
  return formatColumns([
    ['phase', 'seconds', 'granted', 'limit', 'refused', 'errors', 'slowest'],
    ...tallies.map(({ phase, seconds, granted, refused, errors, slowestMs }) => [
      phase, seconds.toFixed(2), String(totalOf(granted)),
      phase === 'failover' ? 'each instance by itself' : `${granted.size * mostGranted(seconds)} at most`,
      String(totalOf(refused)), String(errors), `${Math.ceil(slowestMs)} ms`
    ])
  ])
}

/**
 * What was seen that is not promised.
 *
 * @param {readonly Tally[]} tallies
 * @param {MostGranted} mostGranted
 */
export function brokenIn (tallies, mostGranted) {
  return tallies.flatMap(({ phase, seconds, granted, refused, errors }) => [
    ...(errors > 0 ? [`${phase}: ${errors} errors`] : []),
    ...[...refused].filter(([, count]) => count === 0).map(([client]) => `${phase}: ${client} was never refused`),
    // While Redis is away, each instance grants as much by itself.
    ...(phase === 'failover' ? [] : [...granted].filter(([, count]) => count > mostGranted(seconds)).map(([client, count]) => `${phase}: ${client} was granted ${count}`))
  ])
}

/** @param {Map<string, number>} granted */
function totalOf (granted) {
  return [...granted.values()].reduce((sum, count) => sum + count, 0)
}
