// Nobody gets a fresh bucket, or none, by spelling a URL in another way: whatever the router lets through to a handler
// is counted under the rule of what that handler then serves. A second application without limits tells what that is.
import { Agent, request as send, type IncomingMessage } from 'node:http'
import { posix } from 'node:path'
import type { FastifyInstance, FastifyReply, FastifyServerOptions } from 'fastify'
import t, { type Test } from 'tap'
import { bareApp } from '../fixtures/app.js'
import { mute } from '../fixtures/muted.js'
import { Seeded } from '../fixtures/seeded.js'
import { generateSpellings } from '../fixtures/spellings.js'
import { scaleToLane, isFullLane } from '../fixtures/lane.js'

const rules = Object.entries({
  keys: '/api/keys',
  alice: '/users/alice',
  users: '/users/:id',
  orders: '/users/:id/orders',
  trip: '/trips/ulm-bonn',
  private: '/files/private/*',
  files: '/files/*',
  admin: '/admin/*'
}).map(([name, match]) => ({ name, match, limits: [{ name, max: 1, timeWindow: '1 hour' }] }))

/** One way to each rule; these use its only request up. */
const plain = ['/api/keys', '/users/alice', '/users/bob', '/users/bob/orders', '/trips/ulm-bonn', '/files/private/x', '/files/x', '/admin/x']

/** Which rule is meant for a path with nothing odd in it. */
function ruleOf (path: string): string[] {
  const [first, second, third, ...more] = path.replace(/\/$/, '').split('/').slice(1)
  if (first === 'admin') return ['admin']
  if (first === 'files') return [second === 'private' ? 'private' : 'files']
  if (first === 'users' && third === 'orders' && more.length === 0) return ['orders']
  if (second === undefined || third !== undefined) return []
  if (first === 'users') return [second === 'alice' ? 'alice' : 'users']
  if (first === 'api' && second === 'keys') return ['keys']
  return first === 'trips' && second === 'ulm-bonn' ? ['trip'] : []
}

/** The more specific before the less; those of one row are equally so. */
const ranks = [['keys', 'alice', 'trip'], ['private'], ['orders'], ['users'], ['files', 'admin']]

/**
 * A file server reads what a `*` took below its root, a proxy the whole path; either resolves it, or does not, and a URL
 * parser does it in another way. The most specific of the rules for paths below the root holds, or one that is more so.
 */
function rulesBelow (root: string, rest: string, url: string): string[] {
  const slashed = rest.replaceAll('\\', '/')
  const parsed = [url, `${root}/${rest}`, `${root}/${rest.replaceAll('%', '%25')}`].flatMap(pathsByUrlParser)
  const found = [posix.normalize(`/${root}/${slashed}`), posix.normalize(`/${root}/${rest}`), root + posix.normalize(`/${slashed}`), `${root}/${rest}`, ...parsed]
    .flatMap(ruleOf).filter((name) => root === '' || name === 'files' || name === 'private')
  const best = Math.min(...found.map(rankOf))
  return found.filter((name) => rankOf(name) === best).slice(0, 1)
}

/** What a proxy passes on, and what a file server behind it makes of that; nothing where it takes the path for a host. */
function pathsByUrlParser (text: string): string[] {
  try {
    const path = new URL(text, 'http://upstream').pathname.split('/').map(decodeURIComponent).join('/')
    return [path, posix.normalize(path)]
  } catch {
    return []
  }
}

function rankOf (name: string): number {
  return ranks.findIndex((names) => names.includes(name))
}

/** Only below a wildcard may a path have other readings than those that are tried here. */
function isAsSpecific (name: string | null, served: string): boolean {
  return name !== null && rankOf(name) <= rankOf(served)
}

/** Routes that tell in a header which rule is meant for what they served, by what a handler sees: its parameters. */
function declareRoutes (app: FastifyInstance, { isCaseSensitive, hasCatchAll }: Variant): void {
  const route = (pattern: string, served: (params: Record<string, string>, url: string) => string[]) => app.route<{ Params: Record<string, string> }>({
    method: ['GET', 'POST'],
    url: pattern,
    handler: ({ params, url }, reply: FastifyReply) => {
      const folded = Object.entries(params).map(([name, value]) => [name, isCaseSensitive ? value : value.toLowerCase()])
      return reply.header('below', pattern.endsWith('*')).header('served', served(Object.fromEntries(folded), isCaseSensitive ? url : url.toLowerCase()).join()).send('')
    }
  })
  route('/api/keys', () => ['keys'])
  route('/users/:id', ({ id }) => [id === 'alice' ? 'alice' : 'users'])
  route('/users/:id/orders', () => ['orders'])
  route('/trips/:from-:to', ({ from, to }) => `${from}-${to}` === 'ulm-bonn' ? ['trip'] : [])
  route('/files/*', ({ '*': rest }, url) => rulesBelow('/files', rest, url))
  if (hasCatchAll) route('/*', ({ '*': rest }, url) => rulesBelow('', rest, url))
}

