// The limit that follows latency, on a simulated server: workers that take requests from a queue, and arrivals that do not wait.
import fc from 'fast-check'
import t from 'tap'
import { admittedRequests, createGradient, observeLatency, type GradientState, type GradientTerms } from '../../lib/algorithms/gradient.js'
import { assertProperty } from '../fixtures/property.js'

const MS = 1000
const SECOND = 1_000_000

interface Load {
  readonly workers: number
  readonly serviceUs: number
  /** Requests per second. */
  readonly rate: number
  /** The service time varies by this part of it, upwards and downwards. */
  readonly noise?: number
}

/** A server behind the limit, in virtual time. */
class Simulation {
  readonly terms: GradientTerms
  readonly state: GradientState
  nowUs = 0
  #seed = 1
  /** Ends of running requests, and arrivals of queued ones. */
  #running: Array<{ endUs: number, sinceUs: number }> = []
  #queue: number[] = []

  constructor (terms: GradientTerms) {
    this.terms = terms
    this.state = createGradient(terms, 0)
  }

  get admitted (): number {
    return admittedRequests(this.state, this.terms)
  }

  /** Run for some seconds. Returns the requests that were served, and their mean latency. */
  run (seconds: number, { workers, serviceUs, rate, noise = 0 }: Load): { served: number, meanUs: number } {
    const endUs = this.nowUs + seconds * SECOND
    let served = 0
    let sumUs = 0
    let due = 0
    for (; this.nowUs < endUs; this.nowUs += MS) {
      for (const one of this.#running.filter((one) => one.endUs <= this.nowUs)) {
        const inFlight = this.#running.length + this.#queue.length
        this.#running.splice(this.#running.indexOf(one), 1)
        const latencyUs = one.endUs - one.sinceUs
        served++
        sumUs += latencyUs
        observeLatency(this.state, this.terms, latencyUs, inFlight, this.nowUs)
      }
      for (due += rate / 1000; due >= 1; due--) {
        if (this.#running.length + this.#queue.length < this.admitted) this.#queue.push(this.nowUs)
      }
      while (this.#running.length < workers && this.#queue.length > 0) {
        const sinceUs = this.#queue.shift() ?? this.nowUs
        this.#running.push({ sinceUs, endUs: this.nowUs + serviceUs * (1 + noise * (2 * this.#random() - 1)) })
      }
    }
    return { served, meanUs: served === 0 ? 0 : sumUs / served }
  }

  #random (): number {
    this.#seed = (this.#seed * 48_271) % 2_147_483_647
    return this.#seed / 2_147_483_647
  }
}

const TERMS: GradientTerms = { min: 2, max: 200 }
const busy: Load = { workers: 40, serviceUs: 50 * MS, rate: 1600 }

t.test('under overload it finds the capacity: almost all of it is used, and no long queue grows', async (t) => {
  for (const noise of [0, 0.5]) {
    const simulation = new Simulation(TERMS)
    simulation.run(20, { ...busy, noise })
    const { served, meanUs } = simulation.run(60, { ...busy, noise })
    t.ok(served / 60 > 0.9 * 800, `${served / 60} of 800 a second, noise ${noise}`)
    t.ok(meanUs < 2.5 * busy.serviceUs, `${meanUs / MS} ms, noise ${noise}`)
  }
})

t.test('when half of the capacity is lost, it falls, and rises again when it is back', async (t) => {
  const simulation = new Simulation(TERMS)
  simulation.run(30, busy)
  const before = simulation.state.limit
  simulation.run(30, { ...busy, workers: 20 })
  const lost = simulation.run(60, { ...busy, workers: 20 })
  const during = simulation.state.limit
  t.ok(during < 0.7 * before, `${during} after ${before}`)
  t.ok(lost.served / 60 > 0.9 * 400, `${lost.served / 60} of 400 a second`)
  t.ok(lost.meanUs < 3 * busy.serviceUs, `${lost.meanUs / MS} ms`)
  simulation.run(30, busy)
  const { served } = simulation.run(30, busy)
  t.ok(served / 30 > 0.9 * 800, `${served / 30} of 800 a second`)
})

t.test('a service that becomes slower without a queue gets a lower limit only until the baseline is measured again', async (t) => {
  const simulation = new Simulation({ min: 2, max: 60 })
  const wide: Load = { workers: 1000, serviceUs: 50 * MS, rate: 5000 }
  simulation.run(30, wide)
  t.equal(simulation.admitted, 60)
  simulation.run(3, { ...wide, serviceUs: 200 * MS })
  t.ok(simulation.admitted < 60)
  simulation.run(60, { ...wide, serviceUs: 200 * MS })
  t.ok(simulation.state.limit > 55, `${simulation.state.limit}`)
})

