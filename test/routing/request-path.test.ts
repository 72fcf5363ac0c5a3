import fastify, { type FastifyServerOptions } from 'fastify'
import t from 'tap'
import type { PathSegments } from '../../lib/routing/pattern.js'
import { interpretRoutePath, interpretRawPath } from '../../lib/routing/request-path.js'
import { readRouterOptions } from '../../lib/routing/router-options.js'
import { type RouterOptions } from '../../lib/routing/router-options.js'
import { parseRouteShape } from '../../lib/routing/route-shape.js'
import { mute } from '../fixtures/muted.js'

const exact: RouterOptions = { isCaseSensitive: true, ignoresDuplicateSlashes: false, ignoresTrailingSlash: false, endsAtSemicolon: false }

const inWords = (readings: readonly PathSegments[]) => readings.map((segments) => `/${segments.map((segment) => segment ?? '?').join('/')}`)

/** What is read of a path that Fastify's router takes to this route. */
function readBy (server: FastifyServerOptions, route: string, url: string): string[] {
  const app = fastify(server)
  app.get(route, async () => 'here')
  const found = app.findRoute({ method: 'GET', url })
  if (found === null) throw new TypeError(`${url} does not lead to ${route}`)
  const routing = readRouterOptions(app)
  return inWords(interpretRoutePath(parseRouteShape(route, routing), { method: 'GET', url, params: found.params }, routing))
}

t.test('the settings of the router are found in both places', async (t) => {
  mute(t, 'FSTDEP022')
  const none = { isCaseSensitive: true, ignoresDuplicateSlashes: false, ignoresTrailingSlash: false, endsAtSemicolon: false }
  const rows: ReadonlyArray<readonly [server: FastifyServerOptions, routing: Partial<RouterOptions>]> = [
    [{}, {}],
    [{ routerOptions: {} }, {}],
    [{ caseSensitive: false }, { isCaseSensitive: false }],
    [{ routerOptions: { caseSensitive: false } }, { isCaseSensitive: false }],
    [{ caseSensitive: false, routerOptions: { maxParamLength: 9 } }, { isCaseSensitive: false }],
    [{ caseSensitive: false, routerOptions: { caseSensitive: true } }, {}],
    [{ ignoreDuplicateSlashes: true }, { ignoresDuplicateSlashes: true }],
    [{ routerOptions: { ignoreDuplicateSlashes: true } }, { ignoresDuplicateSlashes: true }],
    [{ ignoreDuplicateSlashes: true, routerOptions: { maxParamLength: 9 } }, { ignoresDuplicateSlashes: true }],
    [{ ignoreTrailingSlash: true }, { ignoresTrailingSlash: true }],
    [{ routerOptions: { ignoreTrailingSlash: true } }, { ignoresTrailingSlash: true }],
    [{ useSemicolonDelimiter: true }, { endsAtSemicolon: true }],
    [{ routerOptions: { useSemicolonDelimiter: true } } as FastifyServerOptions, { endsAtSemicolon: true }]
  ]
  for (const [server, routing] of rows) t.strictSame(readRouterOptions(fastify(server)), { ...none, ...routing }, JSON.stringify(server))
})

