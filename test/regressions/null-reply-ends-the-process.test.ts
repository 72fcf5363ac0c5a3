// A null that no call asked for, from a faulty server or proxy: ioredis threw in a later turn, which nothing could catch.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import type { RateLimitOptions } from '../../lib/index.js'
import { limitedApp } from '../fixtures/app.js'
import { isFullLane } from '../fixtures/lane.js'
import { startRedis } from '../fixtures/redis-server.js'
import { callServer, PRIMARY_NAME, startSentinel } from '../fixtures/sentinel.js'
import { startProxy, type TcpProxy } from '../fixtures/tcp-proxy.js'
import { until } from '../fixtures/until.js'

const SOON_MS = 20_000
const host = '127.0.0.1'
const OWN_CLIENT = fileURLToPath(new URL('../fixtures/own-client-service.js', import.meta.url))

/** A target whose connections go through a proxy. */
interface Way {
  readonly proxy: TcpProxy
  /** Of the server behind the proxy. */
  readonly port: number
  readonly redis: RateLimitOptions['redis']
}

const ways: Readonly<Record<string, (t: Test) => Promise<Way>>> = {
  async 'a single server' (t) {
    const { port } = await startRedis(t)
    const proxy = await startProxy(t, port)
    return { proxy, port, redis: proxy.url }
  },
  async 'a sentinel' (t) {
    const { port } = await startSentinel(t, (await startRedis(t)).port)
    const proxy = await startProxy(t, port)
    return { proxy, port, redis: { name: PRIMARY_NAME, sentinels: [{ host, port: proxy.port }] } }
  },
  async 'a node of a Cluster' (t) {
    const { port } = await startRedis(t, ['--cluster-enabled', 'yes', '--cluster-announce-ip', host])
    const proxy = await startProxy(t, port)
    await callServer(port, ['CONFIG', 'SET', 'cluster-announce-port', String(proxy.port)])
    await callServer(port, ['CLUSTER', 'ADDSLOTSRANGE', '0', '16383'])
    return { proxy, port, redis: { cluster: [{ host, port: proxy.port }] } }
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

/** What a server may send that no command asked for, and whether the connection is out of step then. */
const UNASKED: ReadonlyArray<readonly [title: string, bytes: string, isStray: boolean]> = [
  ['a null', '$-1\r\n', true],
  ['a null of RESP3', '_\r\n', true],
  ['two null arrays', '*-1\r\n*-1\r\n', true],
  ['an error, then a null', '-ERR no\r\n$-1\r\n', true],
  ['an error', '-ERR no\r\n', true],
  ['a redirection', '-MOVED 1 127.0.0.1:1\r\n', true],
  ['a number', ':1\r\n', true],
  ['a status', '+OK\r\n', true],
  ['an array', '*2\r\n$1\r\na\r\n:1\r\n', true],
  ['a message without a subscription', '*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nb\r\n', false],
  ['a pushed invalidation', '>2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\na\r\n', false],
  ['a pushed message', '>3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nb\r\n', false],
  ['a pushed subscription', '>3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n', false],
  ['an empty push', '>0\r\n', false],
  ['garbage', 'HTTP/1.1 400 Bad Request\r\n\r\n', false],
  ['a negative length', '*-5\r\n', false]
]

interface OwnResult {
  readonly status: number
  readonly isDeciding: boolean
  readonly own: string
  readonly news: number
  readonly errors: readonly string[]
}

/** A process with a client of its own. */
async function startOwn (t: Test, library: string, port: number, mode: string): Promise<() => Promise<OwnResult>> {
  const child = spawn(process.execPath, [OWN_CLIENT, library, String(port), mode], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  t.teardown(() => child.kill('SIGKILL'))
  const ended = once(child, 'exit').then(() => { throw new Error('the process has ended') })
  ended.catch(() => {})
  await Promise.race([once(child, 'message'), ended])
  return async () => {
    const answered = once(child, 'message')
    child.send('')
    const [result] = await Promise.race([answered, ended])
    return result as OwnResult
  }
}

const MODES: Readonly<Record<string, readonly string[]>> = isFullLane
  ? { ioredis: ['single', 'shared', 'cluster', 'subscriber'], ioredis5: ['single', 'cluster'], iovalkey: ['single', 'subscriber'] }
  : { ioredis: ['shared'] }

for (const [library, modes] of Object.entries(MODES)) {
  for (const mode of modes) {
    t.test(`a client of the application by ${library}, ${mode}: it connects again, and nothing ends the process`, async (t) => {
      const { proxy, port } = await ways[mode === 'cluster' ? 'a node of a Cluster' : 'a single server'](t)
      const publisher = new Redis({ host, port, lazyConnect: true })
      t.teardown(() => { publisher.disconnect() })
      const ask = await startOwn(t, library, proxy.port, mode)
      // In RESP2, a subscriber can send no other command.
      const isSilent = mode === 'subscriber' && library !== 'ioredis'
      for (const [title, bytes, isStray] of UNASKED) {
        const isAnswered = async () => {
          const { isDeciding, own, news } = await ask()
          if (!isSilent) return isDeciding && own === 'own'
          await publisher.publish('news', 'new')
          return (await ask()).news > news
        }
        await until(`commands are answered before ${title}`, SOON_MS, isAnswered)
        const before = proxy.connections
        let spoiled = 0
        // Not for ever: some commands wait until the connection is ready.
        proxy.faults.spoilReply = (reply) => spoiled++ < 4 ? Buffer.concat([reply, Buffer.from(bytes)]) : reply
        await until(`replies with ${title}`, SOON_MS, async () => {
          if (mode === 'subscriber') await publisher.publish('news', 'new')
          t.equal((await ask()).status, 200, title)
          return spoiled > 3
        })
        proxy.faults.spoilReply = null
        if (isStray && mode !== 'subscriber') t.ok(proxy.connections > before, `${title}: the connection is replaced`)
      }
      await until('commands are answered', SOON_MS, async () => isSilent || (await ask()).own === 'own')
      const { errors } = await ask()
      t.ok(errors.some((error) => error.includes('got a reply that no command asked for')), `the application hears of it: ${errors.join()}`)
    })
  }
}