t.test('an overload that lasts does not move the baseline, and the limit with it', async (t) => {
  const simulation = new Simulation(TERMS)
  simulation.run(60, busy)
  const early = simulation.state.limit
  simulation.run(600, busy)
  t.ok(Math.abs(simulation.state.limit - early) < 0.4 * early, `${simulation.state.limit} after ${early}`)
})

t.test('it is never stuck at min: after an idle time it grows with the load', async (t) => {
  const simulation = new Simulation(TERMS)
  simulation.run(10, { ...busy, workers: 1, serviceUs: 500 * MS })
  simulation.state.limit = TERMS.min
  simulation.nowUs += 3600 * SECOND
  simulation.run(20, busy)
  const { served } = simulation.run(20, busy)
  t.ok(served / 20 > 0.9 * 800, `${served / 20} of 800 a second`)
})

t.test('rare requests end windows too, and leave the limit as it is', async (t) => {
  const simulation = new Simulation(TERMS)
  simulation.run(60, { ...busy, rate: 2 })
  t.equal(simulation.state.limit, 20)
  t.ok(Math.abs((simulation.state.baselineUs ?? 0) - busy.serviceUs) < 2 * MS)
})

t.test('whatever latencies come, whenever, the limit stays within its bounds and is a number', async () => {
  const sample = fc.record({ latencyUs: fc.integer({ min: 0, max: 1e9 }), inFlight: fc.integer({ min: 1, max: 1000 }), waitUs: fc.integer({ min: 0, max: 20_000_000 }) })
  const bounds = fc.tuple(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 0, max: 500 })).map(([min, more]) => ({ min, max: min + more }))
  assertProperty(fc.tuple(bounds, fc.array(sample, { maxLength: 200 })), 200, ([terms, samples]) => {
    const state = createGradient(terms, 0)
    let nowUs = 0
    for (const { latencyUs, inFlight, waitUs } of samples) {
      nowUs += waitUs
      observeLatency(state, terms, latencyUs, inFlight, nowUs)
      const admitted = admittedRequests(state, terms)
      if (!(admitted >= terms.min && admitted <= terms.max && Number.isInteger(admitted))) throw new Error(`${admitted} admitted`)
    }
  })
})

const BOUNDS: GradientTerms = { min: 1, max: 100 }
const WINDOW = 100 * MS

/** A state with a baseline of 1 ms, after one window that was not full. */
function measured (terms = BOUNDS): GradientState {
  const state = createGradient(terms, 0)
  endWindow(state, 1000, 10, terms)
  return state
}

/** Samples that end the current window. */
function endWindow (state: GradientState, latencyUs: number, inFlight: number, terms = BOUNDS): void {
  const nowUs = state.sinceUs + WINDOW
  for (let i = 0; i < 10; i++) observeLatency(state, terms, latencyUs, inFlight, nowUs)
}

t.test('the limit begins at 20, within its bounds, and whole requests are admitted, in a probe half of them', async (t) => {
  for (const [min, max, limit] of [[1, 100, 20], [30, 100, 30], [1, 10, 10]]) t.equal(createGradient({ min, max }, 0).limit, limit)
  const state: GradientState = { ...createGradient(BOUNDS, 0), limit: 12.7 }
  t.equal(admittedRequests(state, BOUNDS), 12)
  for (const probing of [1, 2] as const) t.equal(admittedRequests({ ...state, probing }, BOUNDS), 6)
  t.equal(admittedRequests(state, { min: 13, max: 20 }), 13)
  t.equal(admittedRequests(state, { min: 1, max: 11 }), 11)
})

t.test('a window ends with ten samples after a tenth of a second, or with fewer after a second', async (t) => {
  const state = createGradient(BOUNDS, 0)
  for (let i = 0; i < 10; i++) observeLatency(state, BOUNDS, 1000, 1, WINDOW - 1)
  t.match(state, { samples: 10, sumUs: 10_000, mostInFlight: 1, baselineUs: null })
  observeLatency(state, BOUNDS, 1000, 1, WINDOW)
  t.match(state, { samples: 0, sumUs: 0, mostInFlight: 0, sinceUs: WINDOW, baselineUs: 1000 })
  for (let i = 0; i < 9; i++) observeLatency(state, BOUNDS, 1000, 3 - i % 2, WINDOW + SECOND - 1)
  t.match(state, { samples: 9, mostInFlight: 3 })
  observeLatency(state, BOUNDS, 1000, 1, WINDOW + SECOND - 1)
  t.match(state, { samples: 0, sinceUs: WINDOW + SECOND - 1 })
  observeLatency(state, BOUNDS, 1000, 1, WINDOW + 2 * SECOND - 2)
  t.match(state, { samples: 1 })
  observeLatency(state, BOUNDS, 1000, 1, WINDOW + 2 * SECOND - 1)
  t.match(state, { samples: 0 })
})

