/**
 * A shop with an hour of traffic, for pictures of the operator page. The clock is moved by hand, so that the hour takes seconds.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Fastify from 'fastify'
import rateLimitPlugin from 'fastify-sluice'
import { ManualClock } from 'fastify-sluice/testing'

const STEP_MS = 10_000
const STEPS = 360
const CUSTOMERS = [
  'northlight', 'bluebird', 'cobalt', 'harbour', 'juniper', 'kestrel', 'lantern', 'marigold', 'nimbus', 'osprey', 'pepper', 'quarry'
]
const PREMIUM = 3
const SETTINGS = `[tiers.premium]
limits = [{ name = "rate", max = 120, timeWindow = "1 minute" }, { name = "monthly", max = 250000, period = "month" }]

[[rules]]
name = "login"
match = "/login"
max = 6
timeWindow = "1 minute"
penalty = { strikes = 20, cooldown = "15 minutes", maxCooldown = "1 day" }
`

/** The same numbers at each run. */
function createRandom (seed) {
  let state = seed
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32
    return state / 2 ** 32
  }
}

/** Build the shop, and send it the traffic of an hour that ends at `endMs`. `close` ends requests that are still in flight. */
export async function openShop (endMs) {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-shop-'))
  const configFile = join(folder, 'rate-limit.toml')
  writeFileSync(configFile, SETTINGS)
  const clock = new ManualClock(new Date(endMs - STEPS * STEP_MS))
  const app = Fastify({ requestTimeout: 0 })
  const { promise: closing, close: end } = createEnd()
  await app.register(rateLimitPlugin, {
    name: 'shop',
    clock,
    configFile,
    max: 30,
    timeWindow: '1 minute',
    tiers: { free: { max: 24 }, premium: { max: 120 } },
    identify: { custom: identify },
    exempt: { users: ['monitor'] },
    admin: { page: true, onRequest: async () => {} }
  })
  app.get('/products', async () => [])
  app.get('/products/:id', async () => ({}))
  app.post('/orders', async () => ({}))
  app.post('/login', async (_request, reply) => reply.code(401).send({}))
  app.get('/search', {
    config: {
      rateLimit: {
        limits: [{ name: 'rate', max: 30, timeWindow: '1 minute' }, { name: 'tighter', max: 12, timeWindow: '1 minute', mode: 'shadow' }]
      }
    }
  }, async () => [])
  app.get('/reports/:id', {
    config: { rateLimit: { max: 30, timeWindow: '1 minute', concurrency: { max: 5, by: 'global' } } }
  }, async ({ headers }) => {
    if (headers.slow !== undefined) await closing
    return {}
  })
  await app.listen({ port: 0, host: '127.0.0.1' })
  await sendHour(app, clock)
  // In flight while the picture is taken.
  const reports = [1, 2, 3, 4].map((id) => app.inject({ url: `/reports/${id}`, headers: { customer: CUSTOMERS[id], slow: '1' } }))
  const close = async () => {
    end()
    await Promise.all(reports)
    await app.close()
    rmSync(folder, { recursive: true })
  }
  return { url: `http://127.0.0.1:${app.server.address().port}/admin/rate-limit/page`, close }
}

function createEnd () {
  let close
  const promise = new Promise((resolve) => { close = resolve })
  return { promise, close }
}

function identify ({ headers: { customer } }) {
  if (customer === undefined) return null
  return { id: customer, tier: CUSTOMERS.indexOf(customer) < PREMIUM ? 'premium' : 'free' }
}

async function sendHour (app, clock) {
  const random = createRandom(7)
  for (let step = 0; step < STEPS; step++) {
    const load = 1 + 0.45 * Math.sin(step / 47) + 0.25 * Math.sin(step / 11) + 0.3 * random()
    const requests = Array.from({ length: Math.round(58 * load) }, () => chooseRequest(random))
    // A crawler for eight minutes, and someone who tries passwords from two addresses.
    if (step > 120 && step < 170) requests.push(...repeat(8 + 18 * random(), () => crawl(random)))
    if (step > 290 && step < 342) requests.push(...repeat(5 + 9 * random(), () => tryPassword(random)))
    for (const request of requests) await app.inject(request)
    await clock.advance(STEP_MS)
  }
}

function crawl (random) {
  return { url: `/products/${Math.floor(random() * 999)}`, remoteAddress: '203.0.113.9' }
}

function tryPassword (random) {
  return { method: 'POST', url: '/login', remoteAddress: random() < 0.7 ? '198.51.100.23' : '192.0.2.77' }
}

function repeat (times, create) {
  return Array.from({ length: Math.round(times) }, create)
}

function chooseRequest (random) {
  // A few customers send most of the requests.
  const customer = CUSTOMERS[Math.floor(CUSTOMERS.length * random() ** 2.2)]
  const headers = { customer }
  const kind = random()
  if (kind < 0.42) return { url: '/products', headers }
  if (kind < 0.64) return { url: `/products/${Math.floor(random() * 999)}`, headers }
  if (kind < 0.82) return { url: '/search', headers }
  if (kind < 0.9) return { method: 'POST', url: '/orders', headers }
  if (kind < 0.915) return { url: '/products', headers: { customer: 'monitor' } }
  if (kind < 0.935) return { url: `/reports/${Math.floor(random() * 9)}`, headers }
  if (kind < 0.97) return { method: 'POST', url: '/login', remoteAddress: `192.0.2.${Math.floor(random() * 60)}` }
  return { url: '/products', remoteAddress: `198.51.100.${Math.floor(random() * 200)}` }
}
