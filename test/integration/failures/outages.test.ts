// Each way in which Redis can fail and come back, with requests all the while.
import t, { type Test } from 'tap'
import { startRedis, type RedisServer } from '../../fixtures/redis-server.js'
import { startProxy, type TcpProxy } from '../../fixtures/tcp-proxy.js'
import { countStatus, newClient, SOON_MS, startService, until, type Service } from './outage.js'

const OPEN_FOR_MS = 500
/** When Redis must decide again: a second after openFor, and some for a busy machine. */
const RESUMED_WITHIN_MS = OPEN_FOR_MS + 1000 + 4000

interface Outage {
  readonly name: string
  /** For at least so long, milliseconds. */
  readonly lastsMs?: number
  begin (server: RedisServer, proxy: TcpProxy, t: Test): void | Promise<void>
  end (server: RedisServer, proxy: TcpProxy): void | Promise<void>
  /** Whether the codes of the last error tell what is wrong. */
  readonly codes: RegExp
}

const outages: readonly Outage[] = [
  { name: 'stopped by SIGSTOP', lastsMs: 3000, begin: (server) => server.signal('SIGSTOP'), end: (server) => server.signal('SIGCONT'), codes: /^(DEADLINE|CONNECTION)$/ },
  { name: 'killed and started again', begin: (server) => server.stop(), end: (server) => server.restart(), codes: /^(DEADLINE|CONNECTION|ECONNREFUSED|ECONNRESET)$/ },
  { name: 'refused', begin: (_server, proxy) => proxy.refuse(), end: (_server, proxy) => proxy.accept(), codes: /^(ECONNREFUSED|CONNECTION|DEADLINE)$/ },
  { name: 'swallowed by a blackhole', begin: (_server, { faults }) => { faults.isBlackhole = true }, end: (_server, { faults }) => { faults.isBlackhole = false }, codes: /^(DEADLINE|CONNECTION)$/ },
  { name: 'half a second away', begin: (_server, { faults }) => { faults.latencyMs = 500 }, end: (_server, { faults }) => { faults.latencyMs = 0 }, codes: /^DEADLINE$/ }
]

/** The breaker opens by the requests of an outage. */
async function untilOpen (t: Test, service: Service): Promise<void> {
  await until(t, 'the breaker opens', SOON_MS, async () => {
    await service.visits(3, '/', newClient())
    return service.log.some(({ breaker }) => breaker === 'open')
  })
}

for (const outage of outages) {
  t.test(`Redis ${outage.name}: the failure modes hold at once, and Redis decides again soon after`, async (t) => {
    const server = await startRedis(t)
    const proxy = await startProxy(t, server.port)
    const service = await startService(t, { redis: proxy.url })
    const somebody = newClient()
    const before = await service.visits(4, '/', somebody)
    t.strictSame(before.map(({ outcome }) => outcome), Array(4).fill('allowed'))

    const began = performance.now()
    await outage.begin(server, proxy, t)
    await untilOpen(t, service)

    const local = await service.visits(15, '/', somebody)
    t.equal(countStatus(local, 200), 10, 'local: the same limit, in a bucket of its own')
    t.equal(countStatus(local, 429), 5)
    t.equal(local[0].headers.get('x-ratelimit-limit'), '10')

    for (const visit of await service.visits(15, '/open', somebody)) {
      t.equal(visit.outcome, 'unavailable')
      t.equal(visit.headers.get('x-ratelimit-limit'), null, 'nothing is invented')
    }

    for (const visit of await service.visits(3, '/closed', somebody)) {
      t.equal(visit.status, 503)
      t.equal(visit.headers.get('content-type'), 'application/problem+json; charset=utf-8')
      t.equal(visit.headers.get('retry-after'), '1')
      t.equal(visit.headers.get('cache-control'), 'no-store')
      const problem = JSON.parse(visit.body)
      t.match(problem, { type: 'https://iana.org/assignments/http-problem-types#temporary-reduced-capacity', status: 503, retryAfter: 1 })
    }
    t.match(service.log.find(({ breaker }) => breaker === 'open')?.lastError, outage.codes)

    await until(t, 'the outage lasts', SOON_MS, async () => {
      const [visit] = await service.visits(3, '/open', newClient())
      t.equal(visit.outcome, 'unavailable')
      return performance.now() - began >= (outage.lastsMs ?? 0)
    })

    await outage.end(server, proxy)
    await until(t, 'Redis decides again', RESUMED_WITHIN_MS, async () => {
      const [visit] = await service.visits(1, '/open', newClient())
      return visit.outcome === 'allowed'
    })
    const after = newClient()
    const visits = await service.visits(20, '/', after)
    t.equal(countStatus(visits, 200), 10, 'Redis enforces the limit')

    await outage.begin(server, proxy, t)
    await until(t, 'the next outage', SOON_MS, async () => (await service.visits(3, '/open', newClient()))[0].outcome === 'unavailable')
    await until(t, 'a remembered refusal is over', SOON_MS, async () => (await service.visits(1, '/open', newClient()))[0].outcome === 'unavailable')
    const again = await service.visits(5, '/', somebody)
    t.equal(countStatus(again, 429), 5, 'local buckets persist from one outage to the next')
    await outage.end(server, proxy)

    const stores = service.log.filter(({ source }) => source === 'store')
    t.strictSame([...new Set(stores.map(({ err }) => err?.message))], stores.map(({ err }) => err?.message), 'each code is logged once a minute')
    t.equal(stores[0].err?.code, 'FST_SLUICE_STORE')
  })
}

t.test('Redis down at start: the application starts, and Redis decides once it is there', async (t) => {
  const server = await startRedis(t)
  await server.stop()
  const service = await startService(t, { redis: server.url })
  const somebody = newClient()
  const first = await service.visits(1, '/open', somebody)
  t.equal(first[0].outcome, 'unavailable')
  const visits = await service.visits(15, '/', somebody)
  t.equal(countStatus(visits, 200), 10)
  await untilOpen(t, service)
  t.equal(service.log.find(({ breaker }) => breaker === 'open')?.lastError, 'ECONNREFUSED')
  await server.restart()
  await until(t, 'Redis decides', RESUMED_WITHIN_MS, async () => (await service.visits(1, '/open', newClient()))[0].outcome === 'allowed')
})

t.test('the first request of an application waits for the connection, and is decided by Redis', async (t) => {
  const server = await startRedis(t)
  const proxy = await startProxy(t, server.port)
  proxy.faults.latencyMs = 10
  const service = await startService(t, { redis: proxy.url, deadline: 5000, health: false })
  const visit = await service.visit('/open', newClient())
  t.equal(visit.outcome, 'allowed')
})
