import fc from 'fast-check'
import fastify from 'fastify'
import t from 'tap'
import { toLowerCasePattern, matchesPath, parsePattern, type Pattern } from '../../lib/routing/pattern.js'
import { interpretRoutePath } from '../../lib/routing/request-path.js'
import { readRouterOptions } from '../../lib/routing/router-options.js'
import { relate, parseRouteShape, type Relation } from '../../lib/routing/route-shape.js'
import { assertProperty } from '../fixtures/property.js'
import { scaleToLane } from '../fixtures/lane.js'

const exact = readRouterOptions({ initialConfig: {} })
const lenient = readRouterOptions({ initialConfig: { caseSensitive: false, ignoreDuplicateSlashes: true } })

function patternOf (text: string): Pattern {
  const pattern = parsePattern(text)
  if ('mistake' in pattern) throw new TypeError(`${text}: ${pattern.mistake}`)
  return pattern
}

t.test('a pattern matches all, some or none of a route\'s paths', async (t) => {
  const rows: ReadonlyArray<readonly [pattern: string, route: string, relation: Relation, why: string]> = [
    ['/', '/', 'always', 'the root'],
    ['/', '/api', 'never', 'not the root'],
    ['/api', '/api', 'always', 'the same text'],
    ['/api/', '/api', 'always', 'a slash at the end of a pattern means nothing'],
    ['/api', '/api/', 'always', 'nor does one at the end of a route'],
    ['/API', '/api', 'never', 'this router counts case'],
    ['/api', '/apis', 'never', 'a segment is the whole of it'],
    ['/api/:id', '/api/', 'never', 'a list is none of its items'],
    ['/api', '/api/:id', 'never', 'nor an item its list'],
    ['/api/:id', '/api/new', 'always', 'a wild segment has every text'],
    ['/api/:id', '/api/:name', 'always', 'names of parameters mean nothing'],
    ['/api/*', '/api', 'always', 'the rest may be nothing'],
    ['/api/*', '/api/:a/:b', 'always', 'the rest is everything below'],
    ['/api/*', '/api/*', 'always', 'the same rest'],
    ['/*', '/api', 'always', 'all there is'],
    ['*', '*', 'always', 'all there is'],
    ['/api/*', '/*', 'sometimes', 'part of the rest'],
    ['/api', '/api/*', 'sometimes', 'the rest may be nothing'],
    ['/api/:id', '/api/*', 'sometimes', 'the rest may be one segment'],
    ['/other', '/api/*', 'never', 'elsewhere'],
    ['/api/v1/reports', '/api/:version/reports', 'sometimes', 'one version of many'],
    ['/api/v1/reports', '/api/:version/exports', 'never', 'another text after the parameter'],
    ['/api/*/reports', '/api/:version/reports', 'always', 'every version'],
    ['/trips/ulm-bonn', '/trips/:from-:to', 'sometimes', 'two parameters in one segment'],
    ['/trips/:trip', '/trips/:from-:to', 'always', 'still one segment'],
    ['/files/1.png', '/files/:file(^\\d+).png', 'sometimes', 'an expression and a text'],
    ['/files/a', '/files/:file(^a/b$)', 'sometimes', 'a slash in an expression ends no segment'],
    ['/files/a/b', '/files/:file(^a/b$)', 'never', 'it is one segment'],
    ['/files/:file/raw', '/files/:file(^(?:a\\)|/)$)/raw', 'always', 'parentheses in an expression'],
    ['/users/user-5', '/users/user-:id', 'sometimes', 'a text before the parameter'],
    ['/users', '/users/:id?', 'sometimes', 'the parameter may be missing'],
    ['/users/:id', '/users/:id?', 'sometimes', 'it may be missing'],
    ['/users/*', '/users/:id?', 'always', 'missing or not'],
    ['/users/5/x', '/users/:id?', 'never', 'it has no third segment'],
    ['/:id', '/:id?', 'sometimes', 'the root is one of its paths'],
    ['/things::cancel', '/things::cancel', 'always', 'a colon is written alike'],
    ['/things', '/things::cancel', 'never', 'no parameter'],
    ['/files-x', '/files-*', 'sometimes', 'a rest may begin within a segment'],
    ['/files-x/y', '/files-*', 'sometimes', 'and go on'],
    ['/*', '/files-*', 'always', 'all there is'],
    ['/', '/files-*', 'never', 'there is a segment'],
    ['/docs/*', '/docs*', 'sometimes', 'it has /docstrings too'],
    ['/100%', '/100%', 'always', 'a percent sign is a text']
  ]
  for (const [pattern, route, relation, why] of rows) t.equal(relate(patternOf(pattern), parseRouteShape(route, exact)), relation, `${pattern} and ${route}: ${why}`)
})

