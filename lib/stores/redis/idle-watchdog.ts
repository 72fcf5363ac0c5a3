import type { Cluster, Redis } from 'ioredis'

/** Checks of a connection within one idle timeout. */
const CHECKS = 3

/** The state of a connection with a pending reply. */
interface ConnectionState {
  readonly stream: Redis['stream']
  /** Bytes received until the last check. */
  receivedBytes: number
  /** Consecutive checks with a pending reply and no received bytes. */
  idleChecks: number
}

/**
 * Replaces a connection to a server or Cluster node that has a pending reply and receives nothing. Without it a client
 * stays connected to a stopped primary forever. The option `socketTimeout` of ioredis treats a blocked event loop like a
 * silent server, and drops connections with unread replies. Here a check runs after the loop has read, and a blocked
 * loop counts as one check.
 */
export class IdleWatchdog {
  readonly #clients: ReadonlyArray<Redis | Cluster>
  readonly #states = new WeakMap<Redis, ConnectionState>()
  readonly #checkIntervalMs: number
  readonly #onIdle: (connection: Redis) => void
  #timer: NodeJS.Timeout | null = null
  #isClosed = false

  /**
   * `idleTimeoutMs`: how long a reply may be pending. Counting in checks adds up to a third.
   * `onIdle`: called before a connection is replaced.
   */
  constructor (clients: ReadonlyArray<Redis | Cluster>, idleTimeoutMs: number, onIdle: (connection: Redis) => void) {
    this.#clients = clients
    this.#onIdle = onIdle
    this.#checkIntervalMs = Math.ceil(idleTimeoutMs / CHECKS)
    // Once the socket is connected, the reply to the handshake is pending.
    const expectHandshake = (connection: Redis) => { connection.on('connect', () => { this.expectReply() }) }
    for (const client of clients) {
      if ('nodes' in client) client.on('+node', expectHandshake)
      else expectHandshake(client)
    }
  }

  /** Call it after sending: checks run until no reply is pending. */
  expectReply (): void {
    if (this.#isClosed) return
    this.#timer ??= setInterval(() => { setImmediate(() => { this.#check() }) }, this.#checkIntervalMs).unref()
  }

  close (): void {
    this.#isClosed = true
    this.#stop()
  }

  #check (): void {
    if (this.#timer === null) return
    let isReplyPending = false
    for (const client of this.#clients) {
      for (const connection of 'nodes' in client ? client.nodes() : [client]) {
        if (this.#hasPendingReply(connection)) isReplyPending = true
      }
    }
    if (!isReplyPending) this.#stop()
  }

  #hasPendingReply (connection: Redis): boolean {
    const { stream } = connection
    if (connection.commandQueue.length === 0) {
      this.#states.delete(connection)
      return false
    }
    const state = this.#states.get(connection)
    if (state?.stream !== stream || state.receivedBytes !== stream.bytesRead) {
      this.#states.set(connection, { stream, receivedBytes: stream.bytesRead, idleChecks: 0 })
    } else if (++state.idleChecks >= CHECKS) {
      this.#states.delete(connection)
      this.#onIdle(connection)
      connection.disconnect(true)
    }
    return true
  }

  #stop (): void {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
  }
}