t.test('a routed path is read as the router took it, whatever its spelling', async (t) => {
  const rows: ReadonlyArray<readonly [server: FastifyServerOptions, route: string, url: string, path: string]> = [
    [{}, '/api/:version/reports', '/api/v1/reports', '/api/v1/reports'],
    [{}, '/api/:version/reports', '/%61pi/%76%31/report%73?x', '/api/v1/reports'],
    [{}, '/api/:version/reports', '/api//reports#x', '/api//reports'],
    [{}, '/api/:version/reports', '/api/v1;x/reports', '/api/v1;x/reports'],
    [{}, '/api/:version/reports', '/api/../reports', '/api/../reports'],
    [{}, '/api/:version', '/api/%2576%2531', '/api/%76%31'],
    [{}, '/api/:version', 'http://host:80/api/v1?/x', '/api/v1'],
    [{}, '/api/:version', '*api/v1', '/api/v1'], // the first character is passed over
    [{}, '/api/:version/', '/api/v1/', '/api/v1'],
    [{}, '/api/:id?', '/api', '/api'],
    [{}, '/api/:id?', '/api/', '/api/'],
    [{}, '/trips/:from-:to', '/trips/ulm%2Dbonn', '/trips/ulm-bonn'],
    [{}, '/files/:file(^\\d+).png', '/files/%31.png', '/files/1.png'],
    [{}, '/things::cancel', '/things:cancel', '/things:cancel'],
    [{ routerOptions: { ignoreTrailingSlash: true } }, '/api/:version/', '/api/v1', '/api/v1'],
    [{ routerOptions: { ignoreTrailingSlash: true } }, '/api/:version', '/api/v1/', '/api/v1'],
    [{ routerOptions: { ignoreDuplicateSlashes: true } }, '/api//:version', '///api//v1', '/api/v1'],
    [{ routerOptions: { useSemicolonDelimiter: true } } as FastifyServerOptions, '/api/:version', '/api/v1;/x', '/api/v1'],
    [{ routerOptions: { caseSensitive: false } }, '/Api/:Version', '/aPI/V1', '/api/v1'],
    [{ routerOptions: { caseSensitive: false } }, '/k/:version', '/%E2%84%AA/%C4%B0', '/k/i\u0307'] // KELVIN SIGN, and a capital I with a dot
  ]
  for (const [server, route, url, path] of rows) t.strictSame(readBy(server, route, url), [path], `${url} on ${route}`)
})

t.test('what a wildcard took is read as its handler may read it', async (t) => {
  const rows: ReadonlyArray<readonly [route: string, url: string, ...readings: string[]]> = [
    ['/files/*', '/files/a/b', '/files/a/b'],
    ['/files/*', '/files/', '/files', '/files/'],
    ['/files/*', '/files/a/', '/files/a', '/files/a/'],
    ['/files/*', '/files//a', '/files/a', '/files//a'],
    ['/files/*', '/files/a%2Fb', '/files/a/b'],
    ['/files/*', '/files/a%5cb', '/files/a/b', '/files/a\\b'],
    ['/files/*', '/files/./a', '/files/a', '/files/./a'],
    ['/files/*', '/files/x/..%2fa', '/files/a', '/files/x/../a', '/files/x/../a'], // the first of these has a segment "../a"
    ['/files/*', '/files/../a', '/a', '/files/a', '/files/../a'],
    ['/files/*', '/files/../../../a', '/a', '/files/a', '/files/../../../a'],
    ['/files/*', '/files/...', '/files/...'],
    ['/files/*', '/files/.a/b.', '/files/.a/b.'],
    ['/files/*', '/files/a..b', '/files/a..b'],
    ['/:root/*', '/x/../a', '/a', '/x/a', '/x/../a'],
    ['/files-*', '/files-a/b', '/files-a/b'],
    ['/files/*', '/files/a//../b', '/files/b', '/files/a/b', '/files/a//../b'],
    ['/files/*', '/files/a//b/..', '/files/a', '/files/a/', '/files/a//b/..'],
    ['/files/*', '/files/a%2Fb/../c', '/files/a/c', '/files/c', '/files/a/b/../c', '/files/a/b/../c'],
    ['/files/*', '/files/a%5cb/../c', '/files/c', '/files/a/c', '/files/a/b/../c', '/files/a\\b/../c'],
    ['/files/*', '/files/a/x%2F..%2Fb//..', '/files/a', '/files/a/b', '/files/a/x/../b', '/files/a/x/../b//..', '/files/a/x/../b//..'],
    ['/files/*', '/files/a%3Fb', '/files/a', '/files/a?b'],
    ['/files/*', '/files/a%23b', '/files/a', '/files/a#b'],
    ['/files/*', '/files/a%09b', '/files/ab', '/files/a\tb'],
    ['/files/*', '/files/a;x=1/b', '/files/a/b', '/files/a;x=1/b'],
    ['/files/*', '/files/%2561', '/files/a', '/files/%61'],
    ['/files/*', '/files/a/%252e%252E/b', '/files/b', '/files/a/../b', '/files/a/%2e%2E/b'],
    ['*', '/a', '/a'],
    ['*', '//a', '/a', '/', '/', '//a'], // a URL parser takes "a" for a host
    ['*', '*', '/*']
  ]
  for (const [route, url, ...readings] of rows) t.strictSame(readBy({}, route, url), readings, `${url} on ${route}`)
})

