import fc from 'fast-check'
import t from 'tap'
import { limitedApp, MS, SECOND, statuses } from '../fixtures/app.js'
import { algorithms } from '../fixtures/bucket.js'
import { assertPropertyAsync } from '../fixtures/property.js'

for (const algorithm of algorithms) {
  t.test(`${algorithm}: refused one millisecond before Retry-After is over, granted at it`, async (t) => {
    const { app, clock } = await limitedApp(t, { max: 3, timeWindow: '30s', algorithm })
    await statuses(app, 3)
    const refused = await app.inject('/')
    const seconds = Number(refused.headers['retry-after'])
    t.equal(seconds, algorithm === 'token-bucket' ? 10 : 30)
    clock.advance(seconds * SECOND - MS)
    t.strictSame(await statuses(app, 1), [429])
    clock.advance(MS)
    t.strictSame(await statuses(app, 1), [200])
  })

  t.test(`${algorithm}: request.rateLimit tells the wait to the millisecond`, async (t) => {
    const waits: unknown[] = []
    const { app, clock } = await limitedApp(t, { max: 7, timeWindow: 10_000, algorithm, onExceeded: (_request, { retryAfterMs }) => { waits.push(retryAfterMs) } })
    await statuses(app, 8)
    clock.advance(Number(waits[0]) * MS - MS)
    t.strictSame(await statuses(app, 1), [429])
    clock.advance(MS)
    t.strictSame(await statuses(app, 1), [200])
  })

  t.test(`${algorithm}: honouring Retry-After never fails`, async (t) => {
    const requests = fc.array(fc.record({ cost: fc.integer({ min: 1, max: 12 }), pauseMs: fc.integer({ min: 0, max: 3000 }) }), { minLength: 1, maxLength: 12 })
    const limits = fc.record({
      max: fc.integer({ min: 1, max: 12 }),
      windowMs: fc.integer({ min: 1, max: 5000 }),
      second: fc.option(fc.record({ max: fc.integer({ min: 1, max: 30 }), windowMs: fc.integer({ min: 1, max: 20_000 }) }), { nil: null })
    })
    await assertPropertyAsync(fc.tuple(limits, requests), 150, async ([{ max, windowMs, second }, sent]) => {
      const { app, clock } = await limitedApp(t, {
        limits: [
          { name: 'first', max, timeWindow: windowMs, algorithm },
          ...second === null ? [] : [{ name: 'second', max: second.max, timeWindow: second.windowMs }]
        ],
        cost: ({ headers }) => Number(headers['x-cost'])
      })
      const ask = (cost: number) => app.inject({ url: '/', headers: { 'x-cost': String(cost) } })
      for (const { cost, pauseMs } of sent) {
        clock.advance(pauseMs * MS)
        const { statusCode, headers } = await ask(cost)
        if (statusCode === 200) continue
        const isPossible = cost <= max && (second === null || cost <= second.max)
        if ((headers['retry-after'] !== undefined) !== isPossible) throw new Error(`cost ${cost}: Retry-After is ${headers['retry-after']}`)
        if (!isPossible) continue
        clock.advance(Number(headers['retry-after']) * SECOND)
        if ((await ask(cost)).statusCode !== 200) throw new Error(`cost ${cost}: refused after ${headers['retry-after']} s`)
      }
      await app.close()
    })
    t.pass()
  })
}
