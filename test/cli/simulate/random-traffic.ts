// Random requests and policies, and what an application does with them whose clock has the times of the requests.
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import fastify, { type FastifyReply } from 'fastify'
import fc from 'fast-check'
import { rateLimitPlugin, type DecisionMessage, type RateLimitOptions } from '../../../lib/index.js'
import { ManualClock } from '../../../lib/testing/index.js'

export interface LoggedRequest {
  readonly gapMs: number
  readonly address: string
  readonly method: 'GET' | 'POST' | 'HEAD'
  readonly path: string
  readonly status: number
  readonly user: { readonly id: string, readonly tier: string } | null
  readonly cost: number | null
}

const PATHS = ['/', '/login', '/api/items/7', '/api//items/7', '/api/reports?x=1', '/health', '/docs/intro', '/%6cogin']
const ADDRESSES = ['203.0.113.9', '203.0.113.10', '198.51.100.7', '2001:db8::1', '2001:db8:0:1::2', '2001:db8:1:200::3', '::ffff:203.0.113.9']
const USERS = [{ id: '42', tier: 'standard' }, { id: '43', tier: 'premium' }, { id: '44', tier: 'internal' }]

export const requests = fc.array(fc.record({
  gapMs: fc.oneof({ weight: 5, arbitrary: fc.constant(0) }, { weight: 4, arbitrary: fc.integer({ min: 1, max: 400 }) }, { weight: 1, arbitrary: fc.integer({ min: 400, max: 20_000 }) }),
  address: fc.oneof({ weight: 2, arbitrary: fc.constant(ADDRESSES[0]) }, fc.constantFrom(...ADDRESSES)),
  method: fc.constantFrom('GET' as const, 'POST' as const, 'HEAD' as const),
  path: fc.oneof(fc.constant(PATHS[0]), fc.constantFrom(...PATHS)),
  status: fc.constantFrom(200, 201, 304, 401, 500),
  user: fc.option(fc.constantFrom(...USERS), { freq: 1 }),
  cost: fc.option(fc.integer({ min: 0, max: 3 }), { freq: 1 })
}), { minLength: 40, maxLength: 80, size: 'max' })

const windows = fc.constantFrom('1 second', '5 seconds', '1 minute')
const limit = fc.record({
  max: fc.integer({ min: 0, max: 6 }),
  timeWindow: windows,
  algorithm: fc.constantFrom('token-bucket' as const, 'sliding-window' as const, 'fixed-window' as const),
  by: fc.constantFrom('client' as const, 'ip' as const, 'user' as const, 'global' as const),
  mode: fc.constantFrom('enforce' as const, 'enforce' as const, 'shadow' as const)
})
const limits = fc.array(limit, { minLength: 1, maxLength: 3 }).map((all) => ({ limits: all.map((one, index) => ({ name: `limit-${index}`, ...one })) }))
const bucket = fc.record({ max: fc.integer({ min: 1, max: 4 }), timeWindow: windows, burst: fc.integer({ min: 1, max: 5 }) })

