// A password that changes while the application runs: tokens of a cloud expire within the hour.
import t, { type Test } from 'tap'
import type { RateLimitOptions } from '../../../lib/index.js'
import { startCluster } from '../../fixtures/cluster.js'
import { startRedis, type RedisServer } from '../../fixtures/redis-server.js'
import { PRIMARY_NAME, startSentinel } from '../../fixtures/sentinel.js'
import { decides, openOperator, setPassword } from './acl-users.js'
import { newClient, SOON_MS, startService, until, type Service } from './outage.js'

const USER = 'limiter'
const OPEN_FOR_MS = 500
/** A second after openFor, and some for a busy machine. */
const RESUMED_WITHIN_MS = OPEN_FOR_MS + 1000 + 4000

type Password = NonNullable<Extract<RateLimitOptions['redis'], { readonly host?: string }>['password']>

/** The servers that know the user, and the option for a password. */
interface Case {
  readonly servers: readonly RedisServer[]
  redis (password: Password): RateLimitOptions['redis']
}

const cases: Readonly<Record<string, (t: Test) => Promise<Case>>> = {
  'a single server': async (t) => {
    const server = await startRedis(t)
    return { servers: [server], redis: (password) => ({ host: '127.0.0.1', port: server.port, username: USER, password }) }
  },
  Sentinel: async (t) => {
    const server = await startRedis(t)
    const { port } = await startSentinel(t, server.port)
    const sentinels = [{ host: '127.0.0.1', port }]
    return { servers: [server], redis: (password) => ({ name: PRIMARY_NAME, sentinels, username: async () => USER, password }) }
  },
  Cluster: async (t) => {
    const { primaries, target } = await startCluster(t)
    return { servers: primaries, redis: (password) => ({ ...target, redisOptions: { username: USER, password } }) }
  }
}

async function hasCause ({ app }: Service, code: string): Promise<boolean> {
  return (await app.rateLimit.health()).lastError === code
}

/** Further attempts to connect have the same cause. */
async function assertOnlyCause (t: Test, service: Service, code: string): Promise<void> {
  const codes = new Set<string | null>()
  for (const endMs = performance.now() + 2500; performance.now() < endMs;) {
    await service.visits(2, '/', newClient())
    codes.add((await service.app.rateLimit.health()).lastError)
  }
  t.strictSame([...codes], [code], 'no other cause')
}

/** Visit again and again until the returned function is called. */
function load (service: Service): () => Promise<void> {
  const end = new AbortController()
  const visiting = (async () => {
    while (!end.signal.aborted) {
      await service.visits(5, '/', newClient())
      await new Promise((resolve) => { setTimeout(resolve, 5) })
    }
  })()
  return async () => {
    end.abort()
    await visiting
  }
}

for (const [name, start] of Object.entries(cases)) {
  t.test(`${name}: the password changes under load`, async (t) => {
    const { servers, redis } = await start(t)
    const operators = servers.map((server) => openOperator(t, server))
    let password = 'first-secret'
    let calls = 0
    await setPassword(operators, USER, password)
    const service = await startService(t, { redis: redis(async () => { calls++; return password }), health: false })
    await until(t, 'Redis decides', SOON_MS, async () => await decides(service))
    const stop = load(service)

    if (servers.length > 1) {
      const calledBefore = calls
      await until(t, 'the slots are read several times', SOON_MS, async () => {
        const stats = await Promise.all(operators.map((operator) => operator.info('commandstats')))
        return stats.reduce((sum, text) => sum + Number(/cmdstat_cluster\|slots:calls=(\d+)/.exec(text)?.[1] ?? 0), 0) > 5
      })
      t.equal(calls, calledBefore, 'the function is not called for them')
    }

    const called = calls
    for (const operator of operators) await operator.call('CLIENT', 'KILL', 'USER', USER)
    await until(t, 'the function is called for a new connection', SOON_MS, () => calls > called)

    for (const next of ['second-secret', 'third-secret']) {
      await setPassword(operators, USER, next)
      for (const operator of operators) await operator.call('CLIENT', 'KILL', 'USER', USER)
      if (next === 'third-secret') {
        // The new password arrives later.
        await until(t, 'the old one is rejected', SOON_MS, async () => await hasCause(service, 'WRONGPASS'))
      }
      password = next
      await until(t, 'Redis decides again', RESUMED_WITHIN_MS, async () => await decides(service))
    }
    await stop()
    t.notMatch(JSON.stringify(service.log), /secret/)
  })
}

const failing: ReadonlyArray<readonly [name: string, password: () => unknown]> = [
  ['throws', () => { throw new Error('topsecret') }],
  ['rejects', async () => { throw Object.assign(new Error('topsecret'), { code: 'topsecret' }) }],
  ['never settles', () => new Promise(() => {})],
  ['returns nothing', () => undefined],
  ['returns an empty password', async () => ''],
  ['returns a number', () => 5],
  ['returns null', () => null],
  ['returns an object without a password', () => ({ token: 'topsecret' })],
  ['returns an expiry as text', () => ({ password: 'topsecret', expiresInMs: '60' })]
]

for (const [name, start] of Object.entries(cases)) {
  t.test(`${name}: a function that fails is a store that fails`, async (t) => {
    const { servers, redis } = await start(t)
    await setPassword(servers.map((server) => openOperator(t, server)), USER, 'topsecret')
    for (const [what, fail] of name === 'a single server' ? failing : failing.slice(1, 3)) {
      let password = fail
      const service = await startService(t, { redis: redis((() => password()) as () => string), deadline: 50, health: false })
      await service.visits(5, '/', newClient())
      await until(t, `${what}: the cause`, SOON_MS, async () => {
        await service.visits(2, '/', newClient())
        return await hasCause(service, 'CREDENTIALS')
      })
      if (what === 'never settles') await assertOnlyCause(t, service, 'CREDENTIALS')
      t.match(service.log.find(({ source }) => source === 'store')?.err?.code, 'FST_SLUICE_STORE', what)
      t.notMatch(JSON.stringify(service.log), /topsecret/, what)
      password = async () => 'topsecret'
      await until(t, `${what}: Redis decides`, RESUMED_WITHIN_MS, async () => await decides(service))
      await service.app.close()
    }
  })
}
