import t from 'tap'
import { RuleSet, type Resolution, type Rule } from '../../lib/routing/rule-set.js'

const routing = { isCaseSensitive: true, ignoresDuplicateSlashes: false, ignoresTrailingSlash: false, endsAtSemicolon: false }

/** A rule by its match, with what else is said of it: `POST,PUT /api/* override`. Its text is its name. */
function rule (text: string): Rule {
  const { methods, match, override } = /^(?:(?<methods>[A-Z,]+) )?(?<match>\S+)(?<override> override)?$/.exec(text)?.groups ?? {}
  return { name: text, match, methods: methods?.split(','), override: override !== undefined }
}

interface Row {
  readonly rules: readonly string[]
  /** As `GET,POST /users/:id`; with ` own` behind it where its config has limits or is `false`. */
  readonly route: string
  /** The rule that it has whatever is requested. */
  readonly has: string | null
  readonly why: string
}

const fixed: readonly Row[] = [
  { rules: [], route: 'GET /a', has: null, why: 'there are no rules' },
  { rules: ['/a'], route: 'GET /b', has: null, why: 'the only rule is for another route' },
  { rules: ['/a'], route: 'GET /a', has: '/a', why: 'the rule has this very path' },
  { rules: ['/a'], route: 'GET /a/', has: '/a', why: 'a slash at the end means nothing' },
  { rules: ['/a/'], route: 'GET /a', has: '/a/', why: 'nor does it in a rule' },
  { rules: ['/*', '/a'], route: 'GET /a', has: '/a', why: 'a text goes before a last star' },
  { rules: ['/:any', '/a'], route: 'GET /a', has: '/a', why: 'a text goes before a wild segment' },
  { rules: ['/*', '/:any'], route: 'GET /a', has: '/:any', why: 'a wild segment goes before a last star' },
  { rules: ['/a/*', '/a'], route: 'GET /a', has: '/a', why: 'an end goes before a last star' },
  { rules: ['/:x/b', '/a/:y'], route: 'GET /a/b', has: '/a/:y', why: 'the first segment that differs decides' },
  { rules: ['/:x/b/c', '/a/*'], route: 'GET /a/b/c', has: '/a/*', why: 'also against a longer pattern' },
  { rules: ['/a/:x', '/a/*'], route: 'GET /a/:id', has: '/a/:x', why: 'a parameter is one segment' },
  { rules: ['/a/*'], route: 'GET /a/:id', has: '/a/*', why: 'all paths of the route are below /a' },
  { rules: ['/a/*', '/a/b/*'], route: 'GET /a/b/*', has: '/a/b/*', why: 'a wildcard route has the rule with all of its paths' },
  { rules: ['*'], route: 'GET *', has: '*', why: 'a star alone is for everything' },
  { rules: ['/a', 'GET /a'], route: 'GET /a', has: 'GET /a', why: 'named methods go before any' },
  { rules: ['GET /*', '/a'], route: 'GET /a', has: '/a', why: 'but only among equally specific patterns' },
  { rules: ['POST /a', '/*'], route: 'GET /a', has: '/*', why: 'the more specific rule is for another method' },
  { rules: ['POST /a'], route: 'GET /a', has: null, why: 'the only rule is for another method' },
  { rules: ['GET /a'], route: 'HEAD /a', has: 'GET /a', why: 'HEAD counts as GET' },
  { rules: ['HEAD /a'], route: 'GET /a', has: 'HEAD /a', why: 'also where the rule names it' },
  { rules: ['GET,POST /a'], route: 'POST /a', has: 'GET,POST /a', why: 'one of its methods' },
  { rules: ['GET,POST /a', '/a'], route: 'GET,POST /a', has: 'GET,POST /a', why: 'the rule names every method of the route' },
  { rules: ['POST,GET /a', 'GET /a'], route: 'GET /a', has: 'POST,GET /a', why: 'equally specific rules go as they are written' },
  { rules: ['GET /a', 'POST,GET /a'], route: 'GET /a', has: 'GET /a', why: 'in either order' },
  { rules: ['/:one', '/:other'], route: 'GET /a', has: '/:one', why: 'names of wild segments mean nothing' },
  { rules: ['/a'], route: 'GET /a own', has: null, why: 'the route has limits of its own' },
  { rules: ['/a override'], route: 'GET /a own', has: '/a override', why: 'unless the rule overrides them' },
  { rules: ['/a override'], route: 'GET /a', has: '/a override', why: 'which is also for routes without' },
  { rules: ['/a', '/* override'], route: 'GET /a own', has: '/* override', why: 'a more specific ordinary rule is out of the question' },
  { rules: ['/a', '/* override'], route: 'GET /a', has: '/a', why: 'and in it where the route has no limits' },
  { rules: ['/* override', '/a override'], route: 'GET /a own', has: '/a override', why: 'among those that override the most specific wins' }
]

