// Several registrations that count into one registry, and registrations that close.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Registry } from 'prom-client'
import t from 'tap'
import { createMetrics } from '../../../lib/observability/metrics/metrics.js'
import { createTestMetrics, readSamples, readSeries, createSources } from './samples.js'

setFlagsFromString('--expose-gc')
const gc: () => void = runInNewContext('gc')

t.test('the registrations of one application share a registry, and those of another have another', async (t) => {
  const app = {}
  const [first, second, other] = [await createMetrics({ app }), await createMetrics({ app }), await createMetrics({ app: {} })]
  first.getRoute('/').count('allowed', 'anonymous')
  second.getRoute('/').count('allowed', 'anonymous')
  t.equal(first.registry, second.registry)
  t.strictSame(await readSeries(first, 'rate_limit_requests_total'), { '{route="/",tier="anonymous",outcome="allowed"}': 2 })
  t.strictSame(await readSeries(other, 'rate_limit_requests_total'), {})
})

t.test('a registry that one registration names is that of all that name none', async (t) => {
  const app = {}
  const [registry, another] = [new Registry(), new Registry()]
  await createMetrics({ app, registry })
  t.equal((await createMetrics({ app })).registry, registry)
  t.equal((await createMetrics({ app, registry: another })).registry, another)
  t.equal((await createMetrics({ app })).registry, registry)
})

t.test('registrations that start at the same time share a registry too', async (t) => {
  const app = {}
  const registries = await Promise.all(Array.from({ length: 5 }, async () => (await createMetrics({ app })).registry))
  t.equal(new Set(registries).size, 1)
})

t.test('the breakers of several registrations are counted by state, and their buckets added up', async (t) => {
  const registry = new Registry()
  const [first, second, third] = [await createTestMetrics(registry), await createTestMetrics(registry), await createTestMetrics(registry)]
  first.watch(createSources('open', 5))
  second.watch(createSources('closed', 7))
  third.watch(createSources('closed', 0))
  t.strictSame(await readSeries(first, 'rate_limit_breaker_state'), { '{state="closed"}': 2, '{state="open"}': 1, '{state="half-open"}': 0 })
  t.strictSame(await readSeries(first, 'rate_limit_memory_keys'), { '': 12 })
})

t.test('a registration that closes leaves its counts, and takes its gauges along', async (t) => {
  const registry = new Registry()
  const [leaving, staying] = [await createTestMetrics(registry), await createTestMetrics(registry)]
  leaving.watch(createSources('open', 5))
  staying.watch(createSources(null, 7))
  leaving.getRoute('/').count('allowed', 'anonymous')
  leaving.close()
  t.strictSame(await readSeries(staying, 'rate_limit_requests_total'), { '{route="/",tier="anonymous",outcome="allowed"}': 1 })
  t.strictSame(await readSeries(staying, 'rate_limit_breaker_state'), {})
  t.strictSame(await readSeries(staying, 'rate_limit_memory_keys'), { '': 7 })
  staying.close()
  t.strictSame(await readSeries(staying, 'rate_limit_memory_keys'), {}, 'nobody is left who could say 0')
})

t.test('a request that ends after its registration closed still counts', async (t) => {
  const metrics = await createTestMetrics()
  const meter = metrics.getRoute('/')
  metrics.close()
  meter.count('delayed', 'anonymous')
  t.strictSame(await readSeries(metrics, 'rate_limit_requests_total'), { '{route="/",tier="anonymous",outcome="delayed"}': 1 })
})

t.test('closing twice is closing', async (t) => {
  const registry = new Registry()
  const [leaving, staying] = [await createTestMetrics(registry), await createTestMetrics(registry)]
  const shared = createSources(null, 3)
  leaving.watch(createSources(null, 1))
  leaving.close()
  staying.watch(shared)
  leaving.close()
  t.strictSame(await readSeries(staying, 'rate_limit_memory_keys'), { '': 3 })
})

t.test('a thousand registrations that come and go leave nothing but their counts', async (t) => {
  const registry = new Registry()
  const gone: Array<WeakRef<object>> = []
  async function comeAndGo (): Promise<void> {
    const metrics = await createTestMetrics(registry)
    const watched = createSources('closed', 1)
    metrics.watch(watched)
    metrics.getRoute('/').count('allowed', 'premium')
    metrics.getRoute('/').countRefusal('burst', 'premium', 'enforce')
    metrics.getStore('redis').observe('take', 0.001)
    metrics.close()
    gone.push(new WeakRef(metrics), new WeakRef(watched))
  }
  await comeAndGo()
  const before = [...(await readSamples({ registry })).keys()]
  for (let i = 1; i < 1000; i++) await comeAndGo()
  const samples = await readSamples({ registry })
  t.strictSame([...samples.keys()], before)
  t.equal(samples.get('rate_limit_requests_total{route="/",tier="premium",outcome="allowed"}'), 1000)
  // A WeakRef holds its object until the turn that made it is over.
  await new Promise(setImmediate)
  gc()
  t.equal(gone.filter((one) => one.deref() !== undefined).length, 0)
})

t.test('a registry that nobody has any more is collected, though its registrations never closed', async (t) => {
  async function abandon (): Promise<WeakRef<object>> {
    const metrics = await createMetrics({ app: {} })
    metrics.watch(createSources('closed', 1))
    return new WeakRef(metrics.registry)
  }
  const registry = await abandon()
  await new Promise(setImmediate)
  gc()
  t.equal(registry.deref(), undefined)
})
