/*
 * Which requests are shed first. The priorities of a limit are levels. Of n slots and L levels with requests, let
 *
 *     reserve = n / (2 L)     kept = min(max(1, n / 10), reserve)     (rounded down)
 *
 * Each level may always use `kept` slots. It may use more while that leaves the others what is kept for them, and each higher
 * level a reserve, so that its next requests find a slot:
 *
 *     in flight + kept slots that other levels do not use + reserve * (number of higher levels) < n
 *
 * So the lowest level is the first that is refused. A level without requests costs nothing.
 */

/** The requests of one priority. */
export interface Level {
  readonly priority: number
  inFlight: number
}

/** The slots that each of some levels may always use. */
export function countKept (limit: number, levels: number): number {
  return Math.min(Math.max(1, Math.floor(limit / 10)), countReserve(limit, levels))
}

/** The slots that are left free for each higher level. */
function countReserve (limit: number, levels: number): number {
  return Math.floor(limit / (2 * levels))
}

/** Whether one more request of a level may start. `levels`: all that have requests, and this one. */
export function mayStart (own: Level, levels: readonly Level[], limit: number): boolean {
  const kept = countKept(limit, levels.length)
  let inFlight = 0
  let unused = 0
  let higher = 0
  for (const level of levels) {
    inFlight += level.inFlight
    if (level === own) continue
    unused += Math.max(0, kept - level.inFlight)
    if (level.priority > own.priority) higher++
  }
  return inFlight < limit && (own.inFlight < kept || inFlight + unused + countReserve(limit, levels.length) * higher < limit)
}
