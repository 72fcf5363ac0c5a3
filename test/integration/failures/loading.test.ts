// A server that loads a large file answers with an estimate of the time that it still needs. Nothing may wait for that long.
import t, { type Test } from 'tap'
import { Redis } from 'ioredis'
import { limiterClientOptions, type RateLimitOptions } from '../../../lib/index.js'
import { startCluster } from '../../fixtures/cluster.js'
import { startRedis, type RedisServer } from '../../fixtures/redis-server.js'
import { PRIMARY_NAME, startSentinel } from '../../fixtures/sentinel.js'
import { newClient, SOON_MS, startService, until } from './outage.js'

const CONNECTION_NAME = 'limits'
/** With the delay for each key, loading takes 75 s; a third of it on a node of a Cluster of three. */
const KEYS = 1500
const LOAD_ARGS = ['--rdbcompression', 'no', '--loading-process-events-interval-bytes', '1024', '--key-load-delay', '50000']
/** In its first second the server says one second, whatever is left. After this time, ioredis would wait for 10 s. */
const ESTIMATED_AFTER_S = 3
const OPEN_FOR_MS = 500
/** A second after openFor, and some for a busy machine. Without a bound it takes 8 s. */
const RESUMED_WITHIN_MS = OPEN_FOR_MS + 1000 + 4000

/** The server that loads, and the target whose requests need it. */
interface Case {
  readonly server: RedisServer
  readonly redis: RateLimitOptions['redis']
}

const cases: Readonly<Record<string, (t: Test) => Promise<Case>>> = {
  'a URL': async (t) => {
    const server = await startRedis(t, LOAD_ARGS)
    return { server, redis: `${server.url}?connectionName=${CONNECTION_NAME}` }
  },
  Sentinel: async (t) => {
    const server = await startRedis(t, LOAD_ARGS)
    const { port } = await startSentinel(t, server.port)
    return { server, redis: { name: PRIMARY_NAME, sentinels: [{ host: '127.0.0.1', port }], connectionName: CONNECTION_NAME } }
  },
  Cluster: async (t) => {
    const { primaries: [server], target } = await startCluster(t, { args: LOAD_ARGS })
    return { server, redis: { ...target, redisOptions: { connectionName: CONNECTION_NAME } } }
  },
  'a client of the application': async (t) => {
    const server = await startRedis(t, LOAD_ARGS)
    const redis = new Redis({ port: server.port, connectionName: CONNECTION_NAME, ...limiterClientOptions() })
    redis.on('error', () => {})
    t.teardown(() => redis.disconnect())
    return { server, redis }
  }
}

/** A client that does not wait until the server has loaded. */
function openOperator (t: Test, { port }: RedisServer): Redis {
  const operator = new Redis({ port, enableReadyCheck: false })
  operator.on('error', () => {})
  t.teardown(() => operator.disconnect())
  return operator
}

/** Fill a server, or the part of a Cluster that it has. */
async function fill (operator: Redis): Promise<void> {
  const writes = Array.from({ length: KEYS }, (_, index) => operator.set(`filler-${index}`, 'x'.repeat(1000)).catch(() => {}))
  await Promise.all(writes)
  await operator.call('SAVE')
}

for (const [name, start] of Object.entries(cases)) {
  t.test(`${name}: Redis decides soon after a long loading`, async (t) => {
    const { server, redis } = await start(t)
    const operator = openOperator(t, server)
    await fill(operator)
    const service = await startService(t, { redis, health: false })
    // So many that each node of a Cluster has some.
    const decides = async () => {
      const visits = await Promise.all(Array.from({ length: 12 }, () => service.visit('/open', newClient())))
      return visits.every(({ outcome }) => outcome === 'allowed')
    }
    await until(t, 'Redis decides', SOON_MS, decides)

    await server.restart()
    await until(t, 'a connection waits for the end of loading', SOON_MS, async () => {
      await service.visits(1, '/open', newClient())
      const clients = String(await operator.call('CLIENT', 'LIST'))
      const line = clients.split('\n').find((text) => text.includes(` name=${CONNECTION_NAME} `) && text.includes(' cmd=info '))
      return Number(/ age=(\d+) /.exec(line ?? '')?.[1] ?? 0) >= ESTIMATED_AFTER_S
    })
    t.match(String(await operator.call('INFO', 'persistence')), 'loading:1')
    await operator.call('CONFIG', 'SET', 'key-load-delay', '0')
    await until(t, 'Redis decides again', RESUMED_WITHIN_MS, decides)
  })
}
