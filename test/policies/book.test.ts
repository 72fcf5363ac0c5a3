import t from 'tap'
import { PolicyBook, type Route } from '../../lib/policies/book.js'

const route = (url: string, rateLimit: unknown, method: Route['method'] = 'GET'): Route => ({ url, method, constraints: undefined, rateLimit })

t.test('a policy without limits of its own has the limits and buckets below it', async (t) => {
  const book = new PolicyBook('app', { max: 5 })
  const policy = book.policyOf(route('/', { cost: 2 }))
  t.equal(policy?.limits[0].bucket, book.base.limits[0].bucket)
  t.equal(policy?.scope, 'default')
})

t.test('a bucket is named by registration, scope and limit', async (t) => {
  const bucketsOf = (name: string) => {
    const book = new PolicyBook(name, { max: 5 })
    const several = { limits: [{ name: 'a', max: 1, timeWindow: 1000 }, { name: 'b', max: 1, timeWindow: 1000 }] }
    return [book.base, book.policyOf(route('/', { max: 5 })), book.policyOf(route('/', { max: 5 }, 'POST')), book.policyOf(route('/x', several)), book.policyOf(route('/', { max: 5, groupId: 'default' }))]
      .flatMap((policy) => policy?.limits.map(({ bucket }) => bucket) ?? [])
  }
  const buckets = [...bucketsOf('app'), ...bucketsOf('/api')]
  t.equal(new Set(buckets).size, 12)
})

t.test('no text in a name, a URL or a group makes two buckets one', async (t) => {
  const book = new PolicyBook('app', { max: 5 })
  const own = { max: 5 }
  const policies = [
    book.policyOf(route('/a', own)),
    book.policyOf({ ...route('/a', own), constraints: { host: 'b' } }),
    book.policyOf(route('/a', { ...own, groupId: 'route:GET /a' })),
    book.policyOf(route('/a","b', own)),
    book.policyOf(route('/b', { ...own, groupId: 'GET /a' }))
  ]
  const buckets = policies.map((policy) => policy?.limits[0].bucket)
  t.equal(new Set(buckets).size, policies.length)
})

t.test('every limit is listed once, with its scope', async (t) => {
  const book = new PolicyBook('app', { max: 5 })
  book.policyOf(route('/a', { max: 3, groupId: 'g' }))
  book.policyOf(route('/b', { max: 3, groupId: 'g' }))
  book.policyOf(route('/c', { mode: 'shadow' }))
  t.strictSame(book.limits().map((limit) => [book.scopeOf(limit), limit.max, limit.mode]), [
    ['default', 5, 'enforce'], ['group:g', 3, 'enforce'], ['default', 5, 'shadow']
  ])
})

t.test('an inherited mode, algorithm or by can be changed without changing the numbers', async (t) => {
  const book = new PolicyBook('app', { max: 5, mode: 'shadow', algorithm: 'fixed-window', by: 'global' })
  t.match(book.base.limits, [{ mode: 'shadow', algorithm: 'fixed-window', by: 'global' }])
  t.match(book.policyOf(route('/a', { mode: 'enforce' }))?.limits, [{ max: 5, mode: 'enforce', algorithm: 'fixed-window', by: 'global' }])
  t.match(book.policyOf(route('/b', { by: 'client' }))?.limits, [{ max: 5, mode: 'shadow', algorithm: 'fixed-window', by: 'client' }])
  t.match(book.policyOf(route('/c', { algorithm: 'token-bucket', burst: 9 }))?.limits, [{ max: 5, capacity: 9 }])
})

t.test('an option that is undefined is as good as left out', async (t) => {
  const book = new PolicyBook('app', { max: 5, hook: undefined, cost: undefined, limits: undefined })
  t.match(book.base, { hook: 'onRequest', cost: 1 })
  t.match(book.policyOf(route('/a', { max: undefined, cost: undefined })), { scope: 'default', cost: 1 })
})

t.test('a groupId made of clients is refused before it fills the memory', async (t) => {
  const book = new PolicyBook('app', { max: 5 })
  const check = (id: number) => book.policyFor({ max: 5, groupId: `user ${id}` }, 'rateLimit.check')
  for (let id = 0; id < 10_000; id++) check(id)
  t.throws(() => check(10_000), { code: 'FST_SLUICE_TOO_MANY_GROUPS' })
  t.doesNotThrow(() => check(1), 'a known group is still known')
})
