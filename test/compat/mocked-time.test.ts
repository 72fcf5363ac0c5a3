// Applications test their limits with a mocked Date: it moves the windows of the original, so it moves these.
import { mock } from 'node:test'
import t from 'tap'
import fastify from 'fastify'
import { createDateClock } from '../../lib/common/clock.js'
import { fastifyRateLimit } from '../../lib/compat/index.js'
import { createRouteConfig } from './side-by-side.js'

async function createApp (options: object) {
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(fastifyRateLimit, { max: 1, timeWindow: 1000, ...options })
  app.get('/', async () => 'hello')
  app.get('/own', createRouteConfig({ max: 2, exponentialBackoff: true }), async () => 'own')
  return async (url = '/') => (await app.inject(url)).statusCode
}

for (const [title, options] of [['plain', {}], ['ban', { ban: 5 }], ['function', { timeWindow: () => 1000 }]] as const) {
  t.test(`a window ends when a mocked Date says so: ${title}`, async (t) => {
    // From 0, as node:test begins by default: back from the real time.
    mock.timers.enable({ apis: ['Date'] })
    t.teardown(() => { mock.timers.reset() })
    const request = await createApp(options)
    t.strictSame([await request(), await request()], [200, 429])
    mock.timers.tick(999)
    t.equal(await request(), 429)
    mock.timers.tick(1)
    t.strictSame([await request(), await request()], [200, 429])
  })
}

t.test('a Date that is mocked after the start, and restored', async (t) => {
  const request = await createApp({ timeWindow: '1 hour' })
  t.strictSame([await request(), await request()], [200, 429])
  mock.timers.enable({ apis: ['Date'], now: 1000 })
  t.teardown(() => { mock.timers.reset() })
  t.equal(await request(), 429, 'a step back begins no window')
  mock.timers.tick(3_600_000)
  t.strictSame([await request(), await request()], [200, 429])
})

t.test('the clock never steps back', async (t) => {
  mock.timers.enable({ apis: ['Date'], now: 5000 })
  t.teardown(() => { mock.timers.reset() })
  const clock = createDateClock()
  const startUs = clock.nowUs()
  mock.timers.setTime(7000)
  t.equal(clock.nowUs() - startUs, 2_000_000)
  mock.timers.setTime(1000)
  t.equal(clock.nowUs() - startUs, 2_000_000)
  mock.timers.setTime(1500)
  t.equal(clock.nowUs() - startUs, 2_500_000)
})
