// `decision.settle`: the units that a request used replace those that it took.
import fc from 'fast-check'
import type { FastifyInstance, RouteHandlerMethod } from 'fastify'
import t, { type Test } from 'tap'
import type { Decision, LimitOptions, RateLimitOptions } from '../../lib/index.js'
import { MemoryStore } from '../../lib/stores/memory/store.js'
import { bareApp, limitedApp, SECOND, statuses } from '../fixtures/app.js'
import { byHeaders, createStoreApp, eachStore, requestAs } from '../fixtures/each-store.js'
import { ALGORITHMS } from '../fixtures/limits.js'
import { ManualClock } from '../fixtures/manual-clock.js'
import { assertPropertyAsync } from '../fixtures/property.js'

const requests: LimitOptions = { name: 'requests', max: 100, timeWindow: '1 hour', algorithm: 'fixed-window' }
const tokens: LimitOptions = { name: 'tokens', max: 1000, timeWindow: '1 hour', algorithm: 'fixed-window', cost: 100 }
const limits = [requests, tokens]

const left = async (app: FastifyInstance) => (await app.rateLimit.peek('ip:127.0.0.1')).map(({ remaining }) => remaining)

/** An application whose handler corrects the decision of each request. */
async function correcting (t: Test, correct: (decision: Decision) => void | Promise<void>, options: RateLimitOptions = { limits }) {
  const parts = bareApp(t)
  await parts.app.register(parts.plugin, options)
  parts.app.get('/', async ({ rateLimit }) => { if (rateLimit !== null) await correct(rateLimit) })
  return parts
}

for (const store of await eachStore()) {
  for (const algorithm of ALGORITHMS) {
    t.test(`${store.name}, ${algorithm}: less or more than was taken, in one limit of two`, async (t) => {
      let used = 0
      const handler: RouteHandlerMethod = async ({ rateLimit }) => {
        await rateLimit?.settle({ tokens: used })
        return rateLimit?.standings.map(({ remaining }) => remaining)
      }
      const slow = limits.map((limit) => ({ ...limit, algorithm, timeWindow: '10 days' }))
      const { app } = await createStoreApp(t, store, { limits: slow }, (app) => { app.get('/used', handler) })
      for (const [index, [units, after]] of [[40, 960], [100, 860], [260, 600], [0, 600], [0.4, 599]].entries()) {
        used = units
        t.strictSame((await app.inject('/used')).json(), [99 - index, after], 'the decision shows what is left')
        t.strictSame(await left(app), [99 - index, after])
      }
      used = 900
      await app.inject('/used')
      t.strictSame(await left(app), [94, 0], 'into debt')
      t.equal((await app.inject('/')).statusCode, 429)
    })
  }

  t.test(`${store.name}: with leases, units return to the lease or to the bucket`, async (t) => {
    const slow = [{ ...requests, max: 1000 }, { ...tokens, max: 10_000 }].map((limit) => ({ ...limit, timeWindow: '10 days' }))
    const handler: RouteHandlerMethod = async ({ rateLimit }) => { await rateLimit?.settle({ tokens: 30 }) }
    const { app } = await createStoreApp(t, store, { leases: true, limits: slow }, (app) => { app.get('/used', handler) })
    for (let i = 0; i < 10; i++) await Promise.all(Array.from({ length: 10 }, () => app.inject('/used')))
    t.strictSame(await left(app), [900, 7000])
  })
}

const sequences: ReadonlyArray<readonly [title: string, correct: (decision: Decision) => void, left: readonly number[]]> = [
  ['the second time changes nothing', (decision) => {
    decision.settle({ tokens: 10 })
    decision.settle({ tokens: 500 })
  }, [99, 990]],
  ['each limit has its own first time', (decision) => {
    decision.settle({ tokens: 10 })
    decision.settle({ tokens: 500, requests: 3 })
  }, [97, 990]],
  ['nothing, where nothing is named', (decision) => { decision.settle({}) }, [99, 900]],
  ['a refund before it is replaced too', (decision) => {
    decision.refund(30)
    decision.settle({ tokens: 50 })
  }, [100, 950]],
  ['a refund after it leaves what is settled', (decision) => {
    decision.settle({ tokens: 50 })
    decision.refund(30)
    decision.refundAll()
  }, [100, 950]],
  ['charges are added to it, before and after', (decision) => {
    decision.charge(5)
    decision.settle({ tokens: 50 })
    decision.charge(2)
  }, [92, 943]],
  ['a charge charges every limit', (decision) => { decision.charge(5) }, [94, 895]],
  ['a refund returns at most what each limit took', (decision) => {
    decision.refund(30)
    decision.refund(100)
  }, [100, 1000]],
  ['a refund of all returns to each limit what it took', (decision) => { decision.refundAll() }, [100, 1000]]
]
for (const [title, correct, expected] of sequences) {
  t.test(title, async (t) => {
    let shown: unknown = null
    const { app } = await correcting(t, (decision) => {
      correct(decision)
      shown = decision.standings.map(({ remaining }) => remaining)
    })
    await app.inject('/')
    t.strictSame(await left(app), expected)
    t.strictSame(shown, expected)
  })
}

