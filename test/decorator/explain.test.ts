import type { FastifyInstance } from 'fastify'
import t from 'tap'
import type { ExplainedPolicy, RateLimitOptions, RouteExplanation } from '../../lib/index.js'
import { buildRateLimitPlugin } from '../../lib/plugin/plugin.js'
import { bareApp, limitedApp } from '../fixtures/app.js'
import { ManualClock } from '../fixtures/manual-clock.js'

const reply = async () => 'hello'

/** What somebody has said of a policy: `max 5 from register (rateLimit.max)`. */
function said ({ options }: Pick<ExplainedPolicy, 'options'>): string[] {
  return options.filter(({ from }) => from !== 'built-in').map(({ option, value, from, place }) => `${option} ${JSON.stringify(value)} from ${from} (${place})`)
}

/** A verdict in words, with the names of the policies. */
function verdict ({ isKnown, method, url, state, reason, policies }: RouteExplanation): string {
  const why = reason === null ? '' : ` because of ${reason.option} ${JSON.stringify(reason.value)} from ${reason.from} (${reason.place})`
  return `${isKnown ? '' : 'unknown '}${method} ${url}: ${state}${why} [${policies.map(({ name, scope }) => name === scope ? name : `${name} in ${scope}`).join(', ')}]`
}

const rules = [
  { name: 'login', match: '/login', max: 5, timeWindow: '15 minutes' },
  { name: 'posts', match: '/:name', methods: ['POST'] },
  { name: 'forced', match: '/forced', override: true, max: 3, timeWindow: '1s' }
]

function declare (app: FastifyInstance): void {
  app.get('/login', reply)
  app.get('/own', { config: { rateLimit: { max: 2 } } }, reply)
  app.get('/cost', { config: { rateLimit: { cost: 2 } } }, reply)
  app.get('/group', { config: { rateLimit: { max: 2, timeWindow: '1s', groupId: 'search' } } }, reply)
  app.get('/off', { config: { rateLimit: false } }, reply)
  app.get('/forced', { config: { rateLimit: false } }, reply)
  app.get('/healthz', reply)
  app.route({ method: ['GET', 'POST'], url: '/both', handler: reply })
  app.get('/any/:id', reply)
  app.route({ method: ['GET', 'POST'], url: '/:page', handler: reply })
  app.get('/files/*', reply)
  app.register(async (child) => { child.get('/users/:id', reply) }, { prefix: '/api' })
}

const rows: ReadonlyArray<readonly [why: string, asked: string, expected: string, options?: RateLimitOptions]> = [
  ['nobody says anything of it', 'GET /any/:id', 'GET /any/:id: limited [default]'],
  ['a rule is for it', 'GET /login', 'GET /login: limited [rule:login]'],
  ['HEAD is what GET is', 'HEAD /login', 'GET /login: limited [rule:login]'],
  ['small letters are a method too', 'get /login', 'GET /login: limited [rule:login]'],
  ['it has limits of its own', 'GET /own', 'GET /own: limited [route:GET /own]'],
  ['it has a cost, and no limits', 'GET /cost', 'GET /cost: limited [route:GET /cost in default]'],
  ['it is in a group', 'GET /group', 'GET /group: limited [route:GET /group in group:search]'],
  ['it is switched off', 'GET /off', 'GET /off: off because of rateLimit false from route (GET /off config.rateLimit) []'],
  ['a rule overrides that', 'GET /forced', 'GET /forced: limited [rule:forced]'],
  ['nobody asked for it to be exempt', 'GET /healthz', 'GET /healthz: exempt because of exempt.routes "probes, metrics and documentation" from built-in (built in) []'],
  ['somebody asked for it', 'GET /any/:id', 'GET /any/:id: exempt because of exempt.routes ["/any/*"] from register (rateLimit.exempt.routes) []', { exempt: { routes: ['/any/*'] } }],
  ['the prefix is part of its pattern', 'GET /api/users/:id', 'GET /api/users/:id: limited [default]'],
  ['a rule is for one of its methods', 'POST /both', 'GET,POST /both: limited [rule:posts in default]'],
  ['no rule is for its other method', 'GET /both', 'GET,POST /both: limited [default]'],
  ['some of its paths have a rule', 'GET /:page', 'GET,POST /:page: by request [rule:login, rule:forced, default]'],
  ['each of its paths has one rule or the other', 'POST /:page', 'GET,POST /:page: by request [rule:login, rule:forced, rule:posts in default]'],
  ['only where a rule is', 'GET /:page', 'GET,POST /:page: by request because of global false from register (rateLimit.global) [rule:login, rule:forced]', { global: false }],
  ['global is false', 'GET /any/:id', 'GET /any/:id: off because of global false from register (rateLimit.global) []', { global: false }],
  ['global does not touch what has its own', 'GET /own', 'GET /own: limited [route:GET /own]', { global: false }],
  ['everything is switched off', 'GET /own', 'GET /own: off because of enabled false from register (rateLimit.enabled) []', { enabled: false }],
  ['a path that the router gives to it', 'GET /api/users/42?all=1', 'GET /api/users/:id: limited [default]'],
  ['a path below its wildcard', 'GET /files/a//b%20c', 'GET /files/*: limited [default]'],
  ['there is none', 'GET /no/such', 'unknown GET /no/such: limited [default]'],
  ['a pattern that is no route\'s', 'GET /no/:such', 'unknown GET /no/:such: limited [default]'],
  ['no pattern at all', 'GET /no/:such(', 'unknown GET /no/:such(: limited [default]'],
  ['a method that it does not have', 'DELETE /login', 'unknown DELETE /login: limited [rule:login]'],
  ['there is none, and global is false', 'GET /no/such', 'unknown GET /no/such: off because of global false from register (rateLimit.global) []', { global: false }],
  ['there is none, and everything is off', 'GET /no/such', 'unknown GET /no/such: off because of enabled false from register (rateLimit.enabled) []', { enabled: false }]
]