interface Answer {
  readonly status: number
  /** The rule that is meant for what was served, or none; `null` where no handler of ours was reached. */
  readonly served: string | null
  /** Whether it was a wildcard route. */
  readonly isBelow: boolean
  /** The limit that the response tells of. */
  readonly limit: string | null
}

type Ask = (target: string, method?: string) => Promise<Answer>

/** Sends targets as they are, where `inject` and `fetch` would tidy them up. */
async function listen (t: Test, app: FastifyInstance): Promise<Ask> {
  const { port } = new URL(await app.listen({ port: 0, host: '127.0.0.1' }))
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  t.teardown(() => agent.destroy())
  return async (target, method = 'GET') => {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      send({ host: '127.0.0.1', port, agent, path: target, method }, resolve).on('error', reject).end()
    })
    response.resume()
    await new Promise((resolve) => response.once('end', resolve))
    const { statusCode: status = 0, headers: { served, below, ratelimit } } = response
    // What is no HTTP costs the connection, and the answer does not say so.
    if (status === 400) agent.destroy()
    return {
      status,
      served: typeof served === 'string' ? served : null,
      isBelow: below === 'true',
      limit: /^"([^"]*)"/.exec(String(ratelimit))?.[1] ?? null
    }
  }
}

interface Variant {
  readonly title: string
  readonly server: FastifyServerOptions
  readonly isCaseSensitive: boolean
  /** A route `/*` takes what no other does. */
  readonly hasCatchAll: boolean
  /** Goes before each path, and `rewriteUrl` takes it away. */
  readonly version: string
}

function variant (bits: number): Variant {
  const is = (bit: number) => (bits & bit) !== 0
  // Every combination in one of two places, and with or without a route for everything: each single option in all four.
  const isOldPlace = [1, 2, 4, 8].filter(is).length % 2 === 1
  const hasCatchAll = is(1) !== is(4)
  const routing = {
    ...is(1) && { caseSensitive: false },
    ...is(2) && { ignoreTrailingSlash: true },
    ...is(4) && { ignoreDuplicateSlashes: true },
    ...is(8) && { useSemicolonDelimiter: true }
  }
  const version = is(2) ? '/v2' : ''
  return {
    title: `${isOldPlace ? 'top level' : 'routerOptions'} ${JSON.stringify(routing)}${hasCatchAll ? ' and a route for everything' : ''}`,
    server: { ...isOldPlace ? routing : { routerOptions: routing }, rewriteUrl: ({ url = '' }) => url.startsWith(version) ? url.slice(version.length) : url },
    isCaseSensitive: !is(1),
    hasCatchAll,
    version
  }
}

/** Each variant tries others of the spellings in the quick lane. */
const isTried = (number: number): boolean => isFullLane || number % 4 === 0

for (const [index, case_] of Array.from({ length: 16 }, (_, bits) => variant(bits)).entries()) {
  t.test(`no spelling gets around a rule: ${case_.title}`, async (t) => {
    mute(t, 'FSTDEP022')
    const { app: open } = bareApp(t, case_.server)
    const { app: limited, plugin } = bareApp(t, case_.server)
    await limited.register(plugin, { max: 1_000_000, headers: 'ratelimit', rules })
    for (const app of [open, limited]) declareRoutes(app, case_)
    const [reveal, ask] = [await listen(t, open), await listen(t, limited)]
    for (const path of plain) await ask(path)

    const random = new Seeded(1_790_000_000)
    const escaped: string[] = []
    const reached = new Map<string, number>()
    const spellings = plain.flatMap((path) => generateSpellings(path, random)).filter((_, i) => isTried(i + index))
    for (const spelling of spellings) {
      const target = case_.version + spelling
      for (const method of random.nextInt(4) === 0 ? ['GET', 'HEAD', 'POST'] : ['GET']) {
        const [{ served, status, isBelow }, answer] = await Promise.all([reveal(target, method), ask(target, method)])
        if (served !== null) reached.set(served, (reached.get(served) ?? 0) + 1)
        const isRight = served === null || served === ''
          ? [status, 429].includes(answer.status)
          : answer.status === 429 && (answer.limit === served || (isBelow && isAsSpecific(answer.limit, served)))
        if (!isRight) escaped.push(`${method} ${target} serves ${served}: ${answer.status} of ${answer.limit}`)
      }
    }
    t.strictSame(escaped, [])
    for (const { name } of rules) {
      if (name !== 'admin' || case_.hasCatchAll) t.ok((reached.get(name) ?? 0) > scaleToLane(10, 0), `there were many ways to ${name}`)
    }
  })
}