type Correction = { readonly call: 'charge' | 'refund' | 'settle', readonly units: number } | { readonly call: 'refundAll' }

t.test('whatever corrections come in whatever order, what counts is what was settled first, else what was not refunded, and all charges', async (t) => {
  const correction: fc.Arbitrary<Correction> = fc.oneof(
    fc.record({ call: fc.constantFrom('charge' as const, 'refund' as const, 'settle' as const), units: fc.integer({ min: 1, max: 200 }) }),
    fc.constant({ call: 'refundAll' as const })
  )
  const { app, plugin } = bareApp(t)
  await app.register(plugin, { global: false })
  await app.ready()
  let job = 0
  await assertPropertyAsync(fc.array(correction, { maxLength: 8 }), 200, async (corrections) => {
    const partition = `user:${job++}`
    const decision = await app.rateLimit.consume(partition, { groupId: 'jobs', limits: [{ ...tokens, max: 10_000 }] })
    let reserved = 100
    let charged = 0
    let settled: number | null = null
    for (const one of corrections) {
      if (one.call === 'refundAll') {
        decision?.refundAll()
        reserved = 0
        continue
      }
      const { call, units } = one
      if (call === 'charge') charged += units
      else if (call === 'refund') reserved -= Math.min(reserved, units)
      else settled ??= units
      if (call === 'settle') decision?.settle({ tokens: units })
      else decision?.[call](units)
    }
    const expected = 10_000 - (settled ?? reserved) - charged
    const [{ remaining }] = (await app.rateLimit.peek(partition)).filter(({ scope }) => scope === 'group:jobs')
    if (remaining !== expected || decision?.remaining !== expected) throw new Error(`${remaining} and ${decision?.remaining} left, not ${expected}`)
  })
})

t.test('all limits are corrected in one call to the store', async (t) => {
  const store = new MemoryStore({ clock: new ManualClock(), maxKeys: 100 })
  const adjusted = t.capture(store, 'adjust', store.adjust.bind(store))
  const { app } = await correcting(t, (decision) => decision.settle({ tokens: 10, requests: 2 }), { store, limits })
  await app.inject('/')
  t.strictSame(adjusted().map(({ args: [adjustments] }) => adjustments.map(({ units }) => units)), [[1, -90]])
  t.strictSame(await left(app), [98, 990])
})

const mistakes: ReadonlyArray<readonly [used: unknown, code: string, message: string]> = [
  [{ requests: 50, token: 1 }, 'FST_SLUICE_UNKNOWN_LIMIT', 'request.rateLimit.settle: no limit has the name "token"; there are "requests", "tokens"'],
  [{ requests: 50, tokens: -1 }, 'FST_SLUICE_BAD_UNITS', 'request.rateLimit.settle: tokens: expected a number of units, 0 or more, got -1'],
  [{ requests: 50, tokens: NaN }, 'FST_SLUICE_BAD_UNITS', 'request.rateLimit.settle: tokens: expected a number of units, 0 or more, got NaN'],
  [{ requests: 50, tokens: Infinity }, 'FST_SLUICE_BAD_UNITS', 'request.rateLimit.settle: tokens: expected a number of units, 0 or more, got Infinity'],
  [{ requests: 50, tokens: undefined }, 'FST_SLUICE_BAD_UNITS', 'request.rateLimit.settle: tokens: expected a number of units, 0 or more, got undefined'],
  [50, 'FST_SLUICE_BAD_UNITS', 'request.rateLimit.settle: expected an object of units by the names of limits, got 50']
]
for (const [used, code, message] of mistakes) {
  t.test(`${message}, and nothing is settled`, async (t) => {
    const { app } = await correcting(t, (decision) => {
      t.throws(() => decision.settle(used as Record<string, number>), { code, message })
    })
    await app.inject('/')
    t.strictSame(await left(app), [99, 900])
  })
}

