// `concurrency: { max: 'adaptive' }` over HTTP: the limit follows latency by the manual clock, and tiers are shed in order.
import { setImmediate } from 'node:timers/promises'
import t from 'tap'
import type { RateLimitOptions } from '../../lib/index.js'
import { bodyOf, codesOf, createSlotApp, type SlotApp } from '../fixtures/slots.js'

const MS = 1000

const adaptive = (fields: object = {}): RateLimitOptions => ({ max: 1_000_000, timeWindow: 1000, metrics: {}, concurrency: { max: 'adaptive', ...fields } })

const tiers = { identify: { custom: ({ headers }) => ({ id: 'u', tier: String(headers.tier) }) }, tiers: { premium: { priority: 1 } } } satisfies RateLimitOptions

/** The value of the gauge. */
async function readLimit ({ app }: SlotApp): Promise<number> {
  return Number(/^rate_limit_concurrency_limit\{policy="default"\} (\d+)$/m.exec(await app.rateLimit.metrics?.metrics() ?? '')?.[1])
}

/** Rounds of `offered` requests at once, each of which takes `latencyMs`. Returns how many were refused in all. */
async function load ({ app, clock, finish }: SlotApp, rounds: number, offered: number, latencyMs: number): Promise<number> {
  let refused = 0
  for (let round = 0; round < rounds; round++) {
    const pending = Array.from({ length: offered }, () => app.inject('/wait'))
    for (let i = 0; i < 3; i++) await setImmediate()
    clock.advance(latencyMs * MS)
    await finish(offered)
    refused += (await Promise.all(pending)).filter(({ statusCode }) => statusCode === 503).length
  }
  return refused
}

t.test('the limit falls when the latency rises, recovers, and stays within its bounds', async (t) => {
  const slots = await createSlotApp(t, adaptive({ min: 8, limit: 30 }))
  t.equal(await readLimit(slots), 20)
  await load(slots, 20, 40, 110)
  t.equal(await readLimit(slots), 30, 'requests are as fast as before: as high as allowed')
  t.equal(await load(slots, 1, 40, 110), 10)
  await load(slots, 5, 40, 1000)
  const falling = await readLimit(slots)
  t.ok(falling < 25 && falling > 8, 'a quarter in five windows')
  await load(slots, 30, 40, 1000)
  t.equal(await readLimit(slots), 8)
  t.equal(await load(slots, 1, 40, 110), 32)
  await load(slots, 40, 40, 110)
  t.equal(await readLimit(slots), 30)
})

t.test('the limit leaves its minimum after an idle time', async (t) => {
  const slots = await createSlotApp(t, adaptive({ limit: 30 }))
  await load(slots, 10, 30, 110)
  await load(slots, 40, 30, 2000)
  const low = await readLimit(slots)
  t.ok(low < 10)
  slots.clock.advance(3_600_000 * MS)
  await load(slots, 30, 30, 2000)
  t.ok(await readLimit(slots) > 15, 'the latency after the idle time is the new measure')
})

