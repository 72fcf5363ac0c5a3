// Each option of the original, with the same requests into both plugins.
import t from 'tap'
import type { FastifyRequest } from 'fastify'
import { createRouteConfig, assertSame, repeatStep, type TestCase, type Step } from './side-by-side.js'

interface Row {
  readonly title: string
  readonly one: TestCase
  readonly steps: readonly Step[]
  readonly statuses: readonly number[]
}

const MINUTE = 60_000

const from = (remoteAddress: string, url = '/') => ({ url, remoteAddress })
const by = (key: string, url = '/') => ({ url, headers: { key } })
const byHeader = (request: FastifyRequest) => String(request.headers.key)

const rows: readonly Row[] = [
  // global
  { title: 'every route shares one count by default', one: { options: { max: 2 }, routes (app) { app.get('/b', async () => 'b') } }, steps: ['/', '/b', '/'], statuses: [200, 200, 429] },
  { title: 'global: false limits only routes with a config', one: { options: { max: 1, global: false }, routes (app) { app.get('/b', createRouteConfig({}), async () => 'b') } }, steps: ['/', '/', '/b', '/b'], statuses: [200, 200, 200, 429] },
  { title: 'unknown URLs are not counted', one: { options: { max: 1 } }, steps: repeatStep(3, '/no/such'), statuses: [404, 404, 404] },
  { title: 'routes from before the plugin are not counted', one: { options: { max: 1 }, before (app) { app.get('/early', async () => 'early') } }, steps: repeatStep(3, '/early'), statuses: [200, 200, 200] },
  // max
  { title: 'max is 1000 a minute when nothing is said', one: { options: {} }, steps: ['/', MINUTE - 1000, '/', 1000, '/'], statuses: [200, 200, 200] },
  { title: 'max: 0 refuses the first request', one: { options: { max: 0 } }, steps: ['/'], statuses: [429] },
  { title: 'a fraction of max is cut off', one: { options: { max: 1.9 } }, steps: ['/', '/'], statuses: [200, 429] },
  { title: 'max by an async function of the request and the key', one: { options: { keyGenerator: byHeader, max: async (request: FastifyRequest, key: string) => key === 'pro' && request.url === '/' ? 2 : 1 } }, steps: [...repeatStep(3, by('pro')), ...repeatStep(2, by('free'))], statuses: [200, 200, 429, 200, 429] },
  // timeWindow
  { title: 'a window begins with its first request', one: { options: { max: 1, timeWindow: 1000 } }, steps: ['/', 999, '/', 1, '/', '/'], statuses: [200, 429, 200, 429] },
  { title: 'timeWindow in words', one: { options: { max: 1, timeWindow: '2 hours' } }, steps: ['/', 3_600_000, '/', 3_600_000, '/'], statuses: [200, 429, 200] },
  { title: 'timeWindow by an async function', one: { options: { max: 1, keyGenerator: byHeader, timeWindow: async (_request: unknown, key: string) => key === 'slow' ? 5000 : 1000 } }, steps: [by('slow'), by('fast'), 1000, by('slow'), by('fast')], statuses: [200, 200, 429, 200] },
  { title: 'the wait is told in whole seconds, rounded up', one: { options: { max: 1, timeWindow: '90s' } }, steps: ['/', 500, '/', 60_000, '/'], statuses: [200, 429, 429] },
  // hook
  ...(['onRequest', 'preParsing', 'preValidation', 'preHandler'] as const).map((hook) => ({
    title: `in ${hook} the limit comes after the application's own hooks`,
    one: {
      options: (record: (call: string) => void) => ({ max: 1, hook, onExceeding: () => record('counted') }),
      routes (app, record) {
        app.addHook(hook, async () => { record('of the application') })
        app.post('/own', { [hook]: async () => { record('of the route') } }, async ({ body }) => body)
      }
    } satisfies TestCase,
    steps: repeatStep(2, { method: 'POST', url: '/own', payload: { some: 'body' } } as const),
    statuses: [200, 429]
  })),
  { title: 'a route may name another hook', one: { options: { max: 5 }, routes (app) { app.post('/own', { ...createRouteConfig({ max: 0, hook: 'preHandler' }), schema: { body: { type: 'object', required: ['a'] } } }, async () => 'own') } }, steps: [{ method: 'POST', url: '/own', payload: {} }, { method: 'POST', url: '/own', payload: { a: 1 } }], statuses: [400, 429] },
  // cache
  { title: 'cache is taken', one: { options: { max: 1, cache: 10 }, routes (app) { app.get('/own', createRouteConfig({ cache: 10 }), async () => 'own') } }, steps: ['/', '/', '/own', '/own'], statuses: [200, 429, 200, 429] },
  // allowList
  { title: 'allowList by address', one: { options: { max: 0, allowList: ['192.0.2.1'] } }, steps: [from('192.0.2.1'), from('192.0.2.2')], statuses: [200, 429] },
  { title: 'allowList by key', one: { options: { max: 0, keyGenerator: byHeader, allowList: ['friend', 'private'] } }, steps: [by('friend'), by('private'), by('foe')], statuses: [200, 200, 429] },
  { title: 'allowList by an async function', one: { options: { max: 0, allowList: async (request: FastifyRequest, key: string) => request.headers.pass === key } }, steps: [{ url: '/', headers: { pass: '127.0.0.1' } }, '/'], statuses: [200, 429] },
  { title: 'the list of a route replaces that of the plugin', one: { options: { max: 0, allowList: ['192.0.2.1'] }, routes (app) { app.get('/own', createRouteConfig({ allowList: ['192.0.2.2'] }), async () => 'own') } }, steps: [from('192.0.2.1', '/own'), from('192.0.2.2', '/own')], statuses: [429, 200] },
  // ban
  { title: 'after so many refusals a client is banned', one: { options: { max: 1, ban: 2 } }, steps: repeatStep(5, '/'), statuses: [200, 429, 429, 403, 403] },
  { title: 'ban: 0 bans at the first refusal', one: { options: { max: 1, ban: 0 } }, steps: repeatStep(3, '/'), statuses: [200, 403, 403] },
  { title: 'ban: -1 bans nobody', one: { options: { max: 0, ban: -1 } }, steps: repeatStep(3, '/'), statuses: [429, 429, 429] },
  { title: 'onBanReach hears of a ban after onExceeded', one: { options: (record) => ({ max: 1, ban: 0, onExceeded: (_request: unknown, key: string) => record(`exceeded ${key}`), onBanReach: (_request: unknown, key: string) => record(`banned ${key}`) }) }, steps: ['/', '/'], statuses: [200, 403] },
  // callbacks
  { title: 'onExceeding hears of each request that passes, onExceeded of each refusal', one: { options: (record) => ({ max: 2, onExceeding: (request: FastifyRequest, key: string) => record(`${request.url} ${key} passes`), onExceeded: (request: FastifyRequest, key: string) => record(`${request.url} ${key} is refused`) }) }, steps: repeatStep(4, '/'), statuses: [200, 200, 429, 429] },
  { title: 'what a callback throws is the answer', one: { options: { max: 1, onExceeding: ({ headers }: FastifyRequest) => { if (headers.key === 'bad') throw new Error('of the callback') } } }, steps: [by('bad'), '/'], statuses: [500, 429] },
  // keyGenerator
  { title: 'a generated key names the client', one: { options: { max: 1, keyGenerator: async (request: FastifyRequest) => byHeader(request) } }, steps: [by('a'), by('b'), by('a')], statuses: [200, 200, 429] },
  { title: 'a key may be a number', one: { options: (record) => ({ max: 1, keyGenerator: (request: FastifyRequest) => Number(request.headers.key), onExceeded: (_request: unknown, key: unknown) => record(String(key)) }) }, steps: [by('1'), by('2'), by('1')], statuses: [200, 200, 429] },
  { title: 'what a generator throws is the answer', one: { options: { keyGenerator () { throw Object.assign(new Error('who are you'), { statusCode: 401 }) } } }, steps: ['/'], statuses: [401] },
  // ipv6Subnet
  { title: 'IPv6 clients are told apart by a /64', one: { options: (record) => ({ max: 1, onExceeding: (_request: unknown, key: string) => record(key), onExceeded: (_request: unknown, key: string) => record(key) }) }, steps: [from('2001:db8::1'), from('2001:DB8:0:0::2'), from('2001:db8:0:1::1'), from('::ffff:192.0.2.1'), from('192.0.2.1'), from('::ffff:c000:0201')], statuses: [200, 429, 200, 200, 429, 429] },
  ...[0, 1, 48, 56, 127, 128].map((ipv6Subnet) => ({
    title: `ipv6Subnet: ${ipv6Subnet}`,
    one: { options: (record: (call: string) => void) => ({ max: 9, ipv6Subnet, onExceeding: (_request: unknown, key: string) => record(key) }) },
    steps: [from('2001:db8:ffff:ffff:ffff:ffff:ffff:ffff'), from('fe80::1'), from('::1'), from('2001:db8:0:1:1:1:1:1'), from('1::')],
    statuses: [200, 200, 200, 200, 200]
  })),
  // groupId
  { title: 'a group has counts beside the plugin\'s', one: { options: { max: 2 }, routes (app) { app.get('/g', createRouteConfig({ max: 1, groupId: 'g' }), async () => 'g') } }, steps: ['/g', '/', '/', '/g'], statuses: [200, 200, 200, 429] },
  // continueExceeding
  { title: 'continueExceeding begins the window anew with each refusal', one: { options: { max: 1, timeWindow: 1000, continueExceeding: true } }, steps: ['/', 900, '/', 900, '/', 999, '/', 1000, '/', '/'], statuses: [200, 429, 429, 429, 200, 429] },
  { title: 'continueExceeding on a route', one: { options: { max: 1, timeWindow: 1000 }, routes (app) { app.get('/own', createRouteConfig({ max: 2, continueExceeding: true }), async () => 'own') } }, steps: ['/own', '/own', 900, '/own', 900, '/own', 1000, '/own'], statuses: [200, 200, 429, 429, 200] },
  { title: 'continueExceeding goes before exponentialBackoff', one: { options: { max: 1, continueExceeding: true, exponentialBackoff: true } }, steps: repeatStep(4, '/'), statuses: [200, 429, 429, 429] },
  // exponentialBackoff
  { title: 'exponentialBackoff tells a wait that doubles with each refusal', one: { options: { max: 1, timeWindow: '10s', exponentialBackoff: true } }, steps: repeatStep(6, '/'), statuses: [200, 429, 429, 429, 429, 429] },
  // errorResponseBuilder
  { title: 'a built Error is thrown', one: { options: { max: 0, errorResponseBuilder: (_request: unknown, context: object) => Object.assign(new Error(JSON.stringify(context)), { statusCode: 418 }) } }, steps: ['/'], statuses: [418] },
  { title: 'a built object with a statusCode is the body', one: { options: { max: 0, ban: 1, errorResponseBuilder: (_request: unknown, context: object) => ({ ...context, code: 'SLOW' }) } }, steps: ['/'], statuses: [429] },
  { title: 'the builder learns of a ban', one: { options: { max: 1, ban: 0, errorResponseBuilder: (_request: unknown, context: object) => context } }, steps: ['/', '/'], statuses: [200, 403] },
  { title: 'what a builder throws is the answer', one: { options: { max: 0, errorResponseBuilder () { throw Object.assign(new Error('gone'), { statusCode: 410 }) } } }, steps: ['/'], statuses: [410] },
  { title: 'an error handler sees the refusal', one: { options: { max: 0 }, routes (app, record) { app.setErrorHandler<Error & { statusCode: number }>((error, _request, reply) => { record(`${error.statusCode} ${error.message}`); return reply.code(error.statusCode).send({ slow: 'down' }) }) } }, steps: ['/'], statuses: [429] },
  // headers
  { title: 'addHeaders leaves headers out of refusals', one: { options: { max: 1, addHeaders: { 'x-ratelimit-limit': false, 'retry-after': false } } }, steps: ['/', '/'], statuses: [200, 429] },
  { title: 'addHeadersOnExceeding leaves them out of what passes', one: { options: { max: 1, addHeadersOnExceeding: { 'x-ratelimit-limit': false, 'x-ratelimit-remaining': false, 'x-ratelimit-reset': false } } }, steps: ['/', '/'], statuses: [200, 429] },
  { title: 'enableDraftSpec names the headers otherwise', one: { options: { max: 1, enableDraftSpec: true } }, steps: ['/', '/'], statuses: [200, 429] },
  { title: 'with enableDraftSpec its names can be left out', one: { options: { max: 1, enableDraftSpec: true, addHeaders: { 'ratelimit-reset': false, 'x-ratelimit-limit': false }, addHeadersOnExceeding: { 'ratelimit-limit': false } } }, steps: ['/', '/'], statuses: [200, 429] },
  // config.rateLimit
  { title: 'false switches a route off', one: { options: { max: 0 }, routes (app) { app.get('/off', createRouteConfig(false), async () => 'off') } }, steps: repeatStep(2, '/off'), statuses: [200, 200] },
  { title: 'an empty config gives a route its own count', one: { options: { max: 1 }, routes (app) { app.get('/own', createRouteConfig({}), async () => 'own'); app.get('/null', createRouteConfig(null), async () => 'null') } }, steps: ['/', '/own', '/null', '/own'], statuses: [200, 200, 429, 429] },
  { title: 'a route takes from the plugin what it does not say', one: { options: { max: 2, timeWindow: 5000, ban: 0, keyGenerator: byHeader }, routes (app) { app.get('/own', createRouteConfig({ max: 1 }), async () => 'own') } }, steps: [by('a', '/own'), by('b', '/own'), by('a', '/own'), 5000, by('a', '/own')], statuses: [200, 200, 403, 200] },
  { title: 'routes of several methods have one count', one: { options: { max: 9 }, routes (app) { app.route({ method: ['GET', 'POST'], url: '/both', ...createRouteConfig({ max: 1 }), handler: async () => 'both' }) } }, steps: ['/both', { method: 'POST', url: '/both' }], statuses: [200, 429] },
  { title: 'routes below a prefix', one: { options: { max: 2 }, routes (app) { app.register(async (scope) => { scope.get('/', createRouteConfig({ max: 1 }), async () => 'api'); scope.get('/a', async () => 'a') }, { prefix: '/api' }) } }, steps: ['/api', '/api/', '/api/a', '/'], statuses: [200, 429, 200, 200] }
]

for (const { title, one, steps, statuses } of rows) {
  t.test(title, async (t) => {
    t.strictSame(await assertSame(t, one, ...steps), statuses)
  })
}
