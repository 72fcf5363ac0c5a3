// Each cause of the guide's table has a code of its own, in the log, the health report and the metrics, however Redis is
// connected. The servers are real, and so are their faults.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Cluster, Redis, type RedisOptions } from 'ioredis'
import t, { type Test } from 'tap'
import type { RateLimitOptions } from '../../lib/index.js'
import { isFullLane } from '../fixtures/lane.js'
import { freePort, startRedis } from '../fixtures/redis-server.js'
import { callServer } from '../fixtures/sentinel.js'
import { until } from '../fixtures/until.js'
import { createAuthority, skipReason, type Authority } from './tls/authority.js'
import { startService } from './failures/outage.js'

const HOST = '127.0.0.1'
const NAME = 'mymaster'
const SOON_MS = 20_000
const ALL_SLOTS = ['CLUSTER', 'ADDSLOTSRANGE', '0', '16383']
/** Loading takes 30 s, in which the server replies every 50 ms. */
const LOAD_ARGS = ['--rdbcompression', 'no', '--loading-process-events-interval-bytes', '1024', '--key-load-delay', '50000']
const FILL = "for i = 1, 600 do redis.call('SET', KEYS[1] .. i, string.rep('x', 1000)) end"

type Way = 'a single Redis' | 'Sentinel' | 'Cluster'
const WAYS: readonly Way[] = ['a single Redis', 'Sentinel', 'Cluster']

/** An address that has a fault, and the options to connect to it. */
interface Place {
  readonly port: number
  readonly host?: string
  readonly options?: RedisOptions
  /** Options of the connections to the sentinel. */
  readonly sentinel?: Partial<RedisOptions>
}

/** A cause: how to make it, and its code. */
interface Cause {
  readonly title: string
  readonly code: RegExp
  readonly ways: readonly Way[]
  readonly skip?: string | false
  readonly start: (t: Test, way: Way) => Promise<Place>
}

async function startServer (t: Test, way: Way, args: readonly string[] = []): Promise<Awaited<ReturnType<typeof startRedis>>> {
  if (way !== 'Cluster') return await startRedis(t, args)
  // A node without others does not know its own address.
  return await startRedis(t, [...args, '--cluster-enabled', 'yes', '--cluster-announce-ip', HOST])
}

/** A server with an address in its cluster, if it has one. */
async function startWhole (t: Test, way: Way, args: readonly string[] = []): ReturnType<typeof startRedis> {
  const server = await startServer(t, way, args)
  if (way === 'Cluster') {
    await callServer(server.port, ALL_SLOTS)
    await until('the cluster is well', SOON_MS, async () => String(await callServer(server.port, ['CLUSTER', 'INFO'])).includes('state:ok'))
  }
  return server
}

/** A sentinel that knows the address of a primary. It never looks for another one: two sentinels would have to agree. */
async function startSentinel (t: Test, { port: primary, host = HOST }: Place, lines: readonly string[] = []): Promise<number> {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-causes-'))
  const port = await freePort()
  const file = join(directory, 'sentinel.conf')
  writeFileSync(file, [`port ${port}`, `bind ${HOST}`, `dir ${directory}`, ...lines, `sentinel monitor ${NAME} ${host} ${primary} 2`].join('\n'))
  const child = spawn('redis-server', [file, '--sentinel'], { stdio: 'ignore' })
  t.teardown(async () => {
    const hasExited = once(child, 'exit')
    child.kill('SIGKILL')
    await hasExited
    rmSync(directory, { recursive: true, force: true })
  })
  await until('the sentinel replies', SOON_MS, () => new Promise<boolean>((resolve) => {
    const socket = connect(port, HOST, () => { resolve(true) }).on('error', () => { resolve(false) })
    socket.on('connect', () => socket.destroy())
  }))
  return port
}

const fileTest = t
let authority: Authority | null = null

const tlsArgs = (tlsPort: number, { certFile, keyFile, caFile }: Authority) => [
  '--tls-port', String(tlsPort), '--tls-cert-file', certFile, '--tls-key-file', keyFile, '--tls-ca-cert-file', caFile, '--tls-auth-clients', 'no'
]

async function startTls (t: Test, way: Way): Promise<number> {
  const tlsPort = await freePort()
  authority ??= createAuthority(fileTest)
  await startServer(t, way, tlsArgs(tlsPort, authority))
  return tlsPort
}