t.test('a router that takes every case and many slashes takes patterns so too', async (t) => {
  t.equal(relate(toLowerCasePattern(patternOf('/API/Reports')), parseRouteShape('/Api//REPORTS', lenient)), 'always')
  t.equal(relate(patternOf('/api/:empty/reports'), parseRouteShape('/api//reports', exact)), 'always')
})

const texts = fc.constantFrom('a', 'b', 'a-b', 'user-1', '1.png')
const patterns = fc.tuple(fc.array(fc.oneof(texts, fc.constantFrom(':x', '*', ':y')), { maxLength: 4 }), fc.boolean())
  .map(([segments, isOpen]) => `/${[...segments, ...isOpen ? ['*'] : []].join('/')}`)
const routes = fc.tuple(
  fc.array(fc.oneof(texts, fc.constantFrom(':p', ':p-:q', 'user-:p', ':p(^\\d+).png', ':p(^a|b$)', 'a::b')), { maxLength: 3 }),
  fc.constantFrom('', '', '/', '/*', '/a*', '/:last?')
).map(([segments, end]) => `/${segments.map((text, i) => text.replace(/:([pq])/g, `:$1${i}`)).join('/')}${end}`.replace(/^\/\//, '/'))
const paths = fc.tuple(
  fc.array(fc.oneof(texts, fc.constantFrom('c', '', 'a:b', 'a-a', 'user-2', '7.png', 'ab')), { maxLength: 5 }),
  fc.constantFrom('', '', '/')
).map(([segments, end]) => `/${segments.join('/')}${end}`)

t.test('"always" is every path that the router takes to the route, "never" none of them', async (t) => {
  const seen = { always: 0, sometimes: 0, never: 0 }
  assertProperty(fc.record({ pattern: patterns, route: routes, paths: fc.array(paths, { minLength: 30, maxLength: 30 }) }), 500, (example) => {
    const app = fastify()
    app.get(example.route, async () => 'here')
    const routing = readRouterOptions(app)
    const shape = parseRouteShape(example.route, routing)
    const pattern = patternOf(example.pattern)
    const relation = relate(pattern, shape)
    for (const path of example.paths) {
      const found = app.findRoute({ method: 'GET', url: path })
      if (found === null) continue
      seen[relation]++
      const request = { method: 'GET', url: path, params: found.params }
      const literal = interpretRoutePath(shape, request, routing).at(-1) ?? []
      // A slash at the end of the route is none of its segments.
      const sent = path.split('/').slice(1)
      if (literal.length < sent.length) sent.pop()
      if (literal.join('/') !== sent.join('/')) throw new Error(`${path} on ${example.route} was read as ${literal.join('/')}`)
      const isMatch = matchesPath(pattern, literal)
      if (relation !== 'sometimes' && isMatch !== (relation === 'always')) {
        throw new Error(`${example.pattern} is ${relation} on ${example.route}, and ${isMatch ? 'has' : 'has not'} ${path}`)
      }
    }
  })
  for (const [relation, count] of Object.entries(seen)) t.ok(count > scaleToLane(100), `${count} paths were ${relation}`)
})
