import t from 'tap'
import type { FastifyInstance } from 'fastify'
import { bareApp, statuses } from '../fixtures/app.js'

const other = { groupId: 'jobs', max: 2, timeWindow: '1 minute' } as const

/** A limiter in a scope of its own, for routes outside of it: their requests were never decorated. */
async function limiterInAScope (app: FastifyInstance, plugin: ReturnType<typeof bareApp>['plugin']) {
  const scopes: FastifyInstance[] = []
  await app.register(async (scope) => {
    await scope.register(plugin, { max: 1, timeWindow: '1 minute', global: false })
    scopes.push(scope)
  })
  return scopes[0].rateLimit
}

t.test('a check decides about requests of routes outside the registration', async (t) => {
  const { app, plugin } = bareApp(t)
  const limiter = await limiterInAScope(app, plugin)
  app.get('/', async (request, reply) => {
    const decisions = [await limiter.check(request), await limiter.check(request, other)]
    return reply.code(decisions.some((decision) => decision?.outcome === 'rejected') ? 429 : 200).send()
  })
  t.strictSame(await statuses(app, 2), [200, 429])
})

t.test('what such a check took is charged and refunded', async (t) => {
  const { app, plugin } = bareApp(t)
  const limiter = await limiterInAScope(app, plugin)
  app.get('/', async (request) => {
    const looked = await limiter.check(request, { ...other, cost: 0 })
    await looked?.charge(1)
    await (await limiter.check(request, other))?.refund(1)
    return 'done'
  })
  t.equal((await app.inject('/')).body, 'done')
  t.match(await limiter.peek('ip:127.0.0.1'), [{ scope: 'default', remaining: 1 }, { scope: 'group:jobs', remaining: 1, limit: 2 }])
})

t.test('a guard limits routes outside the registration', async (t) => {
  const { app, plugin } = bareApp(t)
  const limiter = await limiterInAScope(app, plugin)
  const guard = limiter.guard(other)
  app.get('/', { preHandler: [guard, guard] }, async () => 'hello')
  t.strictSame(await statuses(app, 3), [200, 200, 429])
})