/** `GET /a own` as the arguments of `forRoute`. */
function resolve (rules: readonly string[], route: string): Resolution<Rule> {
  const [methods, url, own] = route.split(' ')
  return new RuleSet(rules.map(rule), routing).forRoute(methods.split(','), url, own === 'own')
}

for (const { rules, route, has, why } of fixed) {
  t.test(`${route} with ${rules.join(' and ') || 'nothing'} has ${has ?? 'no rule'}, once and for all: ${why}`, async (t) => {
    const found = resolve(rules, route)
    t.equal(found.kind, 'fixed', 'nothing is to be done per request')
    if (found.kind === 'fixed') t.equal(found.rule?.name ?? null, has)
  })
}

interface VaryingRow extends Omit<Row, 'has'> {
  /** Every rule that may come out, in the order in which they are asked. */
  readonly candidates: readonly string[]
  readonly requests: ReadonlyArray<readonly [request: string, params: object, has: string | null]>
}

const byRequest: readonly VaryingRow[] = [
  {
    rules: ['/users/*', '/users/me'],
    route: 'GET /users/:id',
    candidates: ['/users/me', '/users/*'],
    requests: [['GET /users/me', { id: 'me' }, '/users/me'], ['GET /users/7', { id: '7' }, '/users/*'], ['HEAD /users/me', { id: 'me' }, '/users/me']],
    why: 'only the parameter tells'
  },
  {
    rules: ['/users/me'],
    route: 'GET /users/:id',
    candidates: ['/users/me'],
    requests: [['GET /users/me', { id: 'me' }, '/users/me'], ['GET /users/7', { id: '7' }, null]],
    why: 'most paths have no rule'
  },
  {
    rules: ['POST /a', '/a'],
    route: 'GET,POST /a',
    candidates: ['POST /a', '/a'],
    requests: [['GET /a', {}, '/a'], ['HEAD /a', {}, '/a'], ['POST /a', {}, 'POST /a']],
    why: 'only the method tells'
  },
  {
    rules: ['POST /a'],
    route: 'GET,POST /a',
    candidates: ['POST /a'],
    requests: [['GET /a', {}, null], ['POST /a', {}, 'POST /a']],
    why: 'the other method has no rule'
  },
  {
    rules: ['/files/private/*', '/files/*', '/*'],
    route: 'GET /files/*',
    candidates: ['/files/private/*', '/files/*'],
    requests: [['GET /files/private/x', { '*': 'private/x' }, '/files/private/*'], ['GET /files/x', { '*': 'x' }, '/files/*'], ['GET /files/', { '*': '' }, '/files/*']],
    why: 'whatever comes after the rule of every path gets none'
  },
  {
    rules: ['/users/me', '/users/:id override', 'POST /users/you override'],
    route: 'GET,POST /users/:id own',
    candidates: ['POST /users/you override', '/users/:id override'],
    requests: [['GET /users/me', { id: 'me' }, '/users/:id override'], ['POST /users/you', { id: 'you' }, 'POST /users/you override'], ['GET /users/you', { id: 'you' }, '/users/:id override']],
    why: 'ordinary rules are not among them'
  }
]

for (const { rules, route, candidates, requests, why } of byRequest) {
  t.test(`${route} with ${rules.join(' and ')} is looked up per request: ${why}`, async (t) => {
    const found = resolve(rules, route)
    if (found.kind === 'fixed') throw new TypeError('the rule does not depend on the request')
    t.strictSame(found.rules.map(({ name }) => name), candidates)
    for (const [request, params, has] of requests) {
      const [method, url] = request.split(' ')
      t.equal(found.pick({ method, url, params })?.name ?? null, has, request)
    }
  })
}

const unknown: ReadonlyArray<readonly [request: string, has: string | null]> = [
  ['GET /api/x', '/api/*'],
  ['POST /api/x', 'POST /api/*'],
  ['GET /api', '/api/*'],
  ['GET //api//x', '/api/*'],
  ['GET /%61pi/x', '/api/*'],
  ['GET /apis', null],
  ['GET /other', null]
]

t.test('an unknown URL has the most specific rule for its path and method', async (t) => {
  const rules = new RuleSet(['/api/*', 'POST /api/*', '/other/x'].map(rule), routing)
  for (const [request, has] of unknown) {
    const [method, url] = request.split(' ')
    t.equal(rules.forUnknown({ method, url })?.name ?? null, has, request)
  }
})

t.test('a match that is no pattern is told of with its place', async (t) => {
  t.throws(() => new RuleSet(['/a', '/b', 'c*'].map((match) => ({ name: match, match })), routing), {
    code: 'FST_SLUICE_BAD_OPTION',
    message: 'rateLimit.rules[2].match: expected a pattern such as "/api/*/reports" (a pattern begins with "/"), got "c*"'
  })
})
