import { readdirSync, readFileSync } from 'node:fs'
import helmet from '@fastify/helmet'
import cors from '@fastify/cors'
import type { FastifyInstance } from 'fastify'
import t from 'tap'
import type { RateLimitOptions } from '../../../lib/index.js'
import { pageFiles } from '../../../lib/routes/page/page-files.js'
import { bareApp, limitedApp } from '../../fixtures/app.js'

const limit = { max: 2, timeWindow: '1 hour' } as const
const ASSETS = 'lib/routes/page/assets'
const PAGE = '/admin/rate-limit/page'
const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

const SECURITY = {
  'content-security-policy': POLICY,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store'
}

const TYPES: Record<string, string> = { html: 'text/html; charset=utf-8', js: 'text/javascript; charset=utf-8', css: 'text/css; charset=utf-8' }

/** Fails unless the page, its files and its data are sent, whatever else the application does. */
async function requirePage (t: Parameters<typeof limitedApp>[0], app: FastifyInstance, page = PAGE): Promise<void> {
  for (const name of readdirSync(ASSETS)) {
    const url = name === 'index.html' ? page : `${page}/${name}`
    const { statusCode, headers, body } = await app.inject(url)
    t.equal(statusCode, 200, url)
    t.match(headers, { ...SECURITY, 'content-type': TYPES[name.split('.')[1]] })
    t.equal(body, pageFiles[name])
    t.match(await app.inject({ method: 'HEAD', url }), { statusCode: 200, body: '', headers: { ...SECURITY, 'content-length': String(Buffer.byteLength(body)) } })
  }
  const { statusCode, headers, body } = await app.inject(`${page}/data`)
  t.equal(statusCode, 200)
  t.match(headers, { ...SECURITY, 'content-type': 'application/json; charset=utf-8' })
  t.equal(headers['x-ratelimit-limit'], undefined, 'it is not counted')
  t.match(JSON.parse(body), { prefix: page.replace(/\/page$/, ''), instances: [{ enabled: true }] })
}

t.test('the page is sent with its files and its data', async (t) => {
  const { app } = await limitedApp(t, { ...limit, admin: { page: true } })
  await requirePage(t, app)
  t.equal((await app.inject(`${PAGE}/index.html`)).statusCode, 404)
  t.equal((await app.inject(`${PAGE}/..%2fpage-files.js`)).statusCode, 404)
})

