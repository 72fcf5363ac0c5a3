import underPressure from '@fastify/under-pressure'
import fastify from 'fastify'
import { rateLimitPlugin } from 'fastify-sluice'
import { seededRandom } from '../random.js'
import { quantile } from '../statistics.js'
import { answer } from '../worker.js'

// One contestant before a handler whose work is done by a few workers, from a queue without a bound.
const [name] = process.argv.slice(2)

const shared = {
  max: 1_000_000_000,
  timeWindow: '1 minute',
  log: false,
  identify: { custom: ({ headers: { tier } }) => ({ id: tier, tier }) },
  tiers: { premium: { priority: 1 } }
}

const contestants = {
  none: async () => {},
  fixed: (app) => app.register(rateLimitPlugin, { ...shared, concurrency: { max: 200, by: 'global' } }),
  fixedLow: (app) => app.register(rateLimitPlugin, { ...shared, concurrency: { max: 20, by: 'global' } }),
  adaptive: (app) => app.register(rateLimitPlugin, { ...shared, concurrency: { max: 'adaptive', min: 2, limit: 500 } }),
  underPressure: (app) => app.register(underPressure, { maxEventLoopDelay: 200, maxEventLoopUtilization: 0.98, sampleInterval: 100 })
}

/** Requests wait here until one of the workers is free. */
class Workers {
  count
  #serviceMs
  #busy = 0
  #queue = []

  constructor (count, serviceMs) {
    this.count = count
    this.#serviceMs = serviceMs
  }

  work () {
    return new Promise((resolve) => {
      this.#queue.push(resolve)
      this.#next()
    })
  }

  #next () {
    while (this.#busy < this.count && this.#queue.length > 0) {
      const resolve = this.#queue.shift()
      this.#busy++
      setTimeout(() => {
        this.#busy--
        resolve('done')
        this.#next()
      }, this.#serviceMs)
    }
  }
}

const TICK_MS = 5

/** Send requests at a rate that no answer slows down. Those without an answer at the end count with their time until then. */
async function run ({ workers: count, serviceMs, perSecond, premiumShare, goodMs, seconds }) {
  const app = fastify()
  await contestants[name](app)
  const workers = new Workers(count, serviceMs)
  app.get('/', () => workers.work())
  await app.ready()
  const random = seededRandom(1)
  const phases = [createPhase(), createPhase()]
  const startMs = performance.now()
  let sent = 0
  while (performance.now() - startMs < 2 * seconds * 1000) {
    const elapsedMs = performance.now() - startMs
    const index = elapsedMs < seconds * 1000 ? 0 : 1
    if (index === 1) workers.count = Math.ceil(count / 2)
    for (; sent < elapsedMs * perSecond / 1000; sent++) send(app, phases[index], random(1000) < premiumShare * 1000 ? 'premium' : 'standard')
    await new Promise((resolve) => { setTimeout(resolve, TICK_MS) })
  }
  const endMs = performance.now()
  return phases.map((phase) => summarize(phase, endMs, { goodMs, seconds }))
}

function createPhase () {
  return { premium: [], standard: [] }
}

function send (app, phase, tier) {
  const request = { sentMs: performance.now(), endMs: null, status: null }
  phase[tier].push(request)
  app.inject({ url: '/', headers: { tier } }, (error, response) => {
    request.endMs = performance.now()
    request.status = error === null || error === undefined ? response.statusCode : 500
  })
}

function summarize ({ premium, standard }, endMs, { goodMs, seconds }) {
  const all = [...premium, ...standard]
  const isGood = ({ sentMs, endMs, status }) => status === 200 && endMs - sentMs <= goodMs
  const isRefused = ({ status }) => status !== null && status !== 200
  const share = (requests, test) => requests.filter(test).length / requests.length
  const served = premium.filter((request) => !isRefused(request)).map((request) => (request.endMs ?? endMs) - request.sentMs)
  return {
    goodPerSecond: all.filter(isGood).length / seconds,
    premiumGood: share(premium, isGood),
    premiumP99Ms: served.length === 0 ? null : quantile(served, 0.99),
    premiumRefused: share(premium, isRefused),
    standardRefused: share(standard, isRefused)
  }
}

answer(run)
