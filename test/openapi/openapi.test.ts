import { createRequire } from 'node:module'
import fastifySwagger, { formatParamUrl, type FastifyDynamicSwaggerOptions } from '@fastify/swagger'
import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { RateLimitError, type RateLimitOptions } from '../../lib/index.js'
import { toDocumentPaths, toPathTemplate } from '../../lib/openapi/path-template.js'
import { toYaml } from '../../lib/openapi/yaml.js'
import { bareApp } from '../fixtures/app.js'

/** What @fastify/swagger writes YAML with. */
const yaml: { parse (text: string): unknown } = createRequire(createRequire(import.meta.url).resolve('@fastify/swagger'))('yaml')

const limit = { max: 100, timeWindow: '1 minute' } as const
const X_RATELIMIT = ['X-RateLimit-Limit', 'X-RateLimit-Remaining', 'X-RateLimit-Reset']
const byDefault = { limits: [{ name: 'default', max: 100, windowMs: 60_000 }] }

interface Operation {
  readonly responses: Readonly<Record<string, { readonly $ref?: string, readonly description?: string, readonly headers?: object, readonly content?: object }>>
  readonly 'x-rate-limit'?: unknown
}

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: Readonly<Record<string, Readonly<Record<string, unknown>>>>
}

/** The document as whoever fetches it gets it. */
function documentOf (app: FastifyInstance): Document {
  const document: Document = JSON.parse(JSON.stringify(app.swagger()))
  checkReferences(document)
  return document
}

/** Every reference of a document must lead somewhere, and the names of its components must be allowed. */
function checkReferences (document: Document): void {
  JSON.stringify(document, (key, value: unknown) => {
    if (key !== '$ref') return value
    const [root, ...steps] = String(value).split('/')
    const found = steps.reduce<unknown>((holder, step) => typeof holder === 'object' && holder !== null ? Reflect.get(holder, step) : undefined, document)
    if (root !== '#' || found === undefined) throw new Error(`nothing is at ${String(value)}`)
    return value
  })
  for (const names of Object.values(document.components).map(Object.keys)) {
    for (const name of names) if (!/^[a-zA-Z0-9._-]+$/.test(name)) throw new Error(`no component may be called ${name}`)
  }
}

/** An application with a document, its routes declared by `declare`. */
async function documented (t: Test, options: RateLimitOptions, declare: (app: FastifyInstance) => void, swagger: FastifyDynamicSwaggerOptions = { openapi: {} }): Promise<FastifyInstance> {
  const { app, plugin } = bareApp(t)
  await app.register(fastifySwagger, swagger)
  await app.register(plugin, { metrics: false, health: false, ...options })
  declare(app)
  await app.ready()
  return app
}

function refOf (kind: string, name: string) {
  return { $ref: `#/components/${kind}/${name}` }
}

t.test('limited operations tell of their limits, of the headers and of the refusal', async (t) => {
  const app = await documented(t, limit, (app) => {
    app.get('/users/:id', async () => 'user')
    app.post('/login', { config: { rateLimit: { cost: 2, limits: [{ name: 'burst', max: 5, timeWindow: '1s', burst: 3 }, { name: 'all', max: 1000, timeWindow: '1 hour', by: 'global', cost: 9 }, { name: 'size', max: 50, timeWindow: '1s', cost: () => 5 }, { name: 'trial', max: 9, timeWindow: '1s', mode: 'shadow' }] } } }, async () => 'in')
  })
  const { paths, components } = documentOf(app)
  const { get } = paths['/users/{id}']
  const headers = Object.fromEntries(X_RATELIMIT.map((name) => [name, refOf('headers', name)]))
  t.strictSame(get['x-rate-limit'], byDefault)
  t.strictSame(get.responses, { 200: { description: 'Default Response', headers }, 429: refOf('responses', 'RateLimited') })
  t.strictSame(paths['/login'].post['x-rate-limit'], { limits: [{ name: 'burst', max: 5, windowMs: 1000, burst: 3 }, { name: 'all', max: 1000, windowMs: 3_600_000, by: 'global', cost: 9 }, { name: 'size', max: 50, windowMs: 1000, cost: 'by request' }], cost: 2 })
  t.match(components.responses.RateLimited, {
    headers: { ...headers, 'Retry-After': refOf('headers', 'Retry-After') }, content: { 'application/problem+json': { schema: refOf('schemas', 'RateLimitProblem') } }
  })
  t.equal(app.swagger(), app.swagger(), 'and is made once')
})