/** Options that a file can have. */
export const policies: fc.Arbitrary<RateLimitOptions> = fc.record({
  numbers: fc.oneof(limits, bucket),
  penalty: fc.option(fc.constant({ strikes: 2, within: '10 seconds', cooldown: '3 seconds' }), { freq: 2 }),
  throttle: fc.option(fc.constantFrom({ maxDelay: '2 seconds', maxQueued: 3 }, { maxDelay: '5 seconds', maxQueuedPerClient: 1 }), { freq: 2 }),
  refundOn: fc.option(fc.constantFrom<NonNullable<RateLimitOptions['refundOn']>>(['2xx'], [304, '5xx']), { freq: 2 }),
  rules: fc.uniqueArray(fc.record({
    name: fc.constantFrom('login' as const, 'api' as const, 'post' as const),
    numbers: bucket
  }), { maxLength: 3, selector: ({ name }) => name }),
  tiers: fc.option(fc.record({ premium: bucket, internal: fc.constant(false as const) }), { freq: 2 }),
  exempt: fc.option(fc.constantFrom<NonNullable<RateLimitOptions['exempt']>>({ ips: ['198.51.100.0/24'] }, { ips: ['2001:db8::/60'], users: ['42'] }, { routes: ['/api/*'] }), { freq: 2 }),
  rest: fc.constantFrom<RateLimitOptions>({}, {}, {}, {}, {}, { ipv6Subnet: 64 }, { global: false }, { enforce: { percent: 50 } }, { enabled: false })
}).map(({ numbers, penalty, throttle, refundOn, rules, tiers, exempt, rest }) => {
  const isBucket = 'burst' in numbers
  return {
    ...numbers,
    ...rest,
    ...(penalty === null || !isBucket ? {} : { penalty }),
    ...(throttle === null || !isBucket ? {} : { throttle }),
    ...(refundOn === null ? {} : { refundOn }),
    ...(exempt === null ? {} : { exempt }),
    ...(tiers === null || !isBucket ? {} : { tiers }),
    rules: rules.map(({ name, numbers }) => ({ name, ...numbers, ...RULES[name] }))
  }
})

const RULES: Readonly<Record<'login' | 'api' | 'post', { match: string, methods?: Array<'POST'> }>> = {
  login: { match: '/login' },
  api: { match: '/api/*' },
  post: { match: '/*', methods: ['POST'] }
}

/** What the plugin does with the requests of a log. `hasRoutes`: whether the application has routes for their paths. */
export async function drive (log: readonly LoggedRequest[], options: RateLimitOptions, hasRoutes: boolean): Promise<string[]> {
  const clock = new ManualClock('2026-01-31T13:00:00Z')
  const app = fastify()
  let outcome = ''
  const listen = (message: unknown): void => {
    const { decision, registration } = message as DecisionMessage
    if (registration !== 'simulated') return
    const isRefused = decision.outcome === 'rejected' || decision.outcome === 'blocked'
    outcome = isRefused ? `${decision.outcome} ${decision.limitName}` : decision.outcome
  }
  await app.register(rateLimitPlugin, {
    cost: (request) => Number(request.headers['x-cost'] ?? 1),
    ...options,
    name: 'simulated',
    clock,
    metrics: false,
    log: false,
    identify: { custom: ({ headers }) => typeof headers['x-user'] === 'string' ? JSON.parse(headers['x-user']) : null }
  })
  const answer = async ({ headers }: { headers: Record<string, unknown> }, reply: FastifyReply) => reply.code(Number(headers['x-status'])).send('')
  if (hasRoutes) {
    const paths = new Set(PATHS.map((path) => path.replace(/\?.*/, '')).filter((path) => !path.includes('%')))
    for (const url of paths) for (const method of ['GET', 'POST'] as const) app.route({ method, url, handler: answer })
  } else {
    app.setNotFoundHandler(answer)
  }
  subscribe('fastify-sluice:decision', listen)
  const outcomes: string[] = []
  try {
    for (const { gapMs, address, method, path: url, status, user, cost } of log) {
      if (gapMs > 0) await clock.advance(gapMs)
      await turns()
      outcome = 'unlimited'
      const headers = {
        'x-status': String(hasRoutes ? status : 404),
        ...user === null ? {} : { 'x-user': JSON.stringify(user) },
        ...cost === null ? {} : { 'x-cost': String(cost) }
      }
      const response = app.inject({ method, url, remoteAddress: address, headers })
      // A delayed request is answered when the clock has moved.
      await Promise.race([response, turns()])
      if (outcome !== 'delayed') await response
      await turns()
      outcomes.push(outcome)
    }
  } finally {
    unsubscribe('fastify-sluice:decision', listen)
    await app.close()
  }
  return outcomes
}

async function turns (): Promise<void> {
  for (let turn = 0; turn < 4; turn++) await new Promise((resolve) => { setImmediate(resolve) })
}
