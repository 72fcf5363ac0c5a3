import t from 'tap'
import type { RateLimitOptions } from '../../lib/config/schema/options-schema.js'
import { PolicySet } from '../../lib/policies/policy-set.js'
import type { Policy } from '../../lib/policies/policy.js'
import type { Route } from '../../lib/routing/route-names.js'

const routing = { isCaseSensitive: true, ignoresDuplicateSlashes: false, ignoresTrailingSlash: false, endsAtSemicolon: false }

function bookOf (options: RateLimitOptions, name = 'app'): PolicySet {
  return new PolicySet(name, options, routing, () => {})
}

/** The policy of a route that has one whatever is requested. */
function policyOf (book: PolicySet, route: Route): Policy | null {
  const found = book.compileRoute(route)
  if (found.kind === 'by-request') throw new TypeError('the policy depends on the request')
  return found.policy
}

const route = (url: string, rateLimit: unknown, method: Route['method'] = 'GET'): Route => ({ url, method, constraints: undefined, rateLimit })

t.test('a policy without limits of its own has the limits and buckets below it', async (t) => {
  const book = bookOf({ max: 5 })
  const policy = policyOf(book, route('/', { cost: 2 }))
  t.equal(policy?.limits[0].bucket, book.base.limits[0].bucket)
  t.equal(policy?.scope, 'default')
})

t.test('a bucket is named by registration, scope and limit', async (t) => {
  const bucketsOf = (name: string) => {
    const book = bookOf({ max: 5 }, name)
    const several = { limits: [{ name: 'a', max: 1, timeWindow: 1000 }, { name: 'b', max: 1, timeWindow: 1000 }] }
    return [book.base, policyOf(book, route('/', { max: 5 })), policyOf(book, route('/', { max: 5 }, 'POST')), policyOf(book, route('/x', several)), policyOf(book, route('/', { max: 5, groupId: 'default' }))]
      .flatMap((policy) => policy?.limits.map(({ bucket }) => bucket) ?? [])
  }
  const buckets = [...bucketsOf('app'), ...bucketsOf('/api')]
  t.equal(new Set(buckets).size, 12)
})

t.test('no text in a name, a URL or a group makes two buckets one', async (t) => {
  const book = bookOf({ max: 5 })
  const own = { max: 5 }
  const policies = [
    policyOf(book, route('/a', own)),
    policyOf(book, { ...route('/a', own), constraints: { host: 'b' } }),
    policyOf(book, route('/a', { ...own, groupId: 'route:GET /a' })),
    policyOf(book, route('/a","b', own)),
    policyOf(book, route('/b', { ...own, groupId: 'GET /a' }))
  ]
  const buckets = policies.map((policy) => policy?.limits[0].bucket)
  t.equal(new Set(buckets).size, policies.length)
})

t.test('every limit is listed once, with its scope', async (t) => {
  const book = bookOf({ max: 5 })
  policyOf(book, route('/a', { max: 3, groupId: 'g' }))
  policyOf(book, route('/b', { max: 3, groupId: 'g' }))
  policyOf(book, route('/c', { mode: 'shadow' }))
  t.strictSame(book.buckets.limits().map((limit) => [book.buckets.getScope(limit), limit.max, limit.mode]), [
    ['default', 5, 'enforce'], ['group:g', 3, 'enforce'], ['default', 5, 'shadow']
  ])
})

t.test('an inherited mode, algorithm or by can be changed without changing the numbers', async (t) => {
  const book = bookOf({ max: 5, mode: 'shadow', algorithm: 'fixed-window', by: 'global' })
  t.match(book.base.limits, [{ mode: 'shadow', algorithm: 'fixed-window', by: 'global' }])
  t.match(policyOf(book, route('/a', { mode: 'enforce' }))?.limits, [{ max: 5, mode: 'enforce', algorithm: 'fixed-window', by: 'global' }])
  t.match(policyOf(book, route('/b', { by: 'client' }))?.limits, [{ max: 5, mode: 'shadow', algorithm: 'fixed-window', by: 'client' }])
  t.match(policyOf(book, route('/c', { algorithm: 'token-bucket', burst: 9 }))?.limits, [{ max: 5, capacity: 9 }])
})

t.test('an option that is undefined is as good as left out', async (t) => {
  const book = bookOf({ max: 5, hook: undefined, cost: undefined, limits: undefined })
  t.match(book.base, { hook: 'onRequest', cost: 1 })
  t.match(policyOf(book, route('/a', { max: undefined, cost: undefined })), { scope: 'default', cost: 1 })
})

t.test('a groupId made of clients is refused before it fills the memory', async (t) => {
  const book = bookOf({ max: 5 })
  const check = (id: number) => book.compileGuardPolicy({ max: 5, groupId: `user ${id}` }, 'rateLimit.check')
  for (let id = 0; id < 10_000; id++) check(id)
  t.throws(() => check(10_000), { code: 'FST_SLUICE_TOO_MANY_GROUPS' })
  t.doesNotThrow(() => check(1), 'a known group is still known')
})

t.test('and reloads do not give it room for more', async (t) => {
  const checked = (book: ReturnType<typeof bookOf>, id: number) => book.compileGuardPolicy({ max: 5, groupId: `user ${id}` }, 'rateLimit.check')
  const before = bookOf({ max: 5 })
  for (let id = 0; id < 6_000; id++) checked(before, id)
  const after = bookOf({ max: 6 })
  after.buckets.inherit(before.buckets)
  for (let id = 2_000; id < 10_000; id++) checked(after, id)
  t.throws(() => checked(after, 10_000), { code: 'FST_SLUICE_TOO_MANY_GROUPS' })
  t.equal(after.buckets.limits().length, 10_001, 'those of all groups, and the default')
})
