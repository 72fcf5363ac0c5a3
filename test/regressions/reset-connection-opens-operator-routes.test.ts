import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { FastifyInstance } from 'fastify'
import t from 'tap'
import compat from '../../lib/compat/index.js'
import { bareApp, limitedApp } from '../fixtures/app.js'

/**
 * Send a request and reset its connection, all while this thread sees nothing of it: with `isAccepted` after the connection
 * was accepted, else before.
 */
async function resetRequest (app: FastifyInstance, text: string, isAccepted: boolean): Promise<void> {
  const { port } = app.server.address() as { port: number }
  const flags = new Int32Array(new SharedArrayBuffer(8))
  const accepted = once(app.server, 'connection')
  const worker = new Worker(`
    const { workerData: { port, text, flags, isAccepted } } = require('node:worker_threads')
    const socket = require('node:net').connect(port, '127.0.0.1', () => {
      if (isAccepted) Atomics.wait(flags, 0, 0, 10_000)
      socket.write(text, () => socket.resetAndDestroy())
    })
    socket.on('close', () => { Atomics.store(flags, 1, 1); Atomics.notify(flags, 1) })
  `, { eval: true, workerData: { port, text, flags, isAccepted } })
  const exited = once(worker, 'exit')
  if (isAccepted) {
    await accepted
    Atomics.store(flags, 0, 1)
    Atomics.notify(flags, 0)
  } else {
    await once(worker, 'online')
  }
  Atomics.wait(flags, 1, 0, 10_000)
  const [socket] = await accepted
  // Not `once`, which rejects with the reset.
  if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve))
  await exited
}

const post = (url: string, method: string, body = '{}', headers = '') =>
  `${method} ${url} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n${headers}Content-Length: ${body.length}\r\n\r\n${body}`

async function listen (app: FastifyInstance): Promise<void> {
  await app.listen({ port: 0, host: '127.0.0.1' })
}

for (const isAccepted of [false, true]) {
  const when = isAccepted ? 'after' : 'before'

  t.test(`a connection that is reset ${when} it is accepted reaches no operator, metrics or health route`, async (t) => {
    const { app } = await limitedApp(t, {
      max: 5, timeWindow: '1 hour', admin: { allow: ['192.0.2.1'], onRequest: async () => {} }, health: { allow: ['192.0.2.1'] }, metrics: { allow: ['192.0.2.1'] }
    })
    const statuses: string[] = []
    app.addHook('onSend', async ({ url }, reply) => { statuses.push(`${url} ${reply.statusCode}`) })
    await listen(app)
    await resetRequest(app, post('/admin/rate-limit/state', 'PUT', '{"enabled":false}'), isAccepted)
    await resetRequest(app, post('/health/rate-limit', 'GET'), isAccepted)
    await resetRequest(app, post('/metrics', 'GET'), isAccepted)
    // The default paths are unknown URLs to those who may not read them, and a client without an address is refused.
    const unknown = isAccepted ? 404 : 429
    t.strictSame(statuses, ['/admin/rate-limit/state 404', `/health/rate-limit ${unknown}`, `/metrics ${unknown}`])
    t.equal((await app.inject('/')).headers['x-ratelimit-limit'], '5', 'limits still hold')
  })

  t.test(`a connection that is reset ${when} it is accepted has no budget of its own`, async (t) => {
    const { app } = await limitedApp(t, { max: 2, timeWindow: '1 hour' })
    let served = 0
    app.post('/', async () => { served++ })
    await listen(app)
    for (let i = 0; i < 4; i++) await resetRequest(app, post('/', 'POST'), isAccepted)
    t.equal(served, isAccepted ? 2 : 0, isAccepted ? 'charged to its address' : 'refused: its address is unknown')
    t.match(await app.rateLimit.peek('ip:unknown'), [{ remaining: 2 }])
    t.match(await app.rateLimit.peek('ip:127.0.0.1'), [{ remaining: isAccepted ? 0 : 2 }])
  })

  t.test(`a connection that is reset ${when} it is accepted is no trusted proxy by a Unix socket`, async (t) => {
    const { app } = await limitedApp(t, { max: 2, timeWindow: '1 hour', trustedProxies: ['unix'] })
    await listen(app)
    await resetRequest(app, post('/', 'POST', '{}', 'X-Forwarded-For: 203.0.113.9\r\n'), isAccepted)
    t.match(await app.rateLimit.peek('ip:203.0.113.9'), [{ remaining: 2 }], 'what it wrote is not believed')
  })
}

t.test('a limit in shadow mode refuses no client that is gone', async (t) => {
  const { app } = await limitedApp(t, { max: 1, timeWindow: '1 hour', mode: 'shadow' })
  let served = 0
  app.post('/', async () => { served++ })
  await listen(app)
  await resetRequest(app, post('/', 'POST'), false)
  t.equal(served, 1)
})

t.test('a later hook of a client that is gone still knows its address', async (t) => {
  const { app } = await limitedApp(t, { max: 2, timeWindow: '1 hour', hook: 'preHandler' })
  let served = 0
  app.post('/', async () => { served++ })
  await listen(app)
  for (let i = 0; i < 4; i++) await resetRequest(app, post('/', 'POST'), true)
  t.equal(served, 2)
})

t.test('the drop-in for @fastify/rate-limit has no budget for it, and no fault', async (t) => {
  const { app, log } = bareApp(t)
  await app.register(compat, { max: 2, timeWindow: '1 hour', allowList: ['10.0.0.1'] })
  let served = 0
  app.post('/', async () => { served++ })
  await listen(app)
  for (let i = 0; i < 3; i++) await resetRequest(app, post('/', 'POST'), false)
  t.equal(served, 0)
  t.notOk(log.some(({ msg }) => /Cannot read/.test(msg)))
})
