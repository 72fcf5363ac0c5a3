import type { Cluster, Redis } from 'ioredis'
import { observeResults } from './observe-results.js'

/*
 * Two gaps of ioredis by which a server, or what is between, could end the process. Only our own connections are guarded.
 */

/** The parts of a connection that ioredis keeps private. */
interface Connection {
  readonly stream: { listenerCount (event: 'data'): number } | null
  readonly commandQueue: { shift (): unknown }
  resetCommandQueue (): void
}

/** Answers a reply that no call asked for. ioredis would throw at a null, in a later turn. */
const STRAY = { command: { name: '', args: [], resolve () {}, reject () {} } }

/** `onStray`: called with the connection after a reply that no call asked for. All later replies may be out of step. */
export function guardProcess (client: Redis | Cluster, onStray: (connection: Redis) => void): void {
  if ('nodes' in client) client.on('+node', (node: Redis) => { guardConnection(node, onStray) })
  else guardConnection(client, onStray)
}

function guardConnection (connection: Redis, onStray: (connection: Redis) => void): void {
  connection.on('error', () => { ignoreErrors(connection) })
  takeStrayReplies(connection, onStray)
  // ioredis opens connections for its own use: to read the slots of a Cluster, and to sentinels.
  const onOpened = (opened: unknown) => { takeStrayReplies(opened as Redis, (stray) => { stray.disconnect() }) }
  observeResults(connection, 'duplicate', onOpened)
  observeResults(Reflect.get(connection, 'connector') as object, 'connectToSentinel', onOpened)
}

/**
 * ioredis listens for only one error of a socket. A second error would end the process, for example a TLS alert on an
 * abandoned socket.
 */
export function ignoreErrors ({ stream }: Redis): void {
  stream?.on('error', () => {})
}

function takeStrayReplies (client: Redis, onStray: (connection: Redis) => void): void {
  const connection = client as unknown as Connection
  const guardQueue = () => {
    const queue = connection.commandQueue
    const shift = queue.shift.bind(queue)
    queue.shift = () => {
      const item = shift()
      // ioredis also empties the queue. Before that, it stops listening for replies.
      if (item !== undefined || !connection.stream?.listenerCount('data')) return item
      onStray(client)
      return STRAY
    }
  }
  guardQueue()
  const reset = connection.resetCommandQueue.bind(connection)
  connection.resetCommandQueue = () => {
    reset()
    guardQueue()
  }
}