t.test('a limit of another tier, and every limit of an exempt or uncounted request, is skipped', async (t) => {
  const options: RateLimitOptions = {
    identify: byHeaders,
    exempt: { users: ['staff'] },
    limits,
    tiers: { basic: { limits: [requests] }, internal: false }
  }
  const { app } = await correcting(t, (decision) => decision.settle({ requests: 7, tokens: 50 }), options)
  const of = async (user: string) => (await app.rateLimit.peek(`user:${user}`)).map(({ remaining }) => remaining)
  for (const [user, tier, expected] of [['ada', undefined, [93, 950, 100]], ['bob', 'basic', [100, 1000, 93]], ['cyd', 'internal', [100, 1000, 100]], ['staff', undefined, [100, 1000, 100]]] as const) {
    t.equal((await app.inject(requestAs(user, tier))).statusCode, 200)
    t.strictSame(await of(user), expected, user)
  }
})

for (const failureMode of ['open', 'local'] as const) {
  t.test(`while the store is unavailable, with failureMode '${failureMode}', settling is harmless`, async (t) => {
    const store = new MemoryStore({ clock: new ManualClock(), maxKeys: 100 })
    store.take = () => { throw new Error('gone') }
    const { app } = await correcting(t, (decision) => decision.settle({ tokens: 50 }), { store, failureMode, limits })
    t.strictSame(await statuses(app, 3), [200, 200, 200])
    t.strictSame(await left(app), [100, 1000], 'nothing went to the store that charged nothing')
  })
}

t.test('a limit that refused took nothing, so there is nothing to replace', async (t) => {
  const trial: LimitOptions = { ...tokens, name: 'trial', max: 150, mode: 'shadow', cost: () => 151 }
  const { app } = await correcting(t, (decision) => decision.settle({ tokens: 10, trial: 10 }), { limits: [trial, tokens] })
  await app.inject('/')
  t.strictSame(await left(app), [150, 990])
  const refusing = bareApp(t)
  await refusing.app.register(refusing.plugin, {
    limits: [{ ...requests, max: 0 }, tokens],
    onExceeded: (_request, decision) => decision.settle({ tokens: 500 })
  })
  refusing.app.get('/', async () => 'hello')
  t.strictSame(await statuses(refusing.app, 1), [429])
  t.strictSame(await left(refusing.app), [0, 1000])
})

t.test('of several policies of one request, the last one with a limit of the name is settled', async (t) => {
  const { app } = await limitedApp(t, { limits })
  const guard = app.rateLimit({ groupId: 'guard', limits: [{ ...requests, max: 50 }] })
  app.get('/guarded', { preHandler: guard }, async ({ rateLimit }) => {
    await rateLimit?.settle({ requests: 5, tokens: 20 })
    t.throws(() => rateLimit?.settle({ other: 1 }), { code: 'FST_SLUICE_UNKNOWN_LIMIT' })
  })
  await app.inject('/guarded')
  t.strictSame(await left(app), [99, 980, 45])
})

t.test('a check is settled like a request', async (t) => {
  const { app } = await limitedApp(t, { global: false })
  app.get('/check', async (request) => {
    const decision = await app.rateLimit.check(request, { groupId: 'jobs', limits })
    await decision?.settle({ tokens: 30 })
  })
  await app.inject('/check')
  t.strictSame((await app.rateLimit.peek('ip:127.0.0.1')).filter(({ scope }) => scope === 'group:jobs').map(({ remaining }) => remaining), [99, 970])
})

t.test('after the window has ended nothing is refunded, and what is missing is charged to the next one', async (t) => {
  for (const [used, after] of [[40, 1000], [130, 970]]) {
    const { app, clock } = await correcting(t, (decision) => {
      clock.advance(3600 * SECOND)
      return decision.settle({ tokens: used })
    })
    await app.inject('/')
    t.equal((await left(app))[1], after)
  }
})

t.test('with a cost of 0 nothing is reserved, and a debt refuses', async (t) => {
  const { app } = await correcting(t, (decision) => decision.settle({ tokens: 1100 }), { limits: [requests, { ...tokens, cost: 0 }] })
  t.strictSame(await statuses(app, 2), [200, 429])
  t.strictSame(await left(app), [99, 0])
})