t.test('all clients together are limited in this process, with 503', async (t) => {
  const slots = await createSlotApp(t, adaptive({ limit: 2 }))
  const pending = [await slots.send(), await slots.send({ remoteAddress: '203.0.113.9' }), await slots.send()]
  t.strictSame(codesOf(pending), [null, null, 503])
  t.match(bodyOf(pending[2].answer), { type: /#temporary-reduced-capacity$/, 'violated-policies': ['concurrency'], limit: 2, remaining: 0 })
  await slots.finish()
  t.strictSame(codesOf([await slots.send(), await slots.send()]), [null, 503])
})

t.test('shadow mode refuses nothing', async (t) => {
  const slots = await createSlotApp(t, adaptive({ limit: 1, mode: 'shadow' }))
  t.strictSame(codesOf([await slots.send(), await slots.send()]), [null, null])
})

t.test('lower tiers are shed first, each keeps a share, and exempt routes are not counted', async (t) => {
  const slots = await createSlotApp(t, { ...adaptive({ limit: 10 }), ...tiers }, (app, wait) => {
    app.get('/health', { config: { rateLimit: false } }, wait)
  })
  const standard = { headers: { tier: 'standard' } }
  const premium = { headers: { tier: 'premium' } }
  for (let i = 0; i < 12; i++) await slots.send({ url: '/health' })
  t.strictSame(codesOf([await slots.send(premium)]), [null])
  const first = []
  for (let i = 0; i < 10; i++) first.push(await slots.send(standard))
  t.strictSame(codesOf(first), [...Array.from({ length: 7 }, () => null), 503, 503, 503], 'two slots are a reserve for premium')
  t.strictSame(codesOf([await slots.send(premium), await slots.send(premium), await slots.send(premium)]), [null, null, 503])
  // Of the slots that get free, premium takes all but one.
  await slots.finish(22)
  const later = []
  for (let i = 0; i < 10; i++) later.push(await slots.send(premium))
  t.strictSame(codesOf(later), [...Array.from({ length: 9 }, () => null), 503])
  t.strictSame(codesOf([await slots.send(standard), await slots.send(standard)]), [null, 503], 'what is kept')
})

t.test('a tier without requests costs nothing', async (t) => {
  const slots = await createSlotApp(t, { ...adaptive({ limit: 10 }), ...tiers })
  const pending = []
  for (let i = 0; i < 11; i++) pending.push(await slots.send({ headers: { tier: 'standard' } }))
  t.strictSame(codesOf(pending), [...Array.from({ length: 10 }, () => null), 503])
})

t.test('an aborted request gives its slot back, and a short one is no measure of latency', async (t) => {
  const slots = await createSlotApp(t, adaptive({ limit: 30 }), (app) => {
    app.get('/abort', (_, reply) => {
      reply.hijack()
      reply.raw.destroy()
    })
  })
  const { app, clock } = slots
  await load(slots, 20, 40, 200)
  for (let i = 0; i < 50; i++) {
    clock.advance(20 * MS)
    await app.inject('/abort').catch(() => {})
  }
  await load(slots, 2, 40, 200)
  t.equal(await readLimit(slots), 30)
  t.equal(await load(slots, 1, 40, 200), 10)
})

t.test('a reload keeps what was found, and applies new bounds', async (t) => {
  const slots = await createSlotApp(t, adaptive({ limit: 30 }))
  await load(slots, 20, 40, 110)
  await slots.app.rateLimit.reload({ concurrency: { max: 'adaptive', limit: 25 } })
  t.equal(await load(slots, 1, 40, 110), 15)
  t.equal(await readLimit(slots), 25)
})

t.test('wrong options are refused with their place', async (t) => {
  const refuses = (options: object, message: RegExp) => t.rejects(createSlotApp(t, options), { message })
  await refuses({ concurrency: { max: 'auto' } }, /rateLimit\.concurrency\.max: expected an integer from 1 to 1000000, or "adaptive", got "auto"/)
  await refuses({ concurrency: { max: 3, min: 1 } }, /rateLimit\.concurrency\.min: needs max: "adaptive"/)
  await refuses({ concurrency: { max: 3, limit: 9 } }, /rateLimit\.concurrency\.limit: needs max: "adaptive"/)
  await refuses(adaptive({ min: 9, limit: 8 }), /rateLimit\.concurrency\.min: expected at most 8, the `limit`, got 9/)
  await refuses(adaptive({ by: 'ip' }), /rateLimit\.concurrency\.by: expected "global", or nothing, with max: "adaptive", got "ip"/)
  await refuses(adaptive({ queue: {} }), /rateLimit\.concurrency\.queue: does not go with max: "adaptive"/)
  await refuses(adaptive({ lease: '5s' }), /rateLimit\.concurrency\.lease: has no effect with max: "adaptive"/)
  await refuses({ ...adaptive(), throttle: {} }, /rateLimit\.concurrency\.max: "adaptive" cannot measure requests that throttle may hold/)
  await refuses({ concurrency: { max: 3 }, tiers: { gold: { concurrency: { min: 2 } } } }, /rateLimit\.tiers\.gold\.concurrency\.min: needs max: "adaptive"/)
  await refuses({ tiers: { gold: { priority: 10 } } }, /rateLimit\.tiers\.gold\.priority: expected an integer from 0 to 9, got 10/)
})

t.test('inherited fields that have no meaning are not used', async (t) => {
  const slots = await createSlotApp(t, { max: 1000, timeWindow: 1000, concurrency: { max: 3, by: 'client', queue: { maxWait: '1s' } } }, (app, wait) => {
    app.get('/found', { config: { rateLimit: { concurrency: { max: 'adaptive', limit: 1 } } } }, wait)
  })
  t.strictSame(codesOf([await slots.send({ url: '/found' }), await slots.send({ url: '/found', remoteAddress: '203.0.113.9' })]), [null, 503])
})

t.test('explain shows the priority of a tier', async (t) => {
  const { app } = await createSlotApp(t, { ...adaptive(), ...tiers })
  const [{ options, tiers: explained }] = app.rateLimit.explain('GET /').policies
  const find = (all: typeof options, name: string) => all.find(({ option }) => option === name)?.value
  t.strictSame(['max', 'min', 'limit'].map((name) => find(options, `concurrency.${name}`)), ['adaptive', 1, 200])
  t.equal(find(options, 'priority'), undefined)
  t.equal(find(explained?.[0].options ?? [], 'priority'), 1)
})
