import { createHash } from 'node:crypto'
import t, { type Test } from 'tap'
import type { FastifyRequest } from 'fastify'
import { createToken } from '../fixtures/tokens.js'
import { createSnippetApp, readPage, parseSnippets } from './snippets.js'

const page = readPage('docs/identity.md')
const SECRET = 'a secret of at least 32 characters'

/** The headings whose snippets are run by a test below. */
const RUN = new Set<string>()

function appUnder (t: Test, heading: string, given = {}) {
  RUN.add(heading)
  return createSnippetApp(t, page, heading, given)
}

function sessionOf (request: FastifyRequest) {
  const { session } = request.headers
  return session === undefined ? null : { id: String(session), tier: 'pro' }
}

t.test('a session goes before a token, a token before the address', async (t) => {
  const app = await appUnder(t, 'Order', { sessionOf })
  const authorization = `Bearer ${createToken({ sub: '42', app: { plan: 'pro' } }, { secret: SECRET })}`
  const who = async (headers: Record<string, string>, limit: string) => {
    const response = await app.inject({ url: '/', headers })
    t.equal(response.headers['x-ratelimit-limit'], limit)
    return response.json()
  }
  t.match(await who({ authorization, session: '7' }, '1000'), { kind: 'user', id: '7', tier: 'pro' })
  t.match(await who({ authorization }, '1000'), { kind: 'user', id: '42', tier: 'pro' })
  t.match(await who({ authorization: `Bearer ${createToken({ sub: '42' }, { secret: SECRET })}` }, '100'), { id: '42', tier: 'standard' })
  t.match(await who({}, '20'), { kind: 'ip', id: '127.0.0.1', tier: 'anonymous' })
  t.match(await who({ authorization: `Bearer ${createToken({ sub: '42' }, { secret: 'another secret of so many characters' })}` }, '20'), { kind: 'ip' })
})

t.test('the addresses of the page are read as it says', async (t) => {
  const app = await appUnder(t, 'Addresses')
  const rows: ReadonlyArray<readonly [remoteAddress: string, forwarded: string, client: string, why: string]> = [
    ['127.0.0.1', '6.6.6.6, 203.0.113.9', '203.0.113.9', 'the leftmost is the client\'s own word'],
    ['127.0.0.1', '203.0.113.9, 10.1.2.3', '203.0.113.9', 'trusted proxies are passed over'],
    ['198.51.100.1', '203.0.113.9', '198.51.100.1', 'the peer is no proxy'],
    ['127.0.0.1', '203.0.113.9, nonsense', '127.0.0.1', 'no address ends the walk'],
    ['127.0.0.1', '"[2001:db8:0:ab12::1]:443"', '2001:db8:0:ab00::/56', 'port, brackets and quotes'],
    ['127.0.0.1', '::ffff:203.0.113.9', '203.0.113.9', 'mapped'],
    ['127.0.0.1', '10.0.0.1, '.repeat(70) + '203.0.113.9' + ', 10.0.0.1'.repeat(64), '10.0.0.1', 'at most 64 are read']
  ]
  for (const [remoteAddress, forwarded, client, why] of rows) {
    t.equal((await app.inject({ url: '/', remoteAddress, headers: { 'x-forwarded-for': forwarded } })).body, client, why)
  }
})

/** What stands under a heading, up to the next one. */
function sectionOf (heading: string): string {
  return new RegExp(`^### ${heading}\n([^]*?)^##`, 'm').exec(page)?.[1] ?? ''
}

for (const heading of ['nginx', 'AWS Application Load Balancer', 'Cloudflare', 'Kubernetes ingress']) {
  t.test(`behind ${heading} each request counts for whom the table says`, async (t) => {
    const app = await appUnder(t, heading, { readFileSync: () => '192.0.2.0/24\n\n2001:db8:cf::/48\n' })
    const [, rows] = sectionOf(heading).split('|---|---|---|\n')
    const cells = Array.from(rows.matchAll(/^\| (\S+) \| (.+) \| (\S+) \|$/gm))
    t.ok(cells.length > 1)
    for (const [row, remoteAddress, forwarded, client] of cells) {
      t.equal((await app.inject({ url: '/', remoteAddress, headers: { 'x-forwarded-for': forwarded } })).body, client, row)
    }
  })
}

t.test('an API key is looked up once, a made-up one never, and its customer has the limits of his plan', async (t) => {
  const asked: string[] = []
  const app = await appUnder(t, 'API keys and sessions', {
    isSealed: (key: string) => key.startsWith('sealed'),
    hashOf: (key: string) => createHash('sha256').update(key).digest('hex'),
    lookUp: async (hash: string) => {
      asked.push(hash)
      return asked.length === 1 ? { id: 'ada', plan: 'pro' } : null
    }
  })
  const limitOf = async (key: string) => (await app.inject({ url: '/', headers: { 'x-api-key': key } })).headers['x-ratelimit-limit']
  t.equal(await limitOf('sealed-1'), '40')
  t.equal(await limitOf('sealed-1'), '40')
  t.equal(await limitOf('sealed-2'), '5')
  t.equal(await limitOf('sealed-2'), '5')
  t.equal(await limitOf('made-up'), '5')
  t.equal(asked.length, 2)
})

t.test('@fastify/jwt may be registered after the plugin', async (t) => {
  const app = await createSnippetApp(t, '# x\n```js\nawait app.register(rateLimitPlugin, { identify: { jwt: true } })\nawait app.register(jwt, { secret })\napp.get(\'/\', async (request) => request.rateLimit.client)\n```\n', 'x', { secret: SECRET })
  t.match((await app.inject({ url: '/', headers: { authorization: `Bearer ${createToken({ sub: '42' }, { secret: SECRET })}` } })).json(), { kind: 'user', id: '42' })
})

t.test('each heading with a snippet has a test', async (t) => {
  t.strictSame(new Set(parseSnippets(page).map(({ heading }) => heading)), RUN)
})
