import websocket from '@fastify/websocket'
import Fastify from 'fastify'
import rateLimitPlugin from 'fastify-sluice'

/** @import { RouteRateLimit } from 'fastify-sluice' */

/** Messages of a client, over all his connections. One object for all of them: made anew it would be read anew. */
const messages = /** @type {const} @satisfies {RouteRateLimit} */ ({
  groupId: 'messages',
  max: 5,
  timeWindow: '1 minute',
  // Who goes on in spite of refusals is cut off.
  penalty: { strikes: 3, within: '1 minute', cooldown: '1 minute' }
})

/** "Policy violation": RFC 6455, 7.4.1. */
const POLICY_VIOLATION = 1008

/** A chat that says what it is told. Connections are limited as all requests are, and messages by themselves. */
export async function buildServer () {
  const app = Fastify()

  await app.register(rateLimitPlugin, { max: 100, timeWindow: '1 minute', algorithm: 'sliding-window' })
  await app.register(websocket, { options: { maxPayload: 4096 } })

  app.get('/chat', {
    websocket: true,
    // Handshakes: what is refused here opens no connection.
    config: { rateLimit: { max: 3, timeWindow: '1 minute' } }
  }, (socket, request) => {
    socket.on('message', async (/** @type {Buffer} */ data) => {
      const decision = await app.rateLimit.check(request, messages)
      if (decision?.outcome === 'blocked') socket.close(POLICY_VIOLATION, 'too many messages')
      else if (decision?.isRefused) socket.send(JSON.stringify({ refused: String(data), retryAfterMs: decision.retryAfterMs }))
      else socket.send(JSON.stringify({ said: String(data) }))
    })
  })

  return app
}
