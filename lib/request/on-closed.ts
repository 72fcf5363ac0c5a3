import type { FastifyReply } from 'fastify'
import { onFinished } from './on-finished.js'

/**
 * Call back once when a response is over: sent, failed, or its connection closed. That of a hijacked reply or a WebSocket
 * is over when its connection is closed. Never synchronously. `callback` must not throw.
 *
 * Cheaper than `onFinished`: most responses emit `close` at their end, also aborted ones.
 */
export function onClosed (reply: FastifyReply, callback: () => void): void {
  const { raw } = reply
  // A response of HTTP/2 may emit no `close`. A queued one has no socket yet, and a destroyed one has emitted it already.
  if ('stream' in raw || raw.socket === null || raw.destroyed) onFinished(reply, callback)
  else raw.on('close', callback)
}
