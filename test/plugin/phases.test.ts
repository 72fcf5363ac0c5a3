import type { FastifyRequest, onRequestHookHandler, preHandlerHookHandler } from 'fastify'
import t from 'tap'
import { bareApp, limitedApp, remainders, statuses } from '../fixtures/app.js'

const phases = ['onRequest', 'preParsing', 'preValidation', 'preHandler'] as const

/** Whether the request was decided when a hook ran. */
function isDecided (request: FastifyRequest): boolean {
  return request.rateLimit !== null
}

for (const hook of phases) {
  t.test(`in ${hook} the default policy, a route's own and unknown URLs are counted once`, async (t) => {
    const { app } = await limitedApp(t, { max: 5, timeWindow: '1 minute', hook })
    app.get('/own', { config: { rateLimit: { max: 3 } } }, async () => 'own')
    t.strictSame(await remainders(app, '/', '/no/such', '/own', '/'), [4, 3, 2, 2])
  })

  t.test(`a refusal in ${hook} keeps the handler from running`, async (t) => {
    const { app } = await limitedApp(t, { max: 1, timeWindow: '1 minute', hook })
    let calls = 0
    app.post('/work', async () => { calls++ })
    t.strictSame(await statuses(app, 2, { method: 'POST', url: '/work', payload: { some: 'body' } }), [200, 429])
    t.equal(calls, 1)
  })

  t.test(`a route declared earlier follows the registration's ${hook}`, async (t) => {
    const { app, plugin } = bareApp(t)
    const decided: boolean[] = []
    app.get('/', { onRequest: async (request) => { decided.push(isDecided(request)) } }, async () => 'hello')
    app.register(plugin, { max: 5, timeWindow: '1 minute', hook })
    t.strictSame(await remainders(app, '/', '/'), [4, 3])
    t.strictSame(decided, Array(2).fill(hook === 'onRequest'), 'instance hooks run before the route\'s own')
  })
}

t.test('in a later phase the limit is the last of the route\'s own hooks', async (t) => {
  const { app } = await limitedApp(t, { max: 5, timeWindow: '1 minute', hook: 'preHandler' })
  const decided: boolean[] = []
  const look: preHandlerHookHandler = (request, _reply, done) => { decided.push(isDecided(request)); done() }
  app.addHook('preHandler', look)
  app.get('/one', { preHandler: look }, async () => 'one')
  app.get('/two', { preHandler: [look, look] }, async (request) => { decided.push(isDecided(request)) })
  await app.inject('/one')
  t.strictSame(decided.splice(0), [false, false])
  await app.inject('/two')
  t.strictSame(decided, [false, false, false, true])
})

t.test('in onRequest the limit runs before the route\'s own hooks', async (t) => {
  const { app } = await limitedApp(t, { max: 5, timeWindow: '1 minute' })
  const decided: boolean[] = []
  const look: onRequestHookHandler = (request, _reply, done) => { decided.push(isDecided(request)); done() }
  app.get('/one', { onRequest: look, config: { rateLimit: { max: 2 } } }, async () => 'one')
  await app.inject('/one')
  t.strictSame(decided, [true])
})

t.test('the user\'s own array of hooks is not changed', async (t) => {
  const { app } = await limitedApp(t, { max: 5, timeWindow: '1 minute' })
  const hooks: preHandlerHookHandler[] = [(_request, _reply, done) => { done() }]
  const config = { rateLimit: { max: 3, hook: 'preHandler' as const } }
  app.get('/one', { preHandler: hooks, config }, async () => 'one')
  app.get('/two', { preHandler: hooks, config }, async () => 'two')
  t.equal(hooks.length, 1)
  t.strictSame(Object.keys(config), ['rateLimit'])
  t.strictSame(await remainders(app, '/one', '/two', { method: 'HEAD', url: '/one' }), [2, 2, 1])
})

t.test('a route may be counted in another phase than the registration says', async (t) => {
  const { app } = await limitedApp(t, { max: 5, timeWindow: '1 minute', hook: 'preHandler' })
  const early: boolean[] = []
  const onRequest: onRequestHookHandler = (request, _reply, done) => { early.push(isDecided(request)); done() }
  app.get('/early', { onRequest, config: { rateLimit: { hook: 'onRequest' } } }, async () => 'early')
  app.get('/late', { onRequest, config: { rateLimit: { hook: 'preValidation' } } }, async () => 'late')
  t.strictSame(await remainders(app, '/early', '/late'), [4, 3])
  t.strictSame(early, [true, false])
})

t.test('a route declared earlier with a phase of its own is counted in onRequest, and a warning says so', async (t) => {
  const { app, plugin } = bareApp(t)
  app.get('/early', { config: { rateLimit: { max: 3, hook: 'preHandler' } } }, async () => 'early')
  app.register(plugin, { max: 5, timeWindow: '1 minute' })
  const warned = new Promise<Error>((resolve) => { process.once('warning', resolve) })
  t.strictSame(await remainders(app, '/early', '/early'), [2, 1])
  t.match(await warned, { code: 'FST_SLUICE_WARN_LATE_HOOK', message: /GET \/early was declared before/ })
})