t.test('the header of the reset is described in the format that it has', async (t) => {
  const descriptions = { seconds: /^Seconds until/, epoch: /in seconds since 1970/ }
  for (const resetFormat of ['seconds', 'epoch'] as const) {
    const app = await documented(t, { ...limit, headers: 'both', resetFormat }, (app) => { app.get('/', async () => 'hello') })
    t.match(documentOf(app).components.headers['X-RateLimit-Reset'], { description: descriptions[resetFormat] })
  }
})

t.test('a refusal is what the schema says', async (t) => {
  const app = await documented(t, { max: 1, timeWindow: '1 minute' }, (app) => { app.get('/', async () => 'hello') })
  const schema = documentOf(app).components.schemas.RateLimitProblem
  const { app: judge } = bareApp(t)
  judge.post('/', { schema: { body: Object.assign({}, schema, { additionalProperties: false }) } }, async () => 'so it is')
  await app.inject('/')
  const refusal = await app.inject('/')
  t.equal(refusal.statusCode, 429)
  t.equal((await judge.inject({ method: 'POST', url: '/', payload: refusal.json() })).body, 'so it is')
  t.equal((await judge.inject({ method: 'POST', url: '/', payload: Object.assign(refusal.json(), { limit: 'many' }) })).statusCode, 400)
})

t.test('nothing is told of what is not limited', async (t) => {
  const app = await documented(t, { ...limit, rules: [{ name: 'trial', match: '/trial', mode: 'shadow' }] }, (app) => {
    app.get('/off', { config: { rateLimit: false } }, async () => 'off')
    app.get('/healthz', async () => 'exempt')
    app.get('/trial', async () => 'shadow')
    app.get('/hidden', { schema: { hide: true } }, async () => 'hidden')
    app.get('/on', async () => 'on')
  })
  const { paths } = documentOf(app)
  t.strictSame(Object.entries(paths).filter(([, { get }]) => 'x-rate-limit' in get || '429' in get.responses).map(([path]) => path), ['/on'])
  for (const path of ['/hidden', '/metrics', '/health/rate-limit']) t.equal(paths[path], undefined, path)
  t.strictSame(paths['/off'].get, { responses: { 200: { description: 'Default Response' } } })
})

t.test('what the application says of its responses stays, and what it answers is not touched', async (t) => {
  const schema = {
    response: {
      200: { type: 'object', properties: { hello: { type: 'string' } }, headers: { 'x-ratelimit-limit': { type: 'string', description: 'mine' } } },
      429: { type: 'object', description: 'mine', properties: { mine: { type: 'string' } } }
    }
  }
  const app = await documented(t, limit, (app) => {
    app.get('/own', { schema }, async () => ({ hello: 'world' }))
    app.get('/builder', { config: { rateLimit: { max: 0, timeWindow: '1s', errorResponseBuilder: () => ({ anything: 1 }) } } }, async () => 'never')
    app.get('/thrown', { config: { rateLimit: { max: 0, timeWindow: '1s', errorResponseBuilder: (_request, decision) => Object.assign(new RateLimitError(decision), { name: 'Mine' }) } } }, async () => 'never')
    app.get('/handler', async (_request, reply) => await reply.code(429).send({ its: 'own', body: [1, 2] }))
  })
  const { paths, components } = documentOf(app)
  const { 200: ok, 429: refused } = paths['/own'].get.responses
  t.match(ok.headers, { 'x-ratelimit-limit': { description: 'mine' } })
  t.strictSame(Object.keys(ok.headers ?? {}).sort(), ['X-RateLimit-Remaining', 'X-RateLimit-Reset', 'x-ratelimit-limit'])
  t.equal(refused.description, 'mine')
  t.notOk(refused.headers)
  t.strictSame(paths['/builder'].get.responses[429], refOf('responses', 'RateLimitedCustom'))
  t.notOk(Object.hasOwn(Object(components.responses.RateLimitedCustom), 'content'))
  t.strictSame((await app.inject('/builder')).json(), { anything: 1 })
  t.strictSame((await app.inject('/handler')).json(), { its: 'own', body: [1, 2] })
  t.match((await app.inject('/thrown')).json(), { statusCode: 429, code: 'FST_SLUICE_QUOTA_EXCEEDED' })
})

