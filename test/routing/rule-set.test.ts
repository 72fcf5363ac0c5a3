import t from 'tap'
import { type RequestTarget } from '../../lib/routing/request-path.js'
import { readRouterOptions } from '../../lib/routing/router-options.js'
import { RuleSet, type Resolution, type Rule } from '../../lib/routing/rule-set.js'

const routing = readRouterOptions({ initialConfig: {} })

/** Rules that are called by their patterns. */
const rulesOf = (...rules: ReadonlyArray<string | Omit<Rule, 'name'>>): RuleSet<Rule> => new RuleSet(rules.map((rule) => {
  const { match, ...rest } = typeof rule === 'string' ? { match: rule } : rule
  return { name: [...'methods' in rest ? rest.methods ?? [] : [], match].join(' '), match, ...rest }
}), routing)

/** The name of the rule that a route always has, or "by request". */
function fixedRule (resolution: Resolution<Rule>): string | null {
  return resolution.kind === 'fixed' ? resolution.rule?.name ?? null : 'by request'
}

function picked (resolution: Resolution<Rule>, request: Partial<RequestTarget>): string | null {
  if (resolution.kind === 'fixed') throw new TypeError('there is nothing to pick')
  return resolution.pick({ method: 'GET', url: '/', params: {}, ...request })?.name ?? null
}

t.test('the most specific rule wins, wherever it is written', async (t) => {
  const rows: ReadonlyArray<readonly [rules: string[], route: string, winner: string | null]> = [
    [['/api/*', '/api/reports'], '/api/reports', '/api/reports'],
    [['/api/*', '/api/:x', '/:a/reports'], '/api/reports', '/api/:x'],
    [['/*', '/:a/*', '/:a/:b'], '/api/reports', '/:a/:b'],
    [['/:a/reports', '/api/*'], '/api/reports', '/api/*'], // from the left: a text in the first place outweighs one in the second
    [['/api/*/reports', '/api/v1/*'], '/api/v1/reports', '/api/v1/*'],
    [['/api/*', '/api'], '/api', '/api'],
    [['/api/*'], '/api', '/api/*'],
    [['/api/:id/*', '/api/*'], '/api/:id', '/api/:id/*'],
    [['/api/:id/*', '/api/*'], '/api', '/api/*'],
    [['/other', '/api/:x/:y'], '/api/reports', null],
    [[], '/api', null]
  ]
  for (const [rules, route, winner] of rows) {
    for (const order of [rules, rules.toReversed()]) {
      t.equal(fixedRule(rulesOf(...order).forRoute(['GET'], route)), winner, `${order.join(' ')} on ${route}`)
    }
  }
})

t.test('of equally specific rules one that names the method wins, then the first that is written', async (t) => {
  const set = rulesOf({ match: '/a/:x' }, { match: '/a/:y', methods: ['POST', 'PUT'] }, { match: '/a/:z', methods: ['POST'] })
  t.equal(fixedRule(set.forRoute(['POST'], '/a/b')), 'POST PUT /a/:y')
  t.equal(fixedRule(set.forRoute(['GET'], '/a/b')), '/a/:x')
  t.equal(fixedRule(rulesOf({ match: '/a/*', methods: ['GET'] }, '/a/:x').forRoute(['GET'], '/a/b')), '/a/:x')
})

t.test('a route with several methods has a rule for each request where a rule names one', async (t) => {
  const set = rulesOf({ match: '/a', methods: ['post'] }, '/*')
  const route = set.forRoute(['GET', 'POST'], '/a')
  t.strictSame(route.kind === 'by-request' && route.rules.map(({ name }) => name), ['post /a', '/*'])
  t.equal(picked(route, { method: 'POST' }), 'post /a')
  t.equal(picked(route, { method: 'GET' }), '/*')
  t.equal(fixedRule(set.forRoute(['POST'], '/a')), 'post /a')
  t.equal(fixedRule(rulesOf({ match: '/a', methods: ['GET', 'POST'] }).forRoute(['POST', 'GET'], '/a')), 'GET POST /a')
  t.equal(picked(rulesOf({ match: '/a', methods: ['GET'] }).forRoute(['POST', 'GET'], '/a'), { method: 'POST' }), null)
})

t.test('HEAD counts as GET', async (t) => {
  for (const methods of [['GET'], ['HEAD'], ['head']]) {
    const set = rulesOf({ match: '/a', methods })
    for (const asked of [['GET'], ['HEAD'], ['GET', 'HEAD']]) t.equal(fixedRule(set.forRoute(asked, '/a')), `${methods.join()} /a`)
    t.equal(picked(set.forRoute(['HEAD', 'POST'], '/a'), { method: 'HEAD' }), `${methods.join()} /a`)
    t.equal(set.forUnknown({ method: 'HEAD', url: '/a' })?.name, `${methods.join()} /a`)
    t.equal(set.forUnknown({ method: 'POST', url: '/a' }), null)
  }
})

