// A null that no call asked for, from a faulty server or proxy: ioredis threw in a later turn, which nothing could catch.
import t, { type Test } from 'tap'
import type { RateLimitOptions } from '../../lib/index.js'
import { limitedApp } from '../fixtures/app.js'
import { startRedis } from '../fixtures/redis-server.js'
import { callServer, PRIMARY_NAME, startSentinel } from '../fixtures/sentinel.js'
import { startProxy, type TcpProxy } from '../fixtures/tcp-proxy.js'
import { until } from '../fixtures/until.js'

const SOON_MS = 20_000
const host = '127.0.0.1'

/** A target whose connections go through a proxy. */
interface Way {
  readonly proxy: TcpProxy
  readonly redis: RateLimitOptions['redis']
}

const ways: Readonly<Record<string, (t: Test) => Promise<Way>>> = {
  async 'a single server' (t) {
    const proxy = await startProxy(t, (await startRedis(t)).port)
    return { proxy, redis: proxy.url }
  },
  async 'a sentinel' (t) {
    const proxy = await startProxy(t, (await startSentinel(t, (await startRedis(t)).port)).port)
    return { proxy, redis: { name: PRIMARY_NAME, sentinels: [{ host, port: proxy.port }] } }
  },
  async 'a node of a Cluster' (t) {
    const { port } = await startRedis(t, ['--cluster-enabled', 'yes', '--cluster-announce-ip', host])
    const proxy = await startProxy(t, port)
    await callServer(port, ['CONFIG', 'SET', 'cluster-announce-port', String(proxy.port)])
    await callServer(port, ['CLUSTER', 'ADDSLOTSRANGE', '0', '16383'])
    return { proxy, redis: { cluster: [{ host, port: proxy.port }] } }
  }
}

const STRAY = ['$-1\r\n', '*-1\r\n*-1\r\n', '-ERR no\r\n$-1\r\n', ':1\r\n'] as const

for (const [way, start] of Object.entries(ways)) {
  t.test(`${way}: requests are answered, and Redis decides again`, async (t) => {
    const { proxy, redis } = await start(t)
    const { app } = await limitedApp(t, { redis, max: 1000, deadline: 200, breaker: { failures: 1000 } })
    for (const stray of way === 'a single server' ? STRAY : STRAY.slice(0, 1)) {
      await until('Redis decides', SOON_MS, async () => (await app.rateLimit.health()).pingMs !== null)
      let spoiled = 0
      proxy.faults.spoilReply = (reply) => {
        spoiled++
        return Buffer.concat([reply, Buffer.from(stray)])
      }
      await until(`replies with ${JSON.stringify(stray)}`, SOON_MS, async () => {
        t.equal((await app.inject('/')).statusCode, 200)
        // A sentinel is not called while the primary can be reached.
        return spoiled > 3 || way === 'a sentinel'
      })
      proxy.faults.spoilReply = null
    }
    await until('Redis decides', SOON_MS, async () => (await app.rateLimit.health()).pingMs !== null)
  })
}

t.test('a sentinel, at the first connection: the application starts, and Redis decides later', async (t) => {
  const { proxy, redis } = await ways['a sentinel'](t)
  let spoiled = 0
  proxy.faults.spoilReply = (reply) => {
    spoiled++
    return Buffer.concat([reply, Buffer.from('$-1\r\n')])
  }
  const { app } = await limitedApp(t, { redis, max: 1000, deadline: 200 })
  await until('several replies', SOON_MS, () => spoiled > 3)
  t.equal((await app.inject('/')).statusCode, 200)
  proxy.faults.spoilReply = null
  await until('Redis decides', SOON_MS, async () => (await app.rateLimit.health()).pingMs !== null)
})
