// Penalties while Redis fails and comes back: no block is longer than promised, none is lost that Redis holds, and none admits more.
import t from 'tap'
import { Redis } from 'ioredis'
import { startRedis, type RedisServer } from '../../fixtures/redis-server.js'
import { startProxy, type TcpProxy } from '../../fixtures/tcp-proxy.js'
import { until } from '../../fixtures/until.js'
import { newClient, SOON_MS, startService, type Service } from './outage.js'

const WINDOW_S = 300
const COOLDOWN_S = 900

interface Fault {
  readonly name: string
  readonly losesState?: boolean
  begin (server: RedisServer, proxy: TcpProxy): unknown
  end (server: RedisServer, proxy: TcpProxy): unknown
}

async function command (server: RedisServer, ...words: readonly [string, ...string[]]): Promise<void> {
  const redis = new Redis(server.url)
  await redis.call(...words)
  redis.disconnect()
}

const FAULTS: readonly Fault[] = [
  { name: 'refused', begin: (_server, proxy) => proxy.refuse(), end: (_server, proxy) => proxy.accept() },
  { name: 'silent on its connections', begin: (_server, proxy) => { proxy.abandon() }, end: () => {} },
  { name: 'paused', begin: (server) => server.signal('SIGSTOP'), end: (server) => server.signal('SIGCONT') },
  { name: 'cut in a reply', begin: (_server, { faults }) => { faults.resetNextReply = true }, end: () => {} },
  { name: 'flushed of its scripts', begin: (server) => command(server, 'SCRIPT', 'FLUSH'), end: () => {} },
  { name: 'flushed', losesState: true, begin: (server) => command(server, 'FLUSHALL'), end: () => {} }
]

for (const { name, losesState = false, begin, end } of FAULTS) {
  t.test(`Redis ${name}, before a block and during it`, async (t) => {
    const server = await startRedis(t)
    const proxy = await startProxy(t, server.port)
    const service = await startService(t, {
      redis: proxy.url, max: 1, timeWindow: `${WINDOW_S}s`, penalty: { strikes: 3, within: '15m', cooldown: `${COOLDOWN_S}s` }
    })
    const client = newClient()
    let admitted = 0
    let promisedEndMs = Infinity

    /** Returns whether the client is blocked. */
    async function visit (): Promise<boolean> {
      const { status, headers } = await service.visit('/', client)
      if (status === 200) {
        t.equal(promisedEndMs, Infinity, 'a blocked client is not admitted')
        admitted++
        return false
      }
      const retryAfterS = Number(headers.get('retry-after'))
      const isBlocked = retryAfterS > WINDOW_S
      t.ok(status === 429 && retryAfterS <= (isBlocked ? COOLDOWN_S : WINDOW_S), `${status} for ${retryAfterS} s`)
      // Rounded up to a second, twice.
      const endMs = Date.now() + (retryAfterS - 2) * 1000
      if (isBlocked) t.ok(endMs < promisedEndMs, 'the block ends when it was promised')
      if (isBlocked && promisedEndMs === Infinity) promisedEndMs = endMs + 2000
      return isBlocked
    }

    async function fail (visits: number): Promise<void> {
      await begin(server, proxy)
      for (let i = 0; i < visits; i++) await visit()
      await end(server, proxy)
      await untilDecided(service)
    }

    for (let i = 0; i < 3; i++) t.equal(await visit(), false)
    await fail(2)
    const met: boolean[] = []
    for (let i = 0; i < 5; i++) met.push(await visit())
    t.equal(met.at(-1), true, 'the strikes before and after make a block')
    await fail(3)
    for (let i = 0; i < 3; i++) t.equal(await visit(), true)
    const { blocked } = await service.app.rateLimit.blocked()
    t.equal(blocked.some(({ partition }) => partition === `key:${client.client}`), !losesState, 'what Redis holds')
    // One by Redis, and one by the local limits or by a Redis without its state.
    t.ok(admitted <= 2, `${admitted} were admitted`)
  })
}

/** Until Redis decides again. */
async function untilDecided ({ app, visit }: Service): Promise<void> {
  await until('Redis decides', SOON_MS, async () => {
    await visit('/', newClient())
    return (await app.rateLimit.health()).status === 'ok'
  })
}