t.test('a route of which a rule has some paths gets it on those', async (t) => {
  const set = rulesOf('/api/*', '/api/v1/reports', '/api/v1/*', '/files/private/*')
  const reports = set.forRoute(['GET'], '/api/:version/reports')
  t.equal(picked(reports, { params: { version: 'v1' } }), '/api/v1/reports')
  t.equal(picked(reports, { params: { version: 'v2' } }), '/api/*')
  t.equal(picked(reports, { params: { version: 'V1' } }), '/api/*')
  t.equal(picked(reports, { params: { version: 'v1/reports' } }), '/api/*')
  const files = set.forRoute(['GET'], '/files/*')
  t.equal(picked(files, { params: { '*': 'private' } }), '/files/private/*')
  t.equal(picked(files, { params: { '*': 'private/a/b' } }), '/files/private/*')
  t.equal(picked(files, { params: { '*': 'privates' } }), null)
})

t.test('a rule that has every request of a route ends the search', async (t) => {
  const route = rulesOf('/*', '/a/:x', '/a/b', { match: '/a/:y', methods: ['GET'] }).forRoute(['GET'], '/a/:id')
  t.strictSame(route.kind === 'by-request' && route.rules.map(({ name }) => name), ['/a/b', 'GET /a/:y'])
})

t.test('only rules that override have routes with limits of their own', async (t) => {
  const set = rulesOf('/api/reports', { match: '/api/:x', override: true }, { match: '/*', override: true }, { match: '/login', override: false })
  t.equal(fixedRule(set.forRoute(['GET'], '/api/reports')), '/api/reports')
  t.equal(fixedRule(set.forRoute(['GET'], '/api/reports', true)), '/api/:x', 'a more specific one without override does not stand before it')
  t.equal(fixedRule(set.forRoute(['GET'], '/login', true)), '/*')
  t.equal(fixedRule(rulesOf('/*').forRoute(['GET'], '/a', true)), null)
  const wild = rulesOf('/api/a', { match: '/api/b', override: true }).forRoute(['GET'], '/api/:x', true)
  t.strictSame(['a', 'b'].map((x) => picked(wild, { params: { x } })), [null, '/api/b'])
})

t.test('an unknown URL has a rule by its path, also one that overrides', async (t) => {
  const set = rulesOf('/api/*', { match: '/api/reports', override: true }, '/users', '/users/:id')
  const rows: ReadonlyArray<readonly [url: string, rule: string | undefined]> = [
    ['/api/reports', '/api/reports'], ['/api/reports?x=/y', '/api/reports'], ['/api/reports/', '/api/reports'], ['/api//reports', '/api/reports'],
    ['/%61pi/%72eports', '/api/reports'], ['/api%2Freports', '/api/reports'], ['/x/../api/./reports#x', '/api/reports'],
    ['http://host/api/reports', '/api/reports'], ['HTTPS://host:8080/api/reports', '/api/reports'],
    ['/api', '/api/*'], ['/api/none', '/api/*'], ['/API/reports', undefined], ['/', undefined],
    ['/users/', '/users'], ['/users/5', '/users/:id'], ['/users/5/', '/users/:id']
  ]
  for (const [url, rule] of rows) t.equal(set.forUnknown({ method: 'GET', url })?.name, rule, url)
})

t.test('of two rules for the two readings of a path the one with .. resolved wins, unless the other is more specific', async (t) => {
  for (const rules of [['/f/public/*', '/f/secret/*'], ['/f/secret/*', '/f/public/*']]) {
    const files = rulesOf(...rules).forRoute(['GET'], '/f/*')
    t.equal(picked(files, { params: { '*': 'public/../secret/x' } }), '/f/secret/*')
    t.equal(picked(files, { params: { '*': 'secret/../public/x' } }), '/f/public/*')
  }
  const loose = rulesOf('/f/*', '/f/hooks/*').forRoute(['GET'], '/f/*')
  t.equal(picked(loose, { params: { '*': 'hooks/../x' } }), '/f/hooks/*', 'a handler may take it as it is')
  t.equal(picked(loose, { params: { '*': '../f/hooks/x' } }), '/f/hooks/*', 'by the whole path')
  t.equal(picked(loose, { params: { '*': '../hooks/x' } }), '/f/hooks/*', 'or below the wildcard')
})

t.test('a router that does not count case has no rules that do', async (t) => {
  const set = new RuleSet([{ name: 'reports', match: '/API/v1/Reports' }], readRouterOptions({ initialConfig: { caseSensitive: false } }))
  t.equal(picked(set.forRoute(['GET'], '/Api/:version/REPORTS'), { params: { version: 'V1' } }), 'reports')
  t.equal(fixedRule(set.forRoute(['GET'], '/api/V1/reports')), 'reports')
  t.equal(set.forUnknown({ method: 'GET', url: '/aPI/v1/reports' })?.name, 'reports')
})

t.test('a match that is no pattern is an error with its place', async (t) => {
  t.throws(() => rulesOf('/a', '/a*b'), {
    code: 'FST_SLUICE_BAD_OPTION',
    message: /^rateLimit\.rules\[1\]\.match: expected a pattern such as "\/api\/\*\/reports" \(a "\*" must be a whole segment\), got "\/a\*b"$/
  })
  t.throws(() => new RuleSet([{ name: 'a', match: 'a' }], routing, 'file.rules'), { message: /^file\.rules\[0\]\.match: / })
})