for (const [why, asked, expected, options] of rows) {
  t.test(`a route is explained: ${why} (${asked})`, async (t) => {
    const { app } = await limitedApp(t, { max: 100, rules, ...options })
    declare(app)
    await app.ready()
    const answer = app.rateLimit.explain(asked)
    t.equal(verdict(answer), expected)
    const [method, url] = asked.split(' ')
    t.strictSame(app.rateLimit.explain({ method, url }), answer)
    t.strictSame(JSON.parse(JSON.stringify(answer)), answer)
  })
}

t.test('each value is told with its layer, of a route, a rule and a tier', async (t) => {
  const clock = new ManualClock()
  const { app } = bareApp(t)
  await app.register(buildRateLimitPlugin(clock, { SLUICE_TIERS__GOLD__MAX: '60', SLUICE_MODE: 'shadow' }), {
    max: 5, timeWindow: '1h', tiers: { gold: { max: 50 }, inner: false }, rules: [{ name: 'login', match: '/login', max: 3, tiers: { gold: { by: 'ip' } } }]
  })
  app.get('/', reply)
  app.get('/login', { config: { rateLimit: { cost: () => 2 } } }, reply)
  app.get('/own', { config: { rateLimit: { max: () => 7 } } }, reply)
  await app.rateLimit.reload({ max: 9, hook: 'onRequest', rules: [{ name: 'login', timeWindow: '1s' }] })

  const [byDefault] = app.rateLimit.explain('GET /').policies
  t.strictSame(said(byDefault), ['max 9 from file (reload.max)', 'timeWindow "1h" from register (rateLimit.timeWindow)', 'mode "shadow" from environment (SLUICE_MODE)', 'hook "onRequest" from file (reload.hook)'])
  t.match(byDefault.options.find(({ option }) => option === 'algorithm'), { value: 'token-bucket', from: 'built-in', place: 'built in' })
  const [gold, inner] = byDefault.tiers
  t.match(gold, { name: 'gold', isUnlimited: false, scope: 'default' })
  t.match(said(gold), ['max 60 from environment (SLUICE_TIERS__GOLD__MAX)', 'timeWindow "1h" from register (rateLimit.timeWindow)'])
  t.match(inner, { name: 'inner', isUnlimited: true, scope: null })
  t.match(said(inner), ['tiers.inner false from register (rateLimit.tiers.inner)'])

  const [login] = app.rateLimit.explain('GET /login').policies
  t.match(login, { name: 'rule:login', scope: 'rule:login', hook: 'onRequest', tiers: [{ name: 'gold', scope: 'rule:login' }] })
  t.strictSame(said(login), [
    'match "/login" from register (rateLimit.rules[0].match)', 'max 3 from register (rateLimit.rules[0].max)', 'timeWindow "1s" from file (reload.rules[0].timeWindow)',
    'cost "a function" from route (GET /login config.rateLimit.cost)', 'mode "shadow" from environment (SLUICE_MODE)', 'hook "onRequest" from file (reload.hook)'
  ])
  t.match(said(login.tiers[0]), [/^match/, /^max 3/, /^timeWindow "1h"/, 'by "ip" from register (rateLimit.rules[0].tiers.gold.by)'])

  const [own] = app.rateLimit.explain('GET /own').policies
  t.match(said(own), ['max "a function" from route (GET /own config.rateLimit.max)', 'timeWindow "1h" from register (rateLimit.timeWindow)'])
  t.strictSame(own.tiers, [], 'limits of its own leave no tier of the default')
})

