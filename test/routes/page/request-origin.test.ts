import type { InjectOptions } from 'fastify'
import t from 'tap'
import type { RateLimitOptions } from '../../../lib/index.js'
import { limitedApp } from '../../fixtures/app.js'

/*
 * What a page of another site can do, in the browser of an operator whose address is allowed. It cannot set `Origin`, `Host` and
 * `Sec-Fetch-*`, and reads a response only if the browser takes it for one of its own origin, or if CORS allows it.
 */

const PREFIX = '/admin/rate-limit'
const READ = [
  'GET /page', 'GET /page/', 'GET /page/app.js', 'GET /page/data', 'GET /page/what-if?limit=x&max=1',
  'GET /standings?partition=global', 'GET /usage?partition=global', 'GET /blocked', 'GET /policies', 'GET /state', 'HEAD /page/data'
]
const WRITE = ['DELETE /standings?partition=global', 'PUT /state']

interface Case {
  readonly why: string
  readonly headers: Record<string, string>
  /** Of requests that read; the same for those that change something, unless `write` differs. */
  readonly isAllowed: boolean
  readonly mayWrite?: boolean
}

const cases: readonly Case[] = [
  { why: 'no browser', headers: {}, isAllowed: true },
  { why: 'the page itself', headers: { 'sec-fetch-site': 'same-origin', origin: 'http://localhost:80' }, isAllowed: true },
  { why: 'the page itself, where the origin is not secure', headers: { host: '10.0.0.1:3000', origin: 'http://10.0.0.1:3000' }, isAllowed: true },
  { why: 'behind a proxy for TLS', headers: { host: 'localhost', origin: 'https://localhost' }, isAllowed: true },
  { why: 'behind a proxy for TLS that changes the host', headers: { host: 'upstream', origin: 'https://ops.example', 'sec-fetch-site': 'same-origin' }, isAllowed: true },
  { why: 'an address that was typed in', headers: { 'sec-fetch-site': 'none', 'sec-fetch-mode': 'navigate' }, isAllowed: true },
  { why: 'a link of another site', headers: { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' }, isAllowed: true, mayWrite: false },
  { why: 'a script of another site', headers: { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'cors', origin: 'https://evil.example' }, isAllowed: false },
  { why: 'a script of another site, where the origin is not secure', headers: { origin: 'http://evil.example' }, isAllowed: false },
  { why: 'an image of another site', headers: { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' }, isAllowed: false },
  { why: 'another site of the same domain', headers: { 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'cors' }, isAllowed: false },
  { why: 'a page in a sandbox', headers: { origin: 'null' }, isAllowed: false },
  { why: 'another port of this host', headers: { host: 'localhost:3000', origin: 'http://localhost:4000' }, isAllowed: false },
  { why: 'a form of another site', headers: { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', origin: 'https://evil.example' }, isAllowed: false },
  { why: 'an origin that only begins like this one', headers: { host: 'localhost', origin: 'http://localhost.evil.example' }, isAllowed: false },
  { why: 'an origin with a path', headers: { host: 'localhost', origin: 'http://evil.example/localhost' }, isAllowed: false }
]

async function send (t: Parameters<typeof limitedApp>[0], admin: NonNullable<RateLimitOptions['admin']>, headers: Record<string, string>) {
  const { app } = await limitedApp(t, { max: 2, timeWindow: '1 minute', admin })
  return async (words: string): Promise<number> => {
    const [method, path] = words.split(' ')
    const request = { method, url: PREFIX + path, headers, ...method === 'PUT' && { payload: { enabled: true } } } as InjectOptions
    const { statusCode, body } = await app.inject(request)
    if (statusCode === 404 && method !== 'HEAD') t.equal(JSON.parse(body).message, `Route ${method}:${PREFIX}${path} not found`, 'as any unknown URL')
    return statusCode
  }
}

for (const { why, headers, isAllowed, mayWrite = isAllowed } of cases) {
  t.test(`${why} ${isAllowed ? 'may read' : 'gets nothing'}${isAllowed && !mayWrite ? ', and changes nothing' : ''}`, async (t) => {
    const get = await send(t, { page: true, onRequest: async () => {} }, headers)
    for (const words of READ) t.equal(await get(words) !== 404, isAllowed, words)
    for (const words of WRITE) t.equal(await get(words) !== 404, mayWrite, words)
    const getWithoutHooks = await send(t, { page: true }, headers)
    for (const words of READ) t.equal(await getWithoutHooks(words) !== 404, isAllowed, `${words} without hooks`)
    for (const words of WRITE) t.equal(await getWithoutHooks(words), 404, `${words} without hooks`)
  })
}

const hosts: ReadonlyArray<readonly [host: string, isAllowed: boolean, why: string]> = [
  ['127.0.0.1', true, 'an address'],
  ['10.0.0.1:3000', true, 'with a port'],
  ['[::1]:3000', true, 'of version 6'],
  ['[fd00::1]', true, 'of version 6, without a port'],
  ['localhost:3000', true, 'loopback'],
  ['LOCALHOST.', true, 'the same, fully qualified'],
  ['app.localhost', true, 'loopback too'],
  ['orders', true, 'a service of Compose or Kubernetes'],
  ['orders.default.svc.cluster.local:3000', true, 'its full name'],
  ['orders.prod.internal', true, 'reserved for private networks'],
  ['evil.example', false, 'a name that an attacker may lead to this address'],
  ['localhost.evil.example', false, 'the same'],
  ['127.0.0.1.evil.example', false, 'the same'],
  ['evil.example.', false, 'the same, fully qualified'],
  ['internal.evil.example:80', false, 'the same'],
  ['evil.example@localhost', false, 'no host'],
  ['[evil.example]', false, 'no host'],
  ['127.0.0.1:80:80', false, 'no host']
]

t.test('without hooks only addresses and private names lead here', async (t) => {
  for (const [host, isAllowed, why] of hosts) {
    const get = await send(t, { page: true }, { host })
    for (const words of ['GET /page', 'GET /page/data', 'GET /blocked']) t.equal(await get(words) !== 404, isAllowed, `${words} at "${host}": ${why}`)
    const getWithHooks = await send(t, { page: true, onRequest: async () => {} }, { host })
    t.equal(await getWithHooks('GET /page/data'), 200, 'with hooks, credentials decide: those of an origin are not sent to another')
  }
})

t.test('a name that a proxy has forwarded counts too', async (t) => {
  const { app } = await limitedApp(t, { max: 2, timeWindow: '1 minute', admin: { page: true } }, { trustProxy: 'loopback' })
  const status = async (forwarded: string, host: string) => {
    const headers = { host, 'x-forwarded-for': '10.0.0.9', 'x-forwarded-host': forwarded }
    return (await app.inject({ url: `${PREFIX}/page/data`, headers })).statusCode
  }
  t.equal(await status('ops.internal', 'upstream:3000'), 200)
  t.equal(await status('evil.example', 'upstream:3000'), 404)
  t.equal(await status('localhost', 'evil.example'), 404, 'a script may write this header')
})