t.test('the page names nothing outside of its prefix', async (t) => {
  for (const name of readdirSync(ASSETS)) {
    const text = readFileSync(`${ASSETS}/${name}`, 'utf8').replaceAll('http://www.w3.org/', '')
    t.notMatch(text, /https?:\/\/|(?:src|href)="\/|url\((?!["']?(?:data:|#))/, name)
  }
})

t.test('the files of the page are small', async (t) => {
  t.strictSame(Object.keys(pageFiles).sort(), readdirSync(ASSETS).sort())
  t.ok(Object.values(pageFiles).reduce((bytes, text) => bytes + Buffer.byteLength(text), 0) <= 60_000)
})

t.test('without the option there is no page', async (t) => {
  for (const admin of [false, {}, { page: false }] as const) {
    const { app } = await limitedApp(t, { max: 100, timeWindow: '1 hour', admin })
    for (const path of ['', '/data', '/app.js']) t.equal((await app.inject(PAGE + path)).statusCode, 404)
  }
})

t.test('an address off the list gets 404 and nothing else, before the hooks', async (t) => {
  const asked: string[] = []
  const { app } = await limitedApp(t, { ...limit, admin: { page: true, onRequest: async ({ url }) => { asked.push(url) } } })
  for (const path of ['', '/', '/app.js', '/style.css', '/data', '/what-if?limit=x&max=1']) {
    const { statusCode, headers, body } = await app.inject({ url: PAGE + path, remoteAddress: '203.0.113.9' })
    t.equal(statusCode, 404)
    t.equal(body, JSON.stringify({ message: `Route GET:${PAGE}${path} not found`, error: 'Not Found', statusCode: 404 }))
    t.strictSame(Object.keys(headers).filter((name) => /security|policy|cache|nosniff/.test(name)), [])
  }
  t.strictSame(asked, [])
})

t.test('a hook of the application that refuses keeps the page back, and its files', async (t) => {
  const { app } = await limitedApp(t, { ...limit, admin: { page: true, onRequest: async (_request, reply) => await reply.code(403).send('no') } })
  for (const path of ['', '/', '/app.js', '/data', '/what-if?limit=x&max=1']) t.match(await app.inject(PAGE + path), { statusCode: 403, body: 'no' })
})

t.test('a slash at the end leads to the page, below any prefix of a proxy', async (t) => {
  for (const ignoreTrailingSlash of [false, true]) {
    const { app } = await limitedApp(t, { ...limit, admin: { page: true } }, { routerOptions: { ignoreTrailingSlash } })
    for (const query of ['', '?a=/b', '?a/']) {
      t.match(await app.inject(`${PAGE}/${query}`), { statusCode: 308, headers: { location: '../page' } })
      t.equal((await app.inject(PAGE + query)).statusCode, 200)
    }
    await requirePage(t, app)
  }
})

t.test('two registrations have their own page, below their prefixes', async (t) => {
  const { app, plugin } = bareApp(t)
  for (const name of ['first', 'second']) {
    await app.register(async (child) => {
      await child.register(plugin, { name, max: 5, timeWindow: '1 minute', admin: { prefix: '/ops', page: true } })
      child.get('/', async () => 'hello')
    }, { prefix: `/${name}` })
  }
  for (const name of ['first', 'second']) {
    await requirePage(t, app, `/${name}/ops/page`)
    t.match((await app.inject(`/${name}/ops/page/data`)).json(), { registration: name, prefix: `/${name}/ops` })
  }
})

const neighbours: Record<string, (app: FastifyInstance) => unknown> = {
  'helmet, whose headers are weaker': (app) => app.register(helmet),
  'helmet with other headers': (app) => app.register(helmet, { contentSecurityPolicy: { directives: { scriptSrc: ['*'] } }, crossOriginResourcePolicy: { policy: 'cross-origin' } }),
  'cors for every origin': (app) => app.register(cors, { origin: '*' }),
  'serializers and validators of its own' (app) {
    app.setValidatorCompiler(() => { throw new Error('a schema that is not mine') })
    app.setSerializerCompiler(() => { throw new Error('a schema that is not mine') })
    app.setReplySerializer(() => 'serialized')
  },
  'a hook that wraps what is serialized': (app) => app.addHook('preSerialization', async (_request, _reply, payload) => ({ data: payload })),
  'a hook that chooses another serializer': (app) => app.addHook('onRequest', async (_request, reply) => { reply.serializer(() => 'serialized') }),
  'a handler of errors': (app) => app.setErrorHandler((_error, _request, reply) => reply.code(500).send('mine'))
}

for (const [name, install] of Object.entries(neighbours)) {
  for (const isFirst of [true, false]) {
    t.test(`${isFirst ? 'after' : 'before'} ${name}`, async (t) => {
      const { app, plugin } = bareApp(t)
      if (isFirst) await install(app)
      await app.register(plugin, { ...limit, admin: { page: true } })
      if (!isFirst) await install(app)
      await requirePage(t, app)
    })
  }
}

t.test('cors lets no page of another origin read', async (t) => {
  const { app, plugin } = bareApp(t)
  await app.register(cors, { origin: true, credentials: true })
  await app.register(plugin, { ...limit, admin: { page: true } })
  const { statusCode, body } = await app.inject({ url: `${PAGE}/data`, headers: { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'cors' } })
  t.equal(statusCode, 404)
  t.notMatch(body, 'instances')
})

t.test('a path that is taken is an error that names the option and the route', async (t) => {
  const { app, plugin } = bareApp(t)
  app.get(`${PAGE}/app.js`, async () => 'mine')
  await t.rejects(async () => { await app.register(plugin, { ...limit, admin: { page: true } }) }, { code: 'FST_SLUICE_ROUTE_TAKEN' })
})

t.test('a wrong what-if gets 400 with the reason', async (t) => {
  const { app } = await limitedApp(t, { ...limit, admin: { page: true } })
  const wrong: ReadonlyArray<readonly [query: string, detail: RegExp]> = [
    ['', /^max: expected an integer of 0 or more, got nothing$/],
    ['?limit=x&max=-1', /^max: /],
    ['?limit=x&max=1e3', /^max: /],
    ['?limit=x&max=9999999999999999', /^max: /],
    ['?limit=x&max=1&max=2', /^max: /],
    ['?max=1', /^limit: expected the bucket of a limit whose requests can be replayed, got nothing$/],
    ['?limit=x&limit=y&max=1', /^limit: /],
    ['?limit=__proto__&max=1', /^limit: .*got "__proto__"$/]
  ]
  for (const [query, detail] of wrong) {
    const response = await app.inject(`${PAGE}/what-if${query}`)
    t.equal(response.statusCode, 400)
    t.match(response.json().detail, detail)
  }
})

t.test('options that a file or the environment can set mount the page too', async (t) => {
  const options: RateLimitOptions = { ...limit, configFile: `${t.testdir({ 'limits.toml': '[admin]\npage = true\n' })}/limits.toml` }
  const { app } = await limitedApp(t, options)
  t.equal((await app.inject(PAGE)).statusCode, 200)
})
