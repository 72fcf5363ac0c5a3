import t from 'tap'
import { createExemptMatcher } from '../../lib/routing/exempt-routes.js'
import { readRouterOptions } from '../../lib/routing/router-options.js'

const routing = readRouterOptions({ initialConfig: {} })

t.test('reading health, metrics and documentation is exempt unasked', async (t) => {
  const isExempt = createExemptMatcher(undefined, routing)
  const exempt = [
    '/health', '/health/', '/health/rate-limit', '/health/:check', '/health/*', '/healthz', '/livez', '/readyz', '/status', '/metrics',
    '/docs', '/docs/', '/docs/static/*', '/docs/:page?', '/documentation', '/documentation/json'
  ]
  for (const url of exempt) {
    for (const methods of [['GET'], ['HEAD'], ['GET', 'HEAD']]) t.ok(isExempt(methods, url), `${methods.join()} ${url}`)
    for (const methods of [['POST'], ['GET', 'POST'], ['OPTIONS']]) t.notOk(isExempt(methods, url), `${methods.join()} ${url}`)
  }
})

t.test('business is not exempt for a name that begins or ends alike', async (t) => {
  const isExempt = createExemptMatcher(undefined, routing)
  const counted = [
    '/', '/docstrings', '/docs*', '/docs-:id', '/documentations/x', '/healthy', '/healthcare', '/healthz/x', '/livez/x', '/metrics/x',
    '/v1/health', '/api/docs/x', '/:page', '/:a/:b', '/*', '*', '/Health'
  ]
  for (const url of counted) t.notOk(isExempt(['GET'], url), url)
})

t.test('a list of one\'s own replaces the built-in one, and is for every method', async (t) => {
  const isExempt = createExemptMatcher(['/hooks/*', '/users/:id/avatar'], routing)
  for (const url of ['/hooks', '/hooks/a/b', '/hooks/:id', '/users/:user/avatar']) {
    t.ok(isExempt(['POST'], url), url)
    t.ok(isExempt(['GET', 'DELETE'], url), url)
  }
  for (const url of ['/health', '/docs/x', '/users/:id', '/users/:id/:what', '/:all', '/*']) t.notOk(isExempt(['GET'], url), url)
  t.notOk(createExemptMatcher([], routing)(['GET'], '/health'))
})

t.test('a pattern exempts no route of which it has only some paths', async (t) => {
  const isExempt = createExemptMatcher(['/files/public/*', '/api/v1/status'], routing)
  t.notOk(isExempt(['GET'], '/files/*'))
  t.notOk(isExempt(['GET'], '/api/:version/status'))
  t.ok(createExemptMatcher(['/*'], routing)(['GET'], '/*'))
})

t.test('case counts where the router counts it', async (t) => {
  t.ok(createExemptMatcher(undefined, readRouterOptions({ initialConfig: { caseSensitive: false } }))(['GET'], '/Health'))
})

t.test('a text that is no pattern is an error with its place', async (t) => {
  t.throws(() => createExemptMatcher(['/a', 'b'], routing), { code: 'FST_SLUICE_BAD_OPTION', message: /^rateLimit\.exempt\.routes\[1\]: expected a pattern/ })
})
