import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Http2ServerResponse, ServerHttp2Stream } from 'node:http2'
import type { FastifyReply } from 'fastify'

/** Whether a response was written completely. `status` is `null` if its head was not sent. */
export type ResponseEnd =
  | { readonly isComplete: true, readonly status: number }
  | { readonly isComplete: false, readonly status: number | null }

/** Must not throw. */
export type FinishCallback = (end: ResponseEnd) => void

/**
 * Call back once when a response is over, completely or not, and never synchronously. Complete means that the operating
 * system (for HTTP/2, the session) has all of it. Whether the client has read it is unknown.
 *
 * The listeners are on the response of this request. An `onResponse` hook would slow down every request, and does not
 * run for aborted ones.
 */
export function onFinished (reply: FastifyReply, callback: FinishCallback): void {
  let listeners = reply[kFinish]
  if (listeners === undefined) {
    listeners = new FinishListeners()
    reply[kFinish] = listeners
    watch(reply, listeners)
  }
  listeners.add(callback)
}

const kFinish = Symbol('fastify-sluice.finish')

/** All callbacks for the end of one response. They share one set of event listeners. */
class FinishListeners {
  readonly #callbacks: FinishCallback[] = []
  #end: ResponseEnd | null = null

  add (callback: FinishCallback): void {
    if (this.#end === null) this.#callbacks.push(callback)
    else process.nextTick(callback, this.#end)
  }

  /** May be called more than once. Each callback runs once. */
  finish (end: ResponseEnd): void {
    this.#end = end
    for (const callback of this.#callbacks.splice(0)) callback(end)
  }
}

function watch (reply: FastifyReply, listeners: FinishListeners): void {
  const { raw } = reply
  if (isHttp2(raw)) watchStream(raw.stream, listeners)
  else watchResponse(raw, reply.request.raw.socket, listeners)
}

function isHttp2 (raw: ServerResponse | Http2ServerResponse): raw is Http2ServerResponse {
  return 'stream' in raw
}

/**
 * Listens on the stream instead of its response. The response emits no `close` after a HEAD whose handler sends a stream.
 * It also emits `finish` for aborted responses.
 */
function watchStream (stream: ServerHttp2Stream, listeners: FinishListeners): void {
  const finish = () => {
    const status = stream.sentHeaders?.[':status']
    // Node.js ends a stream that the client resets, so `writableFinished` is true for it too.
    listeners.finish(createResponseEnd(stream.writableFinished && !stream.aborted, typeof status === 'number' ? status : null))
  }
  if (stream.destroyed) process.nextTick(finish)
  else stream.once('close', finish)
}

function watchResponse (raw: ServerResponse, socket: IncomingMessage['socket'], listeners: FinishListeners): void {
  let isComplete = raw.writableFinished && isIntact(socket)
  const finish = () => {
    queued.get(socket)?.delete(finish)
    listeners.finish(createResponseEnd(isComplete, raw.headersSent ? raw.statusCode : null))
  }
  // Failed buffered writes call back like successful ones. So an aborted response also emits `finish`, and its
  // `writableFinished` is true. Injected responses emit `finish` before `writableFinished` becomes true.
  raw.once('finish', () => { isComplete = isIntact(socket) })
  raw.once('close', finish)
  const isQueued = raw.socket === null
  if (raw.destroyed || (isQueued && socket.destroyed)) process.nextTick(finish)
  else if (isQueued) watchQueued(socket, finish)
}

function isIntact (socket: IncomingMessage['socket']): boolean {
  // The socket of an injected request has neither property.
  return !socket.destroyed && !socket.errored
}

const queued = new WeakMap<object, Set<() => void>>()

/**
 * The response of a pipelined request has no socket until the responses before it are written. If the connection is lost
 * before that, it emits no event. One listener per connection: the number of queued responses has no limit.
 */
function watchQueued (socket: IncomingMessage['socket'], finish: () => void): void {
  const known = queued.get(socket)
  if (known !== undefined) {
    known.add(finish)
    return
  }
  const pending = new Set([finish])
  queued.set(socket, pending)
  socket.once('close', () => { for (const finish of pending) finish() })
}

function createResponseEnd (isComplete: boolean, status: number | null): ResponseEnd {
  return isComplete && status !== null ? { isComplete, status } : { isComplete: false, status }
}

declare module 'fastify' {
  interface FastifyReply {
    [kFinish]?: FinishListeners
  }
}
