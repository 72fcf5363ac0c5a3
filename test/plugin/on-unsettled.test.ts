// `onUnsettled`: what happens to units that are not settled when the response ends, whichever way it ends.
import { on } from 'node:events'
import { connect, type AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import type { FastifyInstance, InjectOptions, RouteHandlerMethod } from 'fastify'
import t, { type Test } from 'tap'
import type { Decision, LimitOptions, RateLimitOptions } from '../../lib/index.js'
import { bareApp, statuses } from '../fixtures/app.js'
import { until } from '../fixtures/until.js'

const SOON_MS = 10_000

const requests: LimitOptions = { name: 'requests', max: 100, timeWindow: '1 hour' }
const tokens: LimitOptions = { name: 'tokens', max: 1000, timeWindow: '1 hour', cost: 100, onUnsettled: 'refund' }

const left = async (app: FastifyInstance) => (await app.rateLimit.peek('ip:127.0.0.1')).map(({ remaining }) => remaining)

async function appWith (t: Test, handler: RouteHandlerMethod, options: RateLimitOptions = { limits: [requests, tokens] }) {
  const parts = bareApp(t)
  await parts.app.register(parts.plugin, options)
  parts.app.get('/', handler)
  return parts.app
}

async function * parts (failsAfter: number): AsyncGenerator<string> {
  for (let i = 0; i < 3; i++) {
    if (i === failsAfter) throw new Error('the source failed')
    yield 'part'
  }
}

const endings: ReadonlyArray<readonly [title: string, handler: RouteHandlerMethod]> = [
  ['a text', async () => 'hello'],
  ['an error', async () => { throw new Error('no') }],
  ['a stream', async (_, reply) => reply.send(Readable.from(parts(9)))],
  ['a stream that fails', async (_, reply) => reply.send(Readable.from(parts(2)))],
  ['a destroyed response', (_, reply) => { reply.raw.destroy() }],
  ['a hijacked reply', async (_, reply) => {
    reply.hijack()
    reply.raw.writeHead(200).end('hello')
  }]
]

for (const [title, handler] of endings) {
  t.test(`${title} refunds what was not settled, and nothing else`, async (t) => {
    const ended = async (app: FastifyInstance) => {
      await app.inject('/').catch(() => {})
      await new Promise((resolve) => { setImmediate(resolve) })
      return await left(app)
    }
    t.strictSame(await ended(await appWith(t, handler)), [99, 1000])
    t.strictSame(await ended(await appWith(t, handler, { limits: [requests, { ...tokens, onUnsettled: 'count' }] })), [99, 900])
    const settled: RouteHandlerMethod = function (request, reply) {
      request.rateLimit?.settle({ tokens: 40 })
      return handler.call(this, request, reply)
    }
    t.strictSame(await ended(await appWith(t, settled)), [99, 960])
  })
}

t.test('until the end of the response the units are reserved', async (t) => {
  let end = () => {}
  const app = await appWith(t, async () => await new Promise<string>((resolve) => { end = () => { resolve('done') } }), { limits: [{ ...tokens, max: 150 }] })
  const first = app.inject('/')
  await until('it is reserved', SOON_MS, async () => (await left(app))[0] === 50)
  t.strictSame(await statuses(app, 1), [429])
  end()
  await first
  t.strictSame(await left(app), [150])
})

const late: ReadonlyArray<readonly [title: string, hook: (app: FastifyInstance, settle: (decision: Decision | null) => void) => void]> = [
  ['in onSend', (app, settle) => { app.addHook('onSend', async ({ rateLimit }) => { settle(rateLimit) }) }],
  ['in onResponse', (app, settle) => { app.addHook('onResponse', async ({ rateLimit }) => { settle(rateLimit) }) }],
  ['long after the response', (app, settle) => {
    app.addHook('onResponse', ({ rateLimit }, _reply, done) => {
      setTimeout(() => { settle(rateLimit) }, 20)
      done()
    })
  }]
]
for (const [title, addHook] of late) {
  for (const onUnsettled of ['count', 'refund'] as const) {
    t.test(`settled ${title}, with onUnsettled '${onUnsettled}', exactly what was used counts`, async (t) => {
      const app = await appWith(t, async () => 'hello', { limits: [requests, { ...tokens, onUnsettled }] })
      let isSettled = false
      addHook(app, (decision) => {
        decision?.settle({ tokens: 40 })
        isSettled = true
      })
      await app.inject('/')
      await until('it is settled', SOON_MS, async () => isSettled)
      await new Promise((resolve) => { setImmediate(resolve) })
      t.strictSame(await left(app), [99, 960])
    })
  }
}

t.test('refundOn returns the limits that are not settled', async (t) => {
  const app = await appWith(t, async ({ rateLimit }) => { rateLimit?.settle({ tokens: 40 }) }, { refundOn: ['2xx'], limits: [requests, { ...tokens, onUnsettled: 'count' }] })
  await app.inject('/')
  t.strictSame(await left(app), [100, 960])
})

t.test('a refusal has nothing to return', async (t) => {
  const app = await appWith(t, async () => 'hello', { limits: [{ ...requests, max: 1 }, tokens] })
  t.strictSame(await statuses(app, 3), [200, 429, 429])
  t.strictSame(await left(app), [0, 1000])
})

t.test('a request that ends before its hook reserves nothing in such a limit, and is counted in the others', async (t) => {
  const app = await appWith(t, async () => 'hello', { hook: 'preHandler', limits: [requests, tokens] })
  app.post('/', async () => 'hello')
  const malformed: InjectOptions = { method: 'POST', url: '/', payload: '{', headers: { 'content-type': 'application/json' } }
  t.strictSame(await statuses(app, 2, malformed), [400, 400])
  t.strictSame(await left(app), [98, 1000])
})

t.test('a check has no response: its units count until it is settled', async (t) => {
  const app = await appWith(t, async (request) => { await app.rateLimit.check(request, { groupId: 'jobs', limits: [tokens] }) }, { global: false })
  await app.inject('/')
  t.match((await app.rateLimit.peek('ip:127.0.0.1')).find(({ scope }) => scope === 'group:jobs'), { remaining: 900 })
})

t.test('over sockets: clients that leave in the middle, with and without a settled stream', async (t) => {
  const app = await appWith(t, async ({ headers, rateLimit }, reply) => {
    async function * endless (): AsyncGenerator<string> {
      let used = 0
      try {
        for (;;) {
          used += 10
          yield 'word '.repeat(100)
          await new Promise((resolve) => { setImmediate(resolve) })
        }
      } finally {
        if (headers.settles !== undefined) await rateLimit?.settle({ tokens: Math.min(used, 70) })
      }
    }
    return reply.send(Readable.from(endless()))
  })
  await app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = app.server.address() as AddressInfo
  const leave = async (header = '') => {
    const socket = connect(port, '127.0.0.1').on('error', () => {})
    socket.write(`GET / HTTP/1.1\r\nhost: a\r\n${header}\r\n`)
    let bytes = 0
    for await (const [chunk] of on(socket, 'data')) {
      bytes += chunk.length
      if (bytes > 20_000) break
    }
    socket.resetAndDestroy()
  }
  await leave()
  await until('its units return', SOON_MS, async () => (await left(app))[1] === 1000)
  t.strictSame(await left(app), [99, 1000])
  await leave('settles: 1\r\n')
  await until('it is settled', SOON_MS, async () => (await left(app))[1] === 930)
  t.strictSame(await left(app), [98, 930])
})
