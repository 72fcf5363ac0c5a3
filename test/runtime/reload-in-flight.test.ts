// Requests that are on their way while the limits change.
import type { LightMyRequestResponse } from 'fastify'
import t from 'tap'
import { remainders, statuses } from '../fixtures/app.js'
import { createStoreApp, eachStore } from '../fixtures/each-store.js'
import { ALGORITHMS } from '../fixtures/limits.js'
import { createGate, addGate, type Gate } from '../fixtures/reload-gate.js'
import { until } from '../fixtures/until.js'

const WINDOW = { timeWindow: '100 hours' }

async function sendAll ({ send }: Gate, times: number) {
  const sent: Array<Promise<LightMyRequestResponse>> = []
  for (let i = 0; i < times; i++) sent.push((await send('/')).response)
  return async () => await Promise.all(sent)
}

t.test('on each store', async (t) => {
  for (const store of await eachStore()) {
    for (const algorithm of ALGORITHMS) {
      t.test(`${store.name}, ${algorithm}: requests of a smaller set empty nothing that was used of the larger one`, async (t) => {
        const { app } = await createStoreApp(t, store, { ...WINDOW, max: 10, algorithm, hook: 'preHandler' })
        const gate = addGate(app, 'preValidation')
        const answers = await sendAll(gate, 3)
        await app.rateLimit.reload({ max: 100 })
        t.strictSame([...new Set(await statuses(app, 60))], [200])
        gate.open()
        for (const { headers } of await answers()) t.equal(headers['x-ratelimit-limit'], '10', 'they are of their own set')
        const [left] = await remainders(app, '/')
        t.ok(left >= 36 && left <= 39, `${left} left of 100, after 61 to 64`)
      })

      t.test(`${store.name}, ${algorithm}: requests of a larger set get no more than it has left`, async (t) => {
        // By a key: otherwise the address is refused before the gate for its requests in flight.
        const { app } = await createStoreApp(t, store, { ...WINDOW, max: 30, algorithm, hook: 'preHandler', keyGenerator: () => 'one' })
        const gate = addGate(app, 'preValidation')
        await statuses(app, 20)
        const answers = await sendAll(gate, 15)
        await app.rateLimit.reload({ max: 10 })
        t.strictSame(await statuses(app, 2), [429, 429])
        gate.open()
        const granted = (await answers()).filter(({ statusCode }) => statusCode === 200).length
        t.ok(granted <= 10, `${granted} granted`)
        t.strictSame(await statuses(app, 2), [429, 429])
      })

      t.test(`${store.name}, ${algorithm}: what is given back to a bucket that has other numbers by now is that much, and no more`, async (t) => {
        const { app } = await createStoreApp(t, store, { ...WINDOW, max: 10, algorithm, cost: 2, refundOn: ['2xx'] })
        const gate = addGate(app, 'preHandler')
        const answers = await sendAll(gate, 2)
        await app.rateLimit.reload({ max: 100, cost: 1, refundOn: [] })
        await statuses(app, 50)
        t.strictSame(await remainders(app, '/'), [45])
        gate.open()
        await answers()
        // Units are given back to Redis without waiting for it.
        await until('both refunds', 30_000, async () => (await app.rateLimit.peek('ip:127.0.0.1')).some(({ remaining }) => remaining === 49))
        t.strictSame(await remainders(app, '/'), [48])
        await app.rateLimit.reload({ max: 60, timeWindow: '10 hours', cost: 1, refundOn: [] })
        t.strictSame(await remainders(app, '/'), [7])
      })

      t.test(`${store.name}, ${algorithm}: what is charged after the work is charged to the bucket as it is by then`, async (t) => {
        const { app } = await createStoreApp(t, store, { ...WINDOW, max: 10, algorithm })
        const { wait, send, open } = createGate(app, 'work')
        app.get('/work', async (request) => {
          await wait(request)
          await request.rateLimit?.charge(20)
          return 'done'
        })
        const { response } = await send('/work')
        await app.rateLimit.reload({ max: 100 })
        await statuses(app, 40)
        open()
        await response
        t.strictSame(await remainders(app, '/'), [38])
      })
    }
  }
})
