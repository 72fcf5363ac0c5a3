// A service that refuses one client, in a process of its own. Run with --expose-gc.
import Fastify, { LogController } from 'fastify'
import rateLimitPlugin from 'fastify-sluice'
import { answer } from '../worker.js'

/** Requests on their way at once: what a greedy client's connections would carry. */
const AT_ONCE = 50

let lines = 0
let app

async function start ({ redis }) {
  app = Fastify({
    // Every line is one of the plugin's: Fastify's own, two for each request, are off.
    logger: { level: 'info', stream: { write () { lines++ } } },
    logController: new LogController({ disableRequestLogging: true })
  })
  await app.register(rateLimitPlugin, { max: 10, timeWindow: '1 day', deadline: 5000, failureMode: 'closed', ...(redis === null ? {} : { redis }) })
  app.get('/items/:id', async () => 'item')
  await app.ready()
}

async function refuse ({ forMs }) {
  const endMs = performance.now() + forMs
  const counts = { allowed: 0, refused: 0, others: 0 }
  async function keepAsking () {
    while (performance.now() < endMs) {
      const { statusCode } = await app.inject('/items/7')
      if (statusCode === 429) counts.refused++
      else if (statusCode === 200) counts.allowed++
      else counts.others++
      // An exchange in process never leaves the event loop by itself; timers and sockets need their turns.
      await new Promise(setImmediate)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, keepAsking))
  globalThis.gc()
  return { ...counts, lines, heapBytes: process.memoryUsage().heapUsed }
}

async function stop () {
  await app.close()
  return { lines }
}

const steps = { start, refuse, stop }

answer((question) => steps[question.step](question))
