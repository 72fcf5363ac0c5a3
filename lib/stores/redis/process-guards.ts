import type { Cluster, Redis } from 'ioredis'
import { BAD_REPLY } from './failure-code.js'
import { observeResults } from './observe-results.js'

/*
 * Two gaps of ioredis by which a server, or what is between, could end the process. Clients of the application are guarded
 * too. Versions of ioredis differ: a connection without the parts that are needed stays as it is.
 */

/** The parts of a connection that ioredis keeps private. */
interface Connection {
  readonly stream?: Redis['stream'] | null
  readonly commandQueue: { shift (): unknown }
  resetCommandQueue (): void
  recoverFromFatalError (error: Error, cause: Error, options: { readonly offlineQueue: boolean }): void
}

/** Answers a reply that no call asked for. ioredis would throw at a null, in a later turn. */
const STRAY = { command: { name: '', args: [], resolve () {}, reject () {} } }

/** Several registrations may share a client. */
const guarded = new WeakSet<object>()

/**
 * Guard all connections of a client. After a reply that no call asked for, all later replies may be out of step: the
 * connection fails with BAD_REPLY as at a protocol error, and connects again by its own strategy. Returns a function that
 * stops listening for errors.
 */
export function guardProcess (client: Redis | Cluster): () => void {
  if (!('nodes' in client)) return guardConnection(client)
  const removes = client.nodes().map(guardConnection)
  const onNode = (node: Redis) => { removes.push(guardConnection(node)) }
  client.on('+node', onNode)
  return () => {
    client.off('+node', onNode)
    for (const remove of removes) remove()
  }
}

function guardConnection (connection: Redis): () => void {
  const onError = () => { ignoreErrors(connection) }
  connection.on('error', onError)
  takeStrayReplies(connection)
  // ioredis opens connections for its own use: to read the slots of a Cluster, and to sentinels.
  const connector: unknown = Reflect.get(connection, 'connector')
  const removes = [[connection, 'duplicate'], [connector, 'connectToSentinel']] as const
  const stops = removes.map(([owner, method]) => observeResults(Object(owner), method, takeStrayReplies))
  return () => {
    connection.off('error', onError)
    for (const stop of stops) stop()
  }
}

/**
 * ioredis listens for only one error of a socket. A second error would end the process, for example a TLS alert on an
 * abandoned socket.
 */
export function ignoreErrors ({ stream }: Redis): void {
  stream?.on('error', () => {})
}

function takeStrayReplies (client: unknown): void {
  if (!isConnection(client) || guarded.has(client)) return
  guarded.add(client)
  let failedStream: unknown = null
  const guardQueue = () => {
    const queue = client.commandQueue
    const shift = queue.shift.bind(queue)
    queue.shift = () => {
      const item = shift()
      const { stream } = client
      // ioredis also empties the queue. Before that, it stops listening for replies.
      if (item !== undefined || !stream?.listenerCount('data')) return item
      if (stream !== failedStream) {
        failedStream = stream
        const error = Object.assign(new Error('Protocol error, got a reply that no command asked for.'), { code: BAD_REPLY })
        client.recoverFromFatalError(error, error, { offlineQueue: false })
      }
      return STRAY
    }
  }
  guardQueue()
  const reset = client.resetCommandQueue.bind(client)
  client.resetCommandQueue = () => {
    reset()
    guardQueue()
  }
}

function isConnection (client: unknown): client is Connection {
  if (typeof client !== 'object' || client === null) return false
  const { commandQueue, resetCommandQueue, recoverFromFatalError } = client as Partial<Connection>
  return [commandQueue?.shift, resetCommandQueue, recoverFromFatalError].every((part) => typeof part === 'function')
}
