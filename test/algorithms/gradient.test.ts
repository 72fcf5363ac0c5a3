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