t.test('a parameter that cannot be told from the others may be any', async (t) => {
  t.strictSame(readBy({}, '/:id/x/:id', '/a/x/b'), ['/?/x/b'], 'only the last of a name is kept')
  t.strictSame(readBy({}, '/v:a((1|2))/:b', '/v1/c'), ['/v1/?'], 'the router takes the group for a parameter')
  t.strictSame(readBy({}, '/v:a((?:1|2))/:b', '/v1/c'), ['/v1/c'], 'but not one that captures nothing')
})

t.test('parameters that a schema has changed or taken away hide no rule', async (t) => {
  const read = (route: string, params: unknown) => inWords(interpretRoutePath(parseRouteShape(route, exact), { method: 'GET', url: '/files/a?x', params }, exact))
  t.strictSame(read('/api/:version', { version: 1 }), ['/api/1'])
  t.strictSame(read('/api/:version', {}), ['/api/?'])
  t.strictSame(read('/api/:toString', {}), ['/api/?'])
  for (const params of [undefined, null, 'x']) t.strictSame(read('/api/:version', params), ['/api/?'])
  t.strictSame(read('/files/*', {}), ['/files/a'], 'the URL tells what a wildcard took')
})

t.test('the path of an unknown URL is tidied up, and read as it was sent', async (t) => {
  const rows: ReadonlyArray<readonly [url: string, ...readings: string[]]> = [
    ['/a/b', '/a/b'],
    ['/', '/', '/'],
    ['/a/', '/a', '/a/'],
    ['/a?b/..', '/a'],
    ['/a#b', '/a'],
    ['/a;b', '/a', '/a;b'],
    ['/%61%2Fb', '/a/b', '/a/b'],
    ['/%2e%2E/a', '/a', '/../a'],
    ['/%2561', '/a', '/%61'],
    ['/%zz', '/%zz'],
    ['/a\\b', '/a/b', '/a\\b'],
    ['http://host/a', '/a'],
    ['http://host', '/', '/'],
    ['HTTP://host?a', '/', '/'],
    ['https://user:pass@host:1/a?b', '/a'],
    ['ftp://host/a', '/tp:/host/a', '/host/a', '//host/a', '/a', '/tp://host/a'],
    ['*', '/', '/'],
    ['', '/', '/']
  ]
  for (const [url, ...readings] of rows) t.strictSame(inWords(interpretRawPath(url, exact)), readings, url)
  t.strictSame(inWords(interpretRawPath('/A;b', { ...exact, isCaseSensitive: false, endsAtSemicolon: true })), ['/a'])
})

t.test('of a path longer than any pattern no more is kept than tells it apart', async (t) => {
  const kept = (url: string) => interpretRawPath(url, exact).map(({ length }) => length)
  t.strictSame(kept('/a'.repeat(64)), [64])
  t.strictSame(kept('/a'.repeat(10_000)), [65])
  const any = Array.from({ length: 66 }, (_, length) => length)
  t.strictSame(kept('//a'.repeat(10_000)), any, 'an ambiguous one may be any path')
  t.strictSame(kept('/'.repeat(10_000)), any)
  const taken = { method: 'GET', url: '/', params: { '*': 'a/'.repeat(10_000) } }
  t.ok(interpretRoutePath(parseRouteShape('/files/*', exact), taken, exact).every(({ length }) => length <= 66))
  const [resolved] = interpretRawPath(`${'/a'.repeat(64)}${'/..'.repeat(62)}/b`, exact)
  t.strictSame(resolved, ['a', 'a', 'b'])
})