t.test('tiers, functions and rules by path are told of', async (t) => {
  const app = await documented(t, { ...limit, tiers: { premium: { max: 1000 }, internal: false }, rules: [{ name: 'deep', match: '/files/*/raw', max: 5, timeWindow: '1s' }] }, (app) => {
    app.get('/', async () => 'root')
    app.get('/made', { config: { rateLimit: { groupId: 'made', max: () => 5, timeWindow: '1s', cost: () => 1, tiers: {} } } }, async () => 'made')
    app.get('/files/*', async () => 'file')
  })
  const { paths } = documentOf(app)
  const tiered = { ...byDefault, tiers: { premium: [{ name: 'default', max: 1000, windowMs: 60_000 }] } }
  t.strictSame(paths['/'].get['x-rate-limit'], tiered)
  t.match(paths['/made'].get['x-rate-limit'], { limits: [{ name: 'default' }], cost: 'by request' })
  t.notMatch(JSON.stringify(paths['/made'].get['x-rate-limit']), '"max":0')
  t.match(paths['/files/{*}'].get['x-rate-limit'], { byRequest: [{ limits: [{ max: 5, windowMs: 1000 }] }, tiered] })
})

t.test('the document is of the day: reloads show, and the switch', async (t) => {
  const app = await documented(t, limit, (app) => { app.get('/', async () => 'hello') })
  const before = documentOf(app)
  await app.rateLimit.reload({ max: 5, headers: 'both' })
  const { paths, components } = documentOf(app)
  t.match(paths['/'].get['x-rate-limit'], { limits: [{ max: 5 }] })
  t.strictSame(Object.keys(paths['/'].get.responses[200].headers ?? {}), [...X_RATELIMIT, 'RateLimit-Policy', 'RateLimit'])
  t.strictSame(Object.keys(components.headers), [...X_RATELIMIT, 'RateLimit-Policy', 'RateLimit', 'Retry-After'])
  for (const options of [{ enabled: false }, { openapi: false }]) {
    await app.rateLimit.reload(options)
    t.strictSame(documentOf(app).paths['/'].get, { responses: { 200: { description: 'Default Response' } } })
  }
  await app.rateLimit.reload({})
  t.strictSame(documentOf(app), before)
})

const dialects = [
  ['x-ratelimit', X_RATELIMIT],
  ['ratelimit', ['RateLimit-Policy', 'RateLimit']],
  ['both', [...X_RATELIMIT, 'RateLimit-Policy', 'RateLimit']],
  ['off', undefined]
] as const

for (const [headers, names] of dialects) {
  t.test(`the headers are those of the dialect ${headers}`, async (t) => {
    const app = await documented(t, { ...limit, headers }, (app) => { app.get('/', async () => 'hello') })
    const { paths, components } = documentOf(app)
    const told = paths['/'].get.responses[200].headers
    t.strictSame(told === undefined ? undefined : Object.keys(told), names)
    t.match(components.responses.RateLimited, { headers: { 'Retry-After': {} } })
    const sent = Object.keys((await app.inject('/')).headers)
    t.ok((names ?? []).every((name) => sent.includes(name.toLowerCase())), 'and those that are sent')
  })
}

t.test('it does not matter which plugin comes first, nor what scope the document is in', async (t) => {
  const { app, plugin } = bareApp(t)
  await app.register(plugin, { ...limit, metrics: false, health: false })
  await app.register(async (child) => {
    await child.register(fastifySwagger, { openapi: {} })
    child.get('/users', async () => 'users')
    child.register(async (grandchild) => {
      await grandchild.register(plugin, { max: 3, timeWindow: '1s', metrics: false, health: false })
      grandchild.get('/inner', async () => 'inner')
    })
    child.get('/document', { schema: { hide: true } }, async () => child.swagger())
  }, { prefix: '/api' })
  const document: Document = (await app.inject('/api/document')).json()
  checkReferences(document)
  t.strictSame(document.paths['/api/users'].get['x-rate-limit'], byDefault)
  t.match(document.paths['/api/inner'].get['x-rate-limit'], { limits: [{ max: 3 }] })
  t.strictSame(Object.keys(document.components.responses), ['RateLimited'], 'they share what is the same')
})

