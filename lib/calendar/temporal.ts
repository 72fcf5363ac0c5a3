import type { Temporal as TemporalNamespace } from 'temporal-polyfill'

/*
 * Temporal computes with time zones and calendars. Node.js has it from version 26 on; until then temporal-polyfill stands in,
 * an implementation of the specification that returns the built-in one where there is one. Unlike luxon, its rules for times
 * that a clock change skips or repeats are specified, and it knows the changes of a zone. It is loaded only for limits with a
 * period, since it takes 20 ms.
 */

export type TemporalLibrary = typeof TemporalNamespace

let loaded: TemporalLibrary | null = null
let loading: Promise<TemporalLibrary> | null = null

/** Load the library. Call it before the first period is computed. Later calls return at once. */
export function loadTemporal (): Promise<TemporalLibrary> {
  loading ??= import('temporal-polyfill').then(({ Temporal }) => (loaded = Temporal))
  return loading
}

/** The library, or `null` before it is loaded. */
export function getTemporal (): TemporalLibrary | null {
  return loaded
}