t.test('ten seconds without a request are a window, and longer ones end the baseline and a probe', async (t) => {
  const state = measured()
  observeLatency(state, BOUNDS, 2000, 15, state.lastUs + 10 * SECOND)
  t.match(state, { baselineUs: 1000, samples: 0 })
  state.probing = 2
  const nowUs = state.lastUs + 10 * SECOND + 1
  observeLatency(state, BOUNDS, 2000, 15, nowUs)
  t.match(state, { baselineUs: null, probing: 0, samples: 1, sumUs: 2000, sinceUs: nowUs, lastUs: nowUs })
})

const windows: ReadonlyArray<readonly [latencyUs: number, inFlight: number, limit: number, baselineUs: number, why: string]> = [
  [1000, 20, 20 + 0.2 * Math.sqrt(20), 1000, 'a full one without a queue raises the limit'],
  [1500, 20, 20 + 0.2 * Math.sqrt(20), 1000, 'half as long again is no queue'],
  [1000, 19, 20, 1000, 'one that is not full does not raise it'],
  [2000, 20, 20 + 0.2 * (20 * 0.75 + Math.sqrt(20) - 20), 1000, 'twice the latency lowers it by the gradient'],
  [2000, 19, 20 + 0.2 * (20 * 0.75 - 20), 1000, 'also where it is not full'],
  [9000, 19, 18, 1000, 'at most by half, smoothed'],
  [500, 19, 20, 900, 'a shorter latency lowers the baseline by a part'],
  [2000, 9, 20 + 0.2 * (20 * Math.min(1, 1.5 * 1200 / 2000) - 20), 1200, 'with few requests a longer one raises it'],
  [2000, 10, 20 + 0.2 * (20 * 0.75 - 20), 1000, 'half of the limit is not few'],
  [0, 19, 20, 800, 'no latency at all']
]
for (const [latencyUs, inFlight, limit, baselineUs, why] of windows) {
  t.test(`a window of ${latencyUs} µs and ${inFlight} in flight: ${why}`, async (t) => {
    const state = measured()
    endWindow(state, latencyUs, inFlight)
    t.match(state, { limit, baselineUs, previousUs: latencyUs, untilProbe: inFlight >= 20 ? 99 : 100 })
  })
}

t.test('the limit ends at its bounds', async (t) => {
  const narrow = { min: 19, max: 20 }
  const state = measured(narrow)
  endWindow(state, 1000, 20, narrow)
  t.equal(state.limit, 20)
  endWindow(state, 9000, 15, narrow)
  t.equal(state.limit, 19)
})

t.test('bounds that were lowered hold the limit, also if it is not full', async (t) => {
  const state = measured()
  endWindow(state, 1000, 5, { min: 1, max: 8 })
  t.equal(state.limit, 8)
})

const probes: ReadonlyArray<readonly [latencyUs: number, baselineUs: number, why: string]> = [
  [1400, 1000, 'less than three quarters of the latency: requests were queued, and the baseline stays'],
  [900, 900, 'shorter than the baseline: it falls'],
  [1500, 1500, 'three quarters: the service itself is slower']
]
for (const [latencyUs, baselineUs, why] of probes) {
  t.test(`a probe of ${latencyUs} µs after 2000: ${why}`, async (t) => {
    const state = measured()
    state.untilProbe = 1
    endWindow(state, 2000, 20)
    const { limit } = state
    t.match(state, { probing: 2, untilProbe: 0, previousUs: 2000 })
    endWindow(state, 7777, 20)
    t.match(state, { probing: 1, limit, baselineUs: 1000, previousUs: 2000 })
    endWindow(state, latencyUs, 20)
    t.match(state, { probing: 0, limit, baselineUs, untilProbe: 100 })
  })
}

t.test('a hundred full windows lie between two probes', async (t) => {
  const state = measured()
  let count = 0
  for (; state.probing === 0; count++) endWindow(state, 1000, 100)
  t.equal(count, 100)
})
