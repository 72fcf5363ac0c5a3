import type { InjectOptions } from 'fastify'
import t from 'tap'
import type { RateLimitOptions, RouteRateLimit } from '../../lib/index.js'
import { bareApp, limitedApp, remainders, statuses } from '../fixtures/app.js'

const post = (url: string): InjectOptions => ({ method: 'POST', url })
const head = (url: string): InjectOptions => ({ method: 'HEAD', url })

t.test('routes of one rule share its bucket, and other routes keep the default one', async (t) => {
  const { app } = await limitedApp(t, { max: 100, rules: [{ name: 'api', match: '/api/*', max: 10, timeWindow: '1 minute' }] })
  app.get('/api/a', async () => 'a')
  app.get('/api/b/:id', async () => 'b')
  t.strictSame(await remainders(app, '/api/a', '/api/b/1', head('/api/a'), '/'), [9, 8, 7, 99])
})

t.test('a rule has routes below a prefix, and its match is the whole path', async (t) => {
  const { app } = await limitedApp(t, { max: 100, rules: [{ name: 'api', match: '/v1/items', max: 10 }] })
  app.register(async (child) => {
    child.get('/items', async () => 'items')
    child.get('/', async () => 'root')
  }, { prefix: '/v1' })
  t.strictSame(await remainders(app, '/v1/items', '/v1/items', '/v1/'), [9, 8, 99])
})

t.test('a rule has a route that was declared before the plugin', async (t) => {
  const { app, plugin } = bareApp(t)
  app.get('/api/a', async () => 'a')
  app.get('/users/:id', async () => 'user')
  app.register(plugin, { max: 100, rules: [{ name: 'api', match: '/api/*', max: 10 }, { name: 'me', match: '/users/me', max: 20 }] })
  t.strictSame(await remainders(app, '/api/a', head('/api/a'), '/users/me', '/users/you'), [9, 8, 19, 99])
})

const configs: ReadonlyArray<readonly [config: RouteRateLimit | false | undefined, ordinary: number, override: number, why: string]> = [
  [undefined, 9, 9, 'it has no config'],
  [{ max: 50 }, 49, 9, 'it has a limit of its own'],
  [{ limits: [{ name: 'own', max: 50, timeWindow: 1000 }] }, 49, 9, 'it has limits of its own'],
  [{ groupId: 'shared', max: 50 }, 49, 9, 'it has a group of its own'],
  [false, NaN, 9, 'it is switched off']
]

for (const [rateLimit, ordinary, override, why] of configs) {
  t.test(`a route with ${JSON.stringify(rateLimit)} has ${ordinary} left, or ${override} under a rule that overrides: ${why}`, async (t) => {
    for (const [isOverride, expected] of [[undefined, ordinary], [false, ordinary], [true, override]] as const) {
      const { app } = await limitedApp(t, { max: 100, rules: [{ name: 'api', match: '/api/*', override: isOverride, max: 10 }] })
      app.get('/api/a', { config: { rateLimit } }, async () => 'a')
      t.strictSame(await remainders(app, '/api/a'), [expected])
    }
  })
}

t.test('where rules by method meet on one route, each request has its own', async (t) => {
  const { app } = await limitedApp(t, { max: 100, rules: [{ name: 'any', match: '/a', max: 20 }, { name: 'write', match: '/a', methods: ['post', 'PUT'], max: 10 }] })
  app.route({ method: ['GET', 'POST', 'PUT'], url: '/a', handler: async () => 'a' })
  t.strictSame(await remainders(app, '/a', head('/a'), post('/a'), { method: 'PUT', url: '/a' }), [19, 18, 9, 8])
})

t.test('an unknown URL has the rule of its path, whether or not the default is for all', async (t) => {
  for (const global of [true, false]) {
    const { app } = await limitedApp(t, { max: 100, global, rules: [{ name: 'api', match: '/api/*', max: 10 }] })
    t.strictSame(await remainders(app, '/api/none', '/api//NONE/..', post('/%61pi'), '/none'), [9, 8, 7, global ? 99 : NaN])
  }
})

t.test('without global, rules are for their routes and nothing else is counted', async (t) => {
  const { app } = await limitedApp(t, { global: false, max: 100, rules: [{ name: 'me', match: '/users/me', max: 10 }, { name: 'mild', match: '/mild', cost: 2 }] })
  app.get('/users/:id', async () => 'user')
  app.get('/mild', async () => 'mild')
  t.strictSame(await remainders(app, '/users/me', '/users/you', '/', '/mild'), [9, NaN, NaN, 98])
})

t.test('a rule without limit fields keeps the default limits and their buckets', async (t) => {
  const { app } = await limitedApp(t, { max: 100, rules: [{ name: 'costly', match: '/costly', cost: 5 }, { name: 'quiet', match: '/quiet', mode: 'shadow' }] })
  app.get('/costly', async () => 'costly')
  t.strictSame(await remainders(app, '/', '/costly', '/'), [99, 94, 93])
})

