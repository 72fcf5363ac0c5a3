import { once } from 'node:events'
import { request, ServerResponse, type IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { limitedApp } from '../fixtures/app.js'

/** The status of a GET over a socket. */
async function statusOf (options: Parameters<typeof request>[1] & object): Promise<number | undefined> {
  const [response]: IncomingMessage[] = await once(request({ host: '127.0.0.1', path: '/', agent: false, ...options }).end(), 'response')
  response.resume()
  await once(response, 'end')
  return response.statusCode
}

t.test('a WebSocket handshake is an ordinary request, and its refusal reaches the client', async (t) => {
  const { app } = await limitedApp(t, { max: 2, timeWindow: '1 minute' })
  // As WebSocket plugins do: the handshake takes the way of every request.
  app.server.on('upgrade', (message, socket) => {
    const response = new ServerResponse(message)
    response.assignSocket(socket as never)
    response.on('finish', () => socket.end())
    app.routing(message, response)
  })
  const { port } = new URL(await app.listen({ port: 0, host: '127.0.0.1' }))
  const headers = { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13', 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==' }
  const answers = [await statusOf({ port, headers }), await statusOf({ port }), await statusOf({ port, headers })]
  t.strictSame(answers, [200, 200, 429])
})

t.test('the peers of a Unix socket are one client', async (t) => {
  const { app } = await limitedApp(t, { max: 2, timeWindow: '1 minute' })
  const socketPath = join(tmpdir(), `sluice-${process.pid}.sock`)
  await app.listen({ path: socketPath })
  const answers = [await statusOf({ socketPath }), await statusOf({ socketPath }), await statusOf({ socketPath })]
  t.strictSame(answers, [200, 200, 429])
  t.match(await app.rateLimit.peek('ip:unknown'), [{ remaining: 0 }])
})

t.test('IPv4 over a dual-stack socket is the IPv4 client', async (t) => {
  const { app } = await limitedApp(t, { max: 2, timeWindow: '1 minute' })
  const address = await app.listen({ port: 0, host: '::' }).catch(() => null)
  if (address === null) return
  const { port } = new URL(address)
  t.equal(await statusOf({ port, host: '127.0.0.1' }), 200)
  t.match(await app.rateLimit.peek('ip:127.0.0.1'), [{ remaining: 1 }])
})
