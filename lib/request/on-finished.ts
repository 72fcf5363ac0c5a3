import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Http2ServerResponse, ServerHttp2Stream } from 'node:http2'
import type { FastifyReply } from 'fastify'

/** How a response ended: written to its end, or not; `null` where not even its head was sent. */
export type ResponseEnd =
  | { readonly isComplete: true, readonly status: number }
  | { readonly isComplete: false, readonly status: number | null }

/** Must not throw. */
export type FinishCallback = (end: ResponseEnd) => void

/**
 * Call back when a response is over, however it ends; once, and never from within this call. Complete means that
 * everything was handed to the operating system, or for HTTP/2 to the session; whether the client read it is unknown.
 *
 * It listens on the response of this one request: an `onResponse` hook would cost every request, and is not run for
 * one that was aborted.
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

/** Callbacks for the end of one response. However many there are, the response has one set of event listeners. */
class FinishListeners {
  readonly #callbacks: FinishCallback[] = []
  #end: ResponseEnd | null = null

  add (callback: FinishCallback): void {
    if (this.#end === null) this.#callbacks.push(callback)
    else process.nextTick(callback, this.#end)
  }

  /** May be called again: each callback runs once. */
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
 * The stream, and not its response: that emits no `close` after a HEAD whose handler sends a stream, and emits
 * `finish` for aborted ones too.
 */
function watchStream (stream: ServerHttp2Stream, listeners: FinishListeners): void {
  const finish = () => {
    const status = stream.sentHeaders?.[':status']
    // Node.js ends a stream that the client resets, and then it counts as finished.
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
  // Buffered writes that fail call back like others, so a response that was cut off emits `finish` too, and counts
  // as `writableFinished`. Injected ones emit it before they count as such.
  raw.once('finish', () => { isComplete = isIntact(socket) })
  raw.once('close', finish)
  const isQueued = raw.socket === null
  if (raw.destroyed || (isQueued && socket.destroyed)) process.nextTick(finish)
  else if (isQueued) watchQueued(socket, finish)
}

function isIntact (socket: IncomingMessage['socket']): boolean {
  // An injected request's socket has neither.
  return !socket.destroyed && !socket.errored
}

const queued = new WeakMap<object, Set<() => void>>()

/**
 * A pipelined request's response has no socket until those before it are written, and emits nothing when the
 * connection is lost until then. One listener for each connection, since there is no end to how many it may queue.
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
