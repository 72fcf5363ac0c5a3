/*
 * A limit of concurrent requests that follows latency, after Gradient2 of Netflix's concurrency-limits:
 *
 *     gradient = max(1/2, min(1, tolerance * baseline / latency))
 *     next     = limit * gradient + sqrt(limit)
 *     limit    = (1 - smoothing) * limit + smoothing * next
 *
 * https://github.com/Netflix/concurrency-limits, limit/Gradient2Limit.java: there, the baseline is a long average of the latency
 * itself. In an overload that lasts, it follows the latency upwards, and the limit after it. Here it is the lowest latency, and
 * it is raised only by measurement: now and then half of the limit applies for a moment (as in the ProbeRTT phase of BBR,
 * draft-ietf-ccwg-bbr). If the latency falls with the concurrency, requests were queued, and the baseline stays. If it does not,
 * the service itself has become slower, which is the new baseline. So neither a queue nor a slow service holds the limit.
 */

/** How the limit moves, and between which bounds. */
export interface GradientTerms {
  /** The lowest limit, 1 or more. */
  readonly min: number
  /** The highest limit. */
  readonly max: number
}

/** The state of one limit. All times are microseconds. */
export interface GradientState {
  /** The limit as it is computed: 12.7 admits 12 requests at once. */
  limit: number
  /** The latency without a queue; `null` until it is measured. */
  baselineUs: number | null
  /** The window: its start, its samples and their sum, and the most requests that were in flight. */
  sinceUs: number
  samples: number
  sumUs: number
  mostInFlight: number
  /** The latency of the window before. */
  previousUs: number
  /** Full windows until the baseline is measured again. */
  untilProbe: number
  /** Windows of the current probe that are left: the first one lets earlier requests end, the second one measures. */
  probing: 0 | 1 | 2
  lastUs: number
}

/** The limit at the start, if the bounds allow it. */
const START = 20
const TOLERANCE = 1.5
const SMOOTHING = 0.2
/** A window ends with so many samples after this time, */
const MIN_SAMPLES = 10
const MIN_WINDOW_US = 100_000
/** or with any number of them after this one: rare requests are samples too. */
const MAX_WINDOW_US = 1_000_000
/** Full windows between two measurements of the baseline. A probe takes about 1 % of the capacity. */
const PROBE_INTERVAL = 100
/** If half of the concurrency has less than this share of the latency, requests were queued. */
const QUEUED_SHARE = 0.75
/** After so long without a request, a baseline says nothing any more. */
const IDLE_US = 10_000_000

export function createGradient ({ min, max }: GradientTerms, nowUs: number): GradientState {
  return {
    limit: Math.max(min, Math.min(max, START)),
    baselineUs: null,
    sinceUs: nowUs,
    samples: 0,
    sumUs: 0,
    mostInFlight: 0,
    previousUs: 0,
    untilProbe: PROBE_INTERVAL,
    probing: 0,
    lastUs: nowUs
  }
}

/** How many requests may be in flight now: whole, from `min` to `max`. */
export function admittedRequests ({ limit, probing }: GradientState, { min, max }: GradientTerms): number {
  return Math.max(min, Math.min(max, Math.floor(probing > 0 ? limit / 2 : limit)))
}

/** Note that a request has ended. `latencyUs`: of its work. `inFlight`: the requests at that time, with this one. */
export function observeLatency (state: GradientState, terms: GradientTerms, latencyUs: number, inFlight: number, nowUs: number): void {
  if (nowUs - state.lastUs > IDLE_US) {
    state.baselineUs = null
    state.probing = 0
    startWindow(state, nowUs)
  }
  state.lastUs = nowUs
  state.samples++
  state.sumUs += latencyUs
  state.mostInFlight = Math.max(state.mostInFlight, inFlight)
  const elapsedUs = nowUs - state.sinceUs
  if (elapsedUs < MIN_WINDOW_US || (state.samples < MIN_SAMPLES && elapsedUs < MAX_WINDOW_US)) return
  endWindow(state, terms, state.sumUs / state.samples)
  startWindow(state, nowUs)
}

function startWindow (state: GradientState, nowUs: number): void {
  state.sinceUs = nowUs
  state.samples = 0
  state.sumUs = 0
  state.mostInFlight = 0
}

function endWindow (state: GradientState, terms: GradientTerms, shortUs: number): void {
  if (state.probing === 2) {
    state.probing = 1
    return
  }
  if (state.probing === 1) {
    state.probing = 0
    state.untilProbe = PROBE_INTERVAL
    const isQueued = shortUs < QUEUED_SHARE * state.previousUs
    state.baselineUs = isQueued ? Math.min(state.baselineUs ?? shortUs, shortUs) : shortUs
    return
  }
  const { limit, baselineUs } = state
  state.previousUs = shortUs
  const isFull = state.mostInFlight >= Math.floor(limit)
  // With few requests in flight nothing is queued here. A shorter latency is nearer to that without a queue in any case.
  if (baselineUs === null || shortUs < baselineUs || state.mostInFlight < limit / 2) state.baselineUs = follow(baselineUs, shortUs)
  if (isFull && --state.untilProbe <= 0) state.probing = 2
  const gradient = Math.max(0.5, Math.min(1, TOLERANCE * (state.baselineUs ?? shortUs) / Math.max(shortUs, 1)))
  // A limit that no request reaches is not raised: it would be of no effect when the load comes.
  const next = limit * gradient + (isFull ? Math.sqrt(limit) : 0)
  state.limit = Math.max(terms.min, Math.min(terms.max, limit + SMOOTHING * (next - limit)))
}

/** One window may be an accident, so the baseline follows it by a part. */
function follow (baselineUs: number | null, shortUs: number): number {
  return baselineUs === null ? shortUs : baselineUs + SMOOTHING * (shortUs - baselineUs)
}