t.test('a route from before the plugin is told of once it was asked for', async (t) => {
  const { app, plugin } = bareApp(t)
  await app.register(fastifySwagger, { openapi: {} })
  app.get('/early', async () => 'early')
  await app.register(plugin, { ...limit, metrics: false, health: false })
  await app.ready()
  t.notOk(documentOf(app).paths['/early'].get['x-rate-limit'])
  await app.inject('/early')
  t.strictSame(documentOf(app).paths['/early'].get['x-rate-limit'], byDefault)
})

t.test('documents of every version 3 are told, and those of version 2 are left alone', async (t) => {
  for (const openapi of ['3.0.3', '3.1.0', '3.2.0']) {
    const app = await documented(t, limit, (app) => { app.get('/', async () => 'hello') }, { openapi: { openapi } })
    t.strictSame(documentOf(app).paths['/'].get['x-rate-limit'], byDefault)
  }
  const app = await documented(t, limit, (app) => { app.get('/', async () => 'hello') }, { swagger: {} })
  t.match(app.swagger(), { swagger: '2.0' })
  t.notMatch(JSON.stringify(app.swagger()), 'rate-limit')
  t.match(app.swagger({ yaml: true }), 'swagger: "2.0"')
})

t.test('names that the application uses are not taken from it', async (t) => {
  const app = await documented(t, limit, (app) => { app.get('/', async () => 'hello') }, {
    openapi: { components: { responses: { RateLimited: { description: 'mine' } }, headers: { 'Retry-After': { schema: { type: 'string' } } } } }
  })
  const { paths, components } = documentOf(app)
  t.strictSame(paths['/'].get.responses[429], refOf('responses', 'RateLimited-2'))
  t.strictSame(components.responses.RateLimited, { description: 'mine' })
  t.match(components.responses['RateLimited-2'], { headers: { 'Retry-After': refOf('headers', 'Retry-After-2') } })
})

t.test('a decorator that only happens to be called so is left alone', async (t) => {
  const { app, plugin } = bareApp(t)
  const swagger = () => ({ openapi: '3.0.0', info: { title: 'mine', version: '1' }, paths: {} })
  app.decorate('swagger', swagger)
  await app.register(plugin, limit)
  await app.ready()
  t.equal(app.swagger, swagger)
})

t.test('HEAD is told of where it is shown, and routes of several methods', async (t) => {
  const app = await documented(t, limit, (app) => {
    app.get('/', { schema: { operationId: 'root' } }, async () => 'hello')
    app.route({ method: ['PUT', 'PATCH'], url: '/both', handler: async () => 'both' })
  }, { openapi: {}, exposeHeadRoutes: true })
  const { paths } = documentOf(app)
  for (const operation of [paths['/'].get, paths['/'].head, paths['/both'].put, paths['/both'].patch]) t.strictSame(operation['x-rate-limit'], byDefault)
})

t.test('paths are found as @fastify/swagger writes them', async (t) => {
  const patterns = ['/', '/a/:id', '/a/:id?', '/a/*', '*', '/at/:hour(^\\d{2})h:minute(^\\d{2})m', '/x/:file(^(a|b)+).png', '/u::watch', '/a/:a-:b', '/w/*/x', '/a/(x)/(y(z))', '/a/:id::go', '']
  for (const pattern of patterns) t.equal(toPathTemplate(pattern), formatParamUrl(pattern), pattern)
  t.strictSame(toDocumentPaths('/v1/a/:id', [{ url: 'https://{host}.example/{base}', variables: { host: { default: 'api' }, base: { default: 'v1' } } }]), ['/v1/a/{id}', '/a/{id}'])
  t.strictSame(toDocumentPaths('/a', [{ url: 'nonsense' }, null, { url: '/' }]), ['/a'])
  const app = await documented(t, limit, (app) => { app.get('/v1/a/:id', async () => 'a') }, { openapi: { servers: [{ url: 'https://api.example/v1' }] } })
  t.strictSame(documentOf(app).paths['/a/{id}'].get['x-rate-limit'], byDefault)
})

