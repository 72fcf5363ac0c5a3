import t from 'tap'
import { limitedApp, remainders } from '../fixtures/app.js'

const head = (url: string) => ({ method: 'HEAD', url }) as const

t.test('HEAD and GET share the default policy', async (t) => {
  const { app } = await limitedApp(t, { max: 5, timeWindow: '1 minute' })
  t.strictSame(await remainders(app, '/', head('/'), '/'), [4, 3, 2])
})

t.test('HEAD and GET share the limit of a route', async (t) => {
  const { app } = await limitedApp(t, { max: 5, timeWindow: '1 minute' })
  app.get('/own', { config: { rateLimit: { max: 3 } } }, async () => 'own')
  t.strictSame(await remainders(app, '/own', head('/own'), '/own'), [2, 1, 0])
})

t.test('a HEAD route declared by hand shares the limit of the GET route', async (t) => {
  const { app } = await limitedApp(t, { max: 5, timeWindow: '1 minute' })
  app.head('/own', { config: { rateLimit: { max: 3 } } }, async () => '')
  app.get('/own', { config: { rateLimit: { max: 3 } } }, async () => 'own')
  t.strictSame(await remainders(app, '/own', head('/own'), '/own'), [2, 1, 0])
})

t.test('HEAD shares the limit of a route for several methods', async (t) => {
  const { app } = await limitedApp(t, { max: 5, timeWindow: '1 minute' })
  app.route({ method: ['GET', 'POST'], url: '/own', config: { rateLimit: { max: 3 } }, handler: async () => 'own' })
  t.strictSame(await remainders(app, '/own', head('/own'), { method: 'POST', url: '/own' }), [2, 1, 0])
})

t.test('a refused HEAD has the headers of the refusal and no body', async (t) => {
  const { app } = await limitedApp(t, { max: 1, timeWindow: '1 minute' })
  await app.inject('/')
  const response = await app.inject(head('/'))
  t.equal(response.statusCode, 429)
  t.equal(response.headers['retry-after'], '60')
  t.equal(response.body, '')
})

for (const hook of ['preParsing', 'preValidation', 'preHandler'] as const) {
  t.test(`HEAD is counted once in ${hook}`, async (t) => {
    const { app } = await limitedApp(t, { max: 5, timeWindow: '1 minute', hook })
    app.get('/own', { config: { rateLimit: { max: 3 } } }, async () => 'own')
    t.strictSame(await remainders(app, head('/'), '/', head('/own'), '/own'), [4, 3, 2, 1])
  })
}
