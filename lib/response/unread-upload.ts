import type { Socket } from 'node:net'
import type { FastifyReply } from 'fastify'

/** Longer bodies are not read after a refusal. Reading a shorter one costs less than a new connection. */
const MAX_READ_BYTES = 1_048_576

/** Time for the client to read the refusal. After that, unread data resets the connection. */
const LINGER_MS = 2000

/**
 * Close the connection of a refused request whose body was not read and is long, or of unknown length. Node.js would read
 * all of it to use the connection again. HTTP/2 resets the single stream by itself.
 */
export function closeUnreadUpload (reply: FastifyReply): void {
  const { raw } = reply.request
  // An injected request has neither a connection nor `complete`.
  if (raw.httpVersionMajor !== 1 || raw.complete !== false || !isLong(raw.headers)) return
  reply.header('connection', 'close')
  const { socket } = raw
  // Node.js calls this when the response is written. By itself, it closes at once, and the reset may overtake the response.
  socket.destroySoon = () => {
    Reflect.deleteProperty(socket, 'destroySoon')
    if (raw.complete) socket.destroySoon()
    else linger(socket)
  }
}

function isLong (headers: FastifyReply['request']['raw']['headers']): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > MAX_READ_BYTES
}

/** End our side of a connection, read no more of the other, and close it later. */
function linger (socket: Socket): void {
  socket.end()
  // Node.js resumes the request in a later turn.
  setImmediate(() => { socket.pause() })
  const timer = setTimeout(() => { socket.destroy() }, LINGER_MS).unref()
  socket.once('close', () => { clearTimeout(timer) })
}
