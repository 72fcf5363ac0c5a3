// createRateLimit and rateLimit, with the same requests into both plugins.
import t from 'tap'
import type { FastifyInstance } from 'fastify'
import { createRouteConfig, getDecorators, createCompatSide, assertSame, repeatStep, type Options } from './side-by-side.js'

/** A route that answers what a limiter says: one that counts, or, by `?peek`, one that looks. */
function limiterRoute (app: FastifyInstance, url: string, options?: Options): void {
  const check = getDecorators(app).createRateLimit(options)
  app.get<{ Querystring: { peek?: string } }>(url, createRouteConfig(false), async (request) => await check(request, 'peek' in request.query ? { increment: false } : undefined))
}

t.test('a limiter answers where the client stands', async (t) => {
  const one = { options: { max: 9 }, routes (app: FastifyInstance) { limiterRoute(app, '/check', { max: 2, timeWindow: '10s' }) } }
  await assertSame(t, one, '/check', 4000, '/check', '/check', 6000, '/check')
})

t.test('a limiter without options has the count of the plugin', async (t) => {
  const one = { options: { max: 3, allowList: ['192.0.2.1'] }, routes (app: FastifyInstance) { limiterRoute(app, '/check') } }
  const allowed = { url: '/check', remoteAddress: '192.0.2.1' }
  t.strictSame(await assertSame(t, one, '/', '/check', '/', '/check', allowed), [200, 200, 200, 200, 200])
})

t.test('a limiter with the plugin\'s functions', async (t) => {
  const one = {
    options: { max: 3, keyGenerator: async () => 'k', timeWindow: async () => 5000 },
    routes (app: FastifyInstance) { limiterRoute(app, '/check', { max: async (_request: unknown, key: string) => key === 'k' ? 1 : 9 }) }
  }
  await assertSame(t, one, '/check', '/check', 5000, '/check')
})

t.test('a look counts nothing', async (t) => {
  const one = { options: {}, routes (app: FastifyInstance) { limiterRoute(app, '/check', { max: 3, timeWindow: 5000 }) } }
  await assertSame(t, one, '/check?peek', '/check', 1000, '/check?peek', '/check?peek', '/check', 4000, '/check?peek')
})

t.test('a look after a refusal tells of it', async (t) => {
  const one = { options: {}, routes (app: FastifyInstance) { limiterRoute(app, '/check', { max: 1, timeWindow: 5000, ban: 0 }) } }
  await assertSame(t, one, '/check', '/check', '/check?peek')
})

t.test('a hook limits unknown URLs, by the count of the plugin', async (t) => {
  const one = {
    options: { max: 2 },
    routes (app: FastifyInstance) { app.setNotFoundHandler({ preHandler: getDecorators(app).rateLimit() }, (_request, reply) => reply.code(404).send('none')) }
  }
  t.strictSame(await assertSame(t, one, '/no', '/', '/such', '/'), [404, 200, 429, 429])
})

t.test('a hook with options has a count of its own', async (t) => {
  const one = {
    options: (record: (call: string) => void) => ({ max: 9, onExceeded: () => record('exceeded') }),
    routes (app: FastifyInstance) {
      app.setNotFoundHandler({ preHandler: getDecorators(app).rateLimit({ max: 1, timeWindow: 1000 }) }, (_request, reply) => reply.code(404).send('none'))
    }
  }
  t.strictSame(await assertSame(t, one, '/no', '/', '/such', 1000, '/no'), [404, 200, 429, 404])
})

t.test('a hook on a route is charged once beside the plugin\'s own', async (t) => {
  const one = {
    options: { max: 2 },
    routes (app: FastifyInstance) {
      const hook = getDecorators(app).rateLimit()
      app.get('/twice', { onRequest: hook, preHandler: [hook, getDecorators(app).rateLimit()] }, async () => 'twice')
    }
  }
  t.strictSame(await assertSame(t, one, ...repeatStep(3, '/twice')), [200, 200, 429])
})

t.test('both may be asked for in a scope', async (t) => {
  const one = {
    options: { max: 2 },
    routes (app: FastifyInstance) { app.register(async (scope) => { limiterRoute(scope, '/check', { max: 1 }) }) }
  }
  await assertSame(t, one, ...repeatStep(2, '/check'))
})

t.test('two registrations in one scope both limit', async (t) => {
  const { app, run } = await createCompatSide(t, { options: { max: 9 }, routes (app) { app.get('/own', createRouteConfig({ max: 1 }), async () => 'own') } })
  t.strictSame((await run('/own', '/own')).map(({ status }) => status), [200, 429])
  t.ok(app.hasDecorator('createRateLimit'))
})

t.test('a hook that is created for each request limits, and equal limiters at the start count apart', async (t) => {
  const { run } = await createCompatSide(t, {
    options: { max: 9 },
    routes (app: FastifyInstance) {
      const { rateLimit, createRateLimit } = getDecorators(app)
      app.get('/each', createRouteConfig(false), async (request, reply) => {
        await rateLimit({ max: 2, keyGenerator: () => 'k' })(request, reply)
        return 'each'
      })
      const [a, b] = [createRateLimit({ max: 5 }), createRateLimit({ max: 5 })]
      app.get('/both', createRouteConfig(false), async (request) => [(await a(request)).remaining, (await b(request)).remaining])
    }
  })
  const responses = await run(...repeatStep(3, '/each'), '/both')
  t.strictSame(responses.map(({ status }) => status), [200, 200, 429, 200])
  t.equal(responses[3].body, '[4,4]')
})

t.test('a hook with a countdown that is created for each request refuses', async (t) => {
  const { run } = await createCompatSide(t, {
    options: { max: 9 },
    routes (app: FastifyInstance) {
      let leftMs = 60_000
      app.get('/each', createRouteConfig(false), async (request, reply) => {
        await getDecorators(app).rateLimit({ max: 2, timeWindow: () => --leftMs })(request, reply)
        return 'each'
      })
    }
  })
  t.strictSame((await run(...repeatStep(4, '/each'))).map(({ status }) => status), [200, 200, 429, 429])
})

t.test('limiters that are created for each request, and differ only by a function, count apart', async (t) => {
  const { run } = await createCompatSide(t, {
    options: { max: 9 },
    routes (app: FastifyInstance) {
      const { createRateLimit } = getDecorators(app)
      const maxes = { one: () => 1, two: () => 2 }
      for (const name of ['one', 'two'] as const) {
        app.get(`/${name}`, createRouteConfig(false), async (request) => (await createRateLimit({ max: maxes[name] })(request)).isExceeded)
      }
    }
  })
  const responses = await run('/one', '/two', '/one', '/two', '/two')
  t.strictSame(responses.map(({ body }) => body), ['false', 'false', 'true', 'false', 'true'])
})
