import { request as send, type IncomingMessage } from 'node:http'
import { posix } from 'node:path'
import t from 'tap'
import { limitedApp } from '../fixtures/app.js'

// For a URL parser `..` takes back an empty segment, for a file server the one before: `a//../../private` is `private` for one.
const targets: ReadonlyArray<readonly [target: string, why: string]> = [
  ['/files/team/private/x', 'as it is'],
  ['/files/team/a/../private/x', 'dots'],
  ['/files/team/a//../../private/x', 'an empty segment taken back'],
  ['/files/team/a/b//../..///../../../private/x', 'several'],
  ['/files/team/a/%2e%2E/private/x', 'dots encoded'],
  ['/files/team//%2e%2e/private/x', 'after an empty segment'],
  ['/files/team/a//../..//private/x', 'an empty segment taken back, and one dropped after that'],
  ['/files/team/a%2Fb/../c%2F../private/x', 'a slash and dots that are decoded after a URL parser read the others'],
  ['/files/team/a%2Fb/../private/x', 'a slash that URL parsers take for part of a name'],
  ['/files/team/a%2f/../private/x', 'at the end of a name'],
  ['/files/team/a\\b/../private/x', 'a backslash that file servers take for part of a name'],
  ['/files/team/a\\b/../../private/x', 'and URL parsers for a slash'],
  ['/files/team/%252e/private/x', 'decoded twice'],
  ['/files/team/a/%252e%252e/private/x', 'dots decoded twice'],
  ['/files/team/priva%09te/x', 'a tab, which URL parsers drop'],
  ['/files/team/private%3Fx', 'what a URL parser takes for a query'],
  ['/files/team/private%23/x', 'or for a fragment'],
  ['/files/team/private%20', 'a space at the end'],
  ['/files/team/private;v=1/x', 'parameters of a segment']
]

/** What handlers take for the path. */
const readers: ReadonlyArray<(url: string, rest: string) => string> = [
  (url) => new URL(url, 'http://upstream').pathname,
  (url) => posix.normalize(decodeURIComponent(new URL(url, 'http://upstream').pathname)),
  (_, rest) => new URL(`/files/${rest}`, 'http://upstream').pathname,
  (_, rest) => posix.normalize(`/files/${rest}`),
  (_, rest) => posix.normalize(`/files/${decodeURIComponent(rest)}`),
  (_, rest) => `/files/${rest.replace(/;[^/]*/g, '')}`
]

t.test('whatever the handler reads, a path into a rule has that rule', async (t) => {
  const { app } = await limitedApp(t, {
    max: 1000, timeWindow: '1 hour', headers: 'ratelimit', rules: [{ name: 'private', match: '/files/team/private/*', limits: [{ name: 'private', max: 1, timeWindow: '1 hour' }] }]
  })
  app.get<{ Params: { '*': string } }>('/files/*', async ({ url, params }, reply) => {
    reply.header('private', readers.some((read) => /^\/files\/team\/private(\/|$)/.test(read(url, params['*']))))
    return ''
  })
  const { port } = new URL(await app.listen({ port: 0, host: '127.0.0.1' }))
  const ask = async (path: string) => await new Promise<IncomingMessage>((resolve, reject) => {
    send({ host: '127.0.0.1', port, path, agent: false }, (response) => resolve(response.resume())).on('error', reject).end()
  })
  t.equal((await ask('/files/team/private/x')).headers.private, 'true', 'the only request')
  for (const [target, why] of targets) {
    const { statusCode, headers } = await ask(target)
    t.equal(statusCode, 429, `${target}: ${why}; private: ${headers.private}`)
  }
  t.equal((await ask('/files/team/public/x')).statusCode, 200)
})

t.test('so does one of a URL without a route', async (t) => {
  const { app } = await limitedApp(t, { max: 1000, timeWindow: '1 hour', rules: [{ name: 'private', match: '/team/private/*', max: 1, timeWindow: '1 hour' }] })
  const statuses: number[] = []
  for (const url of ['/team/private/x', '/team/a//../../private/x', '//team/a/../team/a%2fb/../private/x', '/team/x%2f/../private']) {
    statuses.push((await app.inject({ url })).statusCode)
  }
  t.strictSame(statuses, [404, 429, 429, 429])
})