t.test('YAML says the same', async (t) => {
  const app = await documented(t, limit, (app) => { app.get('/:id', { schema: { summary: 'it: "costs" # 1', tags: ['yes', '1', ''] } }, async () => 'hello') })
  t.strictSame(yaml.parse(String(app.swagger({ yaml: true }))), documentOf(app))
  const texts = ['', ' ', 'a: b', 'a #b', '- a', '~', 'null', 'No', '1e3', '0x1', '.inf', '2026-11-28', 'a\nb', 'a\tb', '"', '\'', '\\', '\u0000\u0007\u007f\u0085\u2028\ufeff', '\ud83d\ude00', '{a}', '[a]', '*a', '&a', '!a', '%a', '@a', '`a', 'a ', 'a:', 'a b', '---', '/a/{b}', 'key?', '? a', '|', '>', 'true', '=', '<<']
  const value = { texts, keyed: Object.fromEntries(texts.map((text, i) => [text, i])), deep: [[[], {}], [{ a: [1, -1.5, null, true] }, [[['x']]]]], left: undefined }
  t.strictSame(yaml.parse(toYaml(value)), JSON.parse(JSON.stringify(value)))
  for (const scalar of ['a: b', 7, null, [], {}]) t.strictSame(yaml.parse(toYaml(scalar)), scalar)
})

t.test('the operator routes are in no document unless asked for', async (t) => {
  for (const openapi of [undefined, false]) {
    const app = await documented(t, { ...limit, admin: { onRequest: async () => {}, openapi } }, (app) => { app.get('/', async () => 'hello') })
    t.strictSame(Object.keys(documentOf(app).paths), ['/'])
  }
})

t.test('the operator routes describe themselves if asked for', async (t) => {
  for (const openapi of ['3.0.3', '3.1.0']) {
    const app = await documented(t, { ...limit, admin: { onRequest: async () => {}, openapi: true } }, () => {}, { openapi: { openapi } })
    const { paths } = documentOf(app)
    const told = Object.entries(paths).flatMap(([path, item]) => Object.keys(item).map((method) => `${method} ${path.slice('/admin/rate-limit'.length)}`))
    t.strictSame(told.sort(), ['delete /standings', 'get /blocked', 'get /policies', 'get /standings', 'get /state', 'get /usage', 'put /state'])
    t.match(paths['/admin/rate-limit/blocked'].get.responses, { 200: { content: { 'application/json': {} } }, 400: { content: { 'application/problem+json': {} } } })
    t.notOk(paths['/admin/rate-limit/state'].get['x-rate-limit'])
    t.match(paths['/admin/rate-limit/state'].put, { requestBody: { content: { 'application/json': { schema: { properties: { enabled: { type: 'boolean' } } } } } } })
    t.notMatch(JSON.stringify(paths), '"expected"', 'a keyword of ours')
  }
})

t.test('requests in flight are documented, with the 503 of a limit of all clients', async (t) => {
  const app = await documented(t, { ...limit, concurrency: { max: 9, by: 'global' }, tiers: { gold: { concurrency: { max: 20 } } } }, (app) => {
    app.get('/', async () => 'hello')
    app.get('/own', { config: { rateLimit: { concurrency: { max: 2, by: 'client' } } } }, async () => 'hello')
  })
  const { paths } = documentOf(app)
  t.match(paths['/'].get['x-rate-limit'], { concurrency: { max: 9, by: 'global' }, tierConcurrency: { gold: { max: 20, by: 'global' } } })
  t.match(paths['/'].get.responses, { 503: { $ref: '#/components/responses/CapacityReached' } })
  t.match(paths['/own'].get['x-rate-limit'], { concurrency: { max: 2 } })
  t.notOk('503' in paths['/own'].get.responses)
})