const causes: readonly Cause[] = [
  { title: 'no server listens', code: /^ECONNREFUSED$/, ways: WAYS, start: async () => ({ port: await freePort() }) },
  { title: 'an unknown host', code: /^(ENOTFOUND|EAI_AGAIN)$/, ways: ['a single Redis', 'Cluster'], start: async () => ({ host: 'redis.invalid', port: 6379 }) },
  { title: 'no password', code: /^NOAUTH$/, ways: WAYS, start: async (t, way) => ({ port: (await startServer(t, way, ['--requirepass', 'secret'])).port }) },
  {
    title: 'a wrong password',
    code: /^WRONGPASS$/,
    ways: WAYS,
    start: async (t, way) => ({ port: (await startServer(t, way, ['--requirepass', 'secret'])).port, options: { password: 'wrong' } })
  },
  {
    title: 'a missing right',
    code: /^NOPERM$/,
    ways: WAYS,
    start: async (t, way) => {
      const { port } = await startWhole(t, way)
      await callServer(port, ['ACL', 'SETUSER', 'poor', 'on', '>secret', '~*', '+ping', '+info', '+client'])
      return { port, options: { username: 'poor', password: 'secret' } }
    }
  },
  {
    title: 'no right to see the state of the Cluster',
    code: /^NOPERM$/,
    ways: ['Cluster'],
    start: async (t, way) => {
      const { port } = await startWhole(t, way)
      await callServer(port, ['ACL', 'SETUSER', 'poor', 'on', '>secret', '~*', '+@all', '-cluster|info'])
      return { port, options: { username: 'poor', password: 'secret' } }
    }
  },
  { title: 'a Cluster without slots', code: /^CLUSTERDOWN$/, ways: ['Cluster'], start: async (t, way) => ({ port: (await startServer(t, way)).port }) },
  { title: 'a server that is not a Cluster', code: /^CLUSTER_DISABLED$/, ways: ['Cluster'], start: async (t) => ({ port: (await startRedis(t)).port }) },
  {
    title: 'a server that loads its data',
    code: /^LOADING$/,
    ways: WAYS,
    start: async (t, way) => {
      const server = await startWhole(t, way, LOAD_ARGS)
      await callServer(server.port, ['EVAL', FILL, '1', '{fill}'])
      await callServer(server.port, ['SAVE'])
      await server.restart()
      return { port: server.port }
    }
  },
  {
    title: 'a server without room for a client',
    code: /^MAXCLIENTS$/,
    ways: WAYS,
    start: async (t, way) => {
      const { port } = await startWhole(t, way)
      await callServer(port, ['CONFIG', 'SET', 'maxclients', '1'])
      await until('the one client is connected', SOON_MS, () => new Promise<boolean>((resolve) => {
        const socket = connect(port, HOST).on('error', () => {}).on('close', () => { resolve(false) })
        socket.once('data', (reply) => { resolve(String(reply).includes('PONG')) })
        socket.write('PING\r\n')
        t.teardown(() => { socket.destroy() })
      }))
      return { port }
    }
  },
  { title: 'an authority that is not trusted', code: /^SELF_SIGNED_CERT_IN_CHAIN$/, ways: WAYS, skip: skipReason, start: async (t, way) => ({ port: await startTls(t, way), options: { tls: {} } }) },
  {
    title: 'a certificate for another host',
    code: /^ERR_TLS_CERT_ALTNAME_INVALID$/,
    ways: WAYS,
    skip: skipReason,
    start: async (t, way) => {
      const port = await startTls(t, way)
      return { port, options: { tls: { ca: authority?.ca, servername: 'elsewhere.example' } } }
    }
  },
  { title: 'no TLS towards a port that requires it', code: /^(ECONNRESET|CONNECTION)$/, ways: WAYS, skip: skipReason, start: async (t, way) => ({ port: await startTls(t, way) }) }
]

