import type { Clock } from '../common/clock.js'
import { badOption, requireDurationMs } from '../config/schema/check.js'
import { INSTANT_EXPECTED, parseInstantMs } from '../config/schema/instants.js'

/** That of Node, also under fake timers that are installed later. */
const { setImmediate } = globalThis

/**
 * A clock that stands still until a test moves it. Give it to the plugin as `clock`; one clock may serve several applications.
 *
 *     const clock = new ManualClock()
 *     await app.register(rateLimitPlugin, { max: 1, timeWindow: '1 minute', clock })
 *     await app.inject('/') // 200
 *     await app.inject('/') // 429
 *     await clock.advance('1 minute')
 *     await app.inject('/') // 200
 */
export class ManualClock implements Clock {
  readonly #listeners = new Set<() => void>()
  #nowUs: number

  /**
   * `start`: the first time, for limits with a `period`: a Date, or text such as `'2026-01-31T00:00:00Z'`. Default: 1970.
   * Throws FST_SLUICE_BAD_OPTION for any other value.
   */
  constructor (start: Date | string = new Date(0)) {
    const ms = parseInstantMs(start)
    if (ms === null) throw badOption('start', INSTANT_EXPECTED, start)
    this.#nowUs = ms * 1000
  }

  nowUs (): number {
    return this.#nowUs
  }

  onMove (listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => { this.#listeners.delete(listener) }
  }

  /**
   * Move the clock: a number of milliseconds, or a text such as `'10s'` or `'1 minute'`. A turn of the event loop passes before
   * the move, so that requests injected before are counted or held, and one after it, so that held requests that are due leave.
   * Throws FST_SLUICE_BAD_OPTION for any other value.
   */
  async advance (duration: number | string): Promise<void> {
    const ms = requireDurationMs(duration, 'advance')
    await turn()
    this.#nowUs += ms * 1000
    for (const listener of [...this.#listeners]) listener()
    await turn()
  }
}

function turn (): Promise<void> {
  return new Promise((resolve) => { setImmediate(resolve) })
}