t.test('rules and routes with one group share its buckets', async (t) => {
  const { app } = await limitedApp(t, { max: 100, rules: [{ name: 'one', match: '/one', groupId: 'shared', max: 10 }, { name: 'two', match: '/two', groupId: 'shared', max: 10 }] })
  for (const url of ['/one', '/two']) app.get(url, async () => url)
  app.get('/three', { config: { rateLimit: { groupId: 'shared', max: 10 } } }, async () => 'three')
  t.strictSame(await remainders(app, '/one', '/two', '/three'), [9, 8, 7])
})

t.test('a rule has tiers of its own, also unlimited ones', async (t) => {
  const { app } = await limitedApp(t, {
    max: 100,
    identify: { custom: ({ headers: { tier } }) => typeof tier === 'string' ? { id: tier, tier } : null },
    rules: [{ name: 'api', match: '/api/:id', max: 10, tiers: { premium: { max: 30 }, internal: false } }]
  })
  app.get('/api/:id', async () => 'a')
  const as = (tier: string): InjectOptions => ({ url: '/api/1', headers: { tier } })
  t.strictSame(await remainders(app, '/api/1', as('standard'), as('premium'), as('internal')), [9, 9, 29, NaN])
})

const phases = ['onRequest', 'preParsing', 'preValidation', 'preHandler'] as const

for (const hook of phases) {
  t.test(`a rule in ${hook} counts each request once, refuses there, and leaves the others to theirs`, async (t) => {
    for (const base of phases) {
      const { app } = await limitedApp(t, { max: 100, hook: base, rules: [{ name: 'me', match: '/users/me', hook, max: 2 }, { name: 'static', match: '/static', hook, max: 2 }] })
      let calls = 0
      app.get('/users/:id', async () => ++calls)
      app.get('/static', async () => ++calls)
      t.strictSame(await remainders(app, '/users/me', '/users/you', head('/users/me'), '/users/you'), [1, 99, 0, 98], `beside ${base}`)
      t.strictSame(await remainders(app, '/static', head('/static')), [1, 0])
      t.strictSame([...await statuses(app, 1, '/users/me'), ...await statuses(app, 1, '/static')], [429, 429])
      t.equal(calls, 6)
    }
  })
}

t.test('what validation makes of a parameter takes no request from its rule to one whose phase is over', async (t) => {
  const { app } = await limitedApp(t, {
    max: 100,
    rules: [{ name: 'sold', match: '/items/007', hook: 'preHandler', max: 10 }, { name: 'other', match: '/items/7', max: 20 }]
  })
  app.get('/items/:id', { schema: { params: { type: 'object', properties: { id: { type: 'integer' } } } } }, async () => 'item')
  t.strictSame(await remainders(app, '/items/007', '/items/7', '/items/8'), [9, 19, 99])
})

const wrong: ReadonlyArray<readonly [rule: Record<string, unknown>, code: string, message: string]> = [
  [{ match: 'api' }, 'BAD_OPTION', '.match: expected a pattern such as "/api/*/reports" (a pattern begins with "/"), got "api"'],
  [{ match: '/a/**' }, 'BAD_OPTION', '.match: expected a pattern such as "/api/*/reports" (a "*" must be a whole segment), got "/a/**"'],
  [{ match: /a/ }, 'BAD_OPTION', '.match: expected a pattern such as "/api/*/reports", got an object'],
  [{ match: undefined }, 'BAD_OPTION', '.match: expected a pattern such as "/api/*/reports", got nothing'],
  [{ name: 'first' }, 'CONTRADICTION', '.name: rateLimit.rules[0] has the name "first" already'],
  [{ name: '' }, 'BAD_OPTION', '.name: expected a name of letters, digits, ".", "_" and "-", at most 64, got ""'],
  [{ methods: [] }, 'BAD_OPTION', '.methods: expected an array of HTTP methods, got an array of 0'],
  [{ methods: ['GET', 'P ST'] }, 'BAD_OPTION', '.methods[1]: expected an HTTP method, got "P ST"'],
  [{ override: 'yes' }, 'BAD_OPTION', '.override: expected true or false, got "yes"'],
  [{ timeWindow: '10 parsecs' }, 'BAD_OPTION', '.timeWindow: expected a duration such as "10s" or a number of milliseconds, got "10 parsecs"'],
  [{ overide: true }, 'UNKNOWN_OPTION', '.overide: unknown option, did you mean "override"?']
]

for (const [rule, code, message] of wrong) {
  t.test(`register refuses rules[2]${message}`, async (t) => {
    const { app, plugin } = bareApp(t)
    const rules = [{ name: 'first', match: '/first' }, { name: 'second', match: '/second' }, { name: 'third', match: '/third', ...rule }]
    const error = await app.register(plugin, { rules } as RateLimitOptions).then(() => null, (error) => error)
    t.strictSame([error?.code, error?.message], [`FST_SLUICE_${code}`, `rateLimit.rules[2]${message}`])
  })
}