t.test('without a route, the default policy and all rules are explained, and no secret', async (t) => {
  const { app } = await limitedApp(t, { max: 5, name: 'shop', rules, tiers: { gold: { max: 9 } }, identify: { custom: () => null }, redis: { host: '127.0.0.1', port: 1, password: 'hush', lazyConnect: true, retryStrategy: () => null } })
  const { name, isEnabled, options, policies } = app.rateLimit.explain()
  t.strictSame({ name, isEnabled }, { name: 'shop', isEnabled: true })
  t.strictSame(policies.map(({ name, scope, tiers }) => [name, scope, tiers.map(({ name }) => name)]), [
    ['default', 'default', ['gold']], ['rule:login', 'rule:login', []], ['rule:posts', 'default', ['gold']], ['rule:forced', 'rule:forced', []]
  ])
  t.match(options.filter(({ option }) => ['redis', 'identify.custom', 'deadline'].includes(option)), [
    { option: 'identify.custom', value: 'a function', from: 'register', place: 'rateLimit.identify.custom' },
    { option: 'redis', value: '(not shown)', from: 'register', place: 'rateLimit.redis' },
    { option: 'deadline', value: 50, from: 'built-in', place: 'built in' }
  ])
  t.notMatch(JSON.stringify(app.rateLimit.explain()), 'hush')
})

t.test('after a reload it is the new set that is explained', async (t) => {
  const { app } = await limitedApp(t, { max: 5 })
  declare(app)
  await app.rateLimit.reload({ enabled: false })
  t.equal(verdict(app.rateLimit.explain('GET /any/:id')), 'GET /any/:id: off because of enabled false from file (reload.enabled) []')
  await app.rateLimit.reload({ rules: [{ name: 'new', match: '/any/*', max: 1, timeWindow: '1s' }] })
  t.equal(verdict(app.rateLimit.explain('GET /any/:id')), 'GET /any/:id: limited [rule:new]')
  await t.rejects(app.rateLimit.reload({ max: -1 }))
  t.equal(verdict(app.rateLimit.explain('GET /any/:id')), 'GET /any/:id: limited [rule:new]')
  t.strictSame(app.rateLimit.explain().policies.map(({ name }) => name), ['default', 'rule:new'])
})

const wrong: ReadonlyArray<readonly [why: string, asked: unknown, message: RegExp]> = [
  ['no method', '/login', /^rateLimit\.explain: expected a route such as "GET \/login".*got "\/login"/],
  ['nothing', '', /^rateLimit\.explain: expected/],
  ['no URL', 'GET', /^rateLimit\.explain: expected/],
  ['null', null, /^rateLimit\.explain: expected/],
  ['a list', ['GET /login'], /^rateLimit\.explain: expected/],
  ['a number', 7, /^rateLimit\.explain: expected/],
  ['no method', { url: '/login' }, /^rateLimit\.explain\.method: expected an HTTP method, got nothing/],
  ['no URL', { method: 'GET' }, /^rateLimit\.explain\.url: expected the pattern of a route, got nothing/],
  ['constraints in words', { method: 'GET', url: '/', constraints: '1.0.0' }, /^rateLimit\.explain\.constraints: expected an object/]
]

t.test('what is no route is refused', async (t) => {
  const { app } = await limitedApp(t, {})
  for (const [why, asked, message] of wrong) {
    t.throws(() => Reflect.apply(app.rateLimit.explain, null, [asked]), { code: 'FST_SLUICE_BAD_OPTION', message }, why)
  }
})