/** Causes of the sentinels themselves. `lines`: of the sentinel's configuration. */
const sentinelCauses: ReadonlyArray<{ readonly title: string, readonly code: RegExp, readonly skip?: string | false, readonly start: (t: Test) => Promise<RedisOptions> }> = [
  { title: 'no sentinel listens', code: /^SENTINEL_ECONNREFUSED$/, start: async () => ({ sentinels: [{ host: HOST, port: await freePort() }] }) },
  { title: 'an unknown host of a sentinel', code: /^SENTINEL_(ENOTFOUND|EAI_AGAIN)$/, start: async () => ({ sentinels: [{ host: 'redis.invalid', port: 26379 }] }) },
  { title: 'a name that the sentinels do not know', code: /^SENTINEL_UNKNOWN_NAME$/, start: async (t) => ({ sentinels: [{ host: HOST, port: await startSentinel(t, { port: 1 }) }], name: 'other' }) },
  { title: 'no password for the sentinel', code: /^SENTINEL_NOAUTH$/, start: async (t) => ({ sentinels: [{ host: HOST, port: await startSentinel(t, { port: 1 }, ['requirepass secret']) }] }) },
  {
    title: 'a wrong password for the sentinel',
    code: /^SENTINEL_WRONGPASS$/,
    start: async (t) => ({ sentinels: [{ host: HOST, port: await startSentinel(t, { port: 1 }, ['requirepass secret']) }], sentinelPassword: 'wrong' })
  },
  {
    title: 'an authority of the sentinel that is not trusted',
    code: /^SENTINEL_SELF_SIGNED_CERT_IN_CHAIN$/,
    skip: skipReason,
    start: async (t) => {
      authority ??= createAuthority(fileTest)
      const tlsPort = await freePort()
      await startSentinel(t, { port: 1 }, tlsArgs(tlsPort, authority).join(' ').split(' --').map((line) => line.replace(/^--/, '')))
      return { sentinels: [{ host: HOST, port: tlsPort }], sentinelTLS: {} }
    }
  }
]

/** The `redis` option for a place: as options, or a client of the application's. */
async function createTarget (t: Test, way: Way, isOwn: boolean, place: Place): Promise<RateLimitOptions['redis']> {
  const { port, host = HOST, options = {} } = place
  if (way === 'Cluster') return isOwn ? closeLater(t, new Cluster([{ host, port }], { redisOptions: options })) : { cluster: [{ host, port }], redisOptions: options }
  if (way === 'a single Redis') return createSingle(t, isOwn, { ...options, host, port })
  const sentinels = [{ host: HOST, port: await startSentinel(t, place) }]
  return createSingle(t, isOwn, { ...options, sentinels, name: NAME, ...'tls' in options ? { enableTLSForSentinelMode: true } : {} })
}

function createSingle (t: Test, isOwn: boolean, options: RedisOptions): RateLimitOptions['redis'] {
  return isOwn ? closeLater(t, new Redis(options)) : options
}

function closeLater <C extends Redis | Cluster> (t: Test, client: C): C {
  client.on('error', () => {})
  t.teardown(() => { client.disconnect() })
  return client
}

/** Every request is counted locally, and the log, the health report and the metrics name the cause. */
async function assertCause (t: Test, redis: RateLimitOptions['redis'], code: RegExp): Promise<void> {
  const service = await startService(t, { redis, deadline: 500, breaker: { failures: 1_000_000 } })
  const codes: string[] = []
  const isLogged = (found: string) => service.log.some(({ source, err }) => source === 'store' && err?.message.endsWith(`(${found})`))
  const isCounted = async (found: string) =>
    String(await service.app.rateLimit.metrics?.metrics()).includes(`rate_limit_store_error_codes_total{store="redis",code="${found}"}`)
  // Where two codes are possible, the failures of requests and of the pings of the health report may have different ones.
  await until(`the log, the health report and the metrics name ${code}`, SOON_MS, async () => {
    await service.visits(1)
    const found = String((await service.app.rateLimit.health()).lastError)
    codes.push(found)
    return code.test(found) && isLogged(found) && await isCounted(found)
  })
  t.strictSame(codes.filter((each) => !code.test(each) && each !== 'DEADLINE'), [], 'no other cause before it')
}

// A client of the application's has the same connections.
for (const isOwn of isFullLane ? [false, true] : [false]) {
  const whose = isOwn ? 'a client of the application' : 'options'
  for (const { title, code, ways, skip = false, start } of causes) {
    for (const way of ways) {
      t.test(`${way}, by ${whose}: ${title}`, { skip }, async (t) => {
        await assertCause(t, await createTarget(t, way, isOwn, await start(t, way)), code)
      })
    }
  }
  for (const { title, code, skip = false, start } of sentinelCauses) {
    t.test(`Sentinel, by ${whose}: ${title}`, { skip }, async (t) => {
      await assertCause(t, createSingle(t, isOwn, { name: NAME, ...await start(t) }), code)
    })
  }
}
