import type { Cluster, Redis } from 'ioredis'

/** How often within the time a connection is looked at. */
const CHECKS = 3

/** What is known of a connection that owes an answer. */
interface ConnectionState {
  readonly stream: Redis['stream']
  /** What it had said at the last look. */
  receivedBytes: number
  /** Looks in a row at which it owed an answer and had said nothing since the one before. */
  idleChecks: number
}

/**
 * Makes a connection anew that owes an answer and says nothing, to a server or to a node of a Cluster: without it a client
 * stays with a stopped primary for good. ioredis's own `socketTimeout` takes a blocked event loop for a silent server, and
 * drops connections whose answers have arrived and only were not read yet; here a look comes after the loop has read, and
 * a blocked loop has one.
 */
export class IdleWatchdog {
  readonly #clients: ReadonlyArray<Redis | Cluster>
  readonly #states = new WeakMap<Redis, ConnectionState>()
  readonly #checkIntervalMs: number
  #timer: NodeJS.Timeout | null = null
  #isClosed = false

  /** `idleTimeoutMs`: how long is too long; up to a third is added by the looks. */
  constructor (clients: ReadonlyArray<Redis | Cluster>, idleTimeoutMs: number) {
    this.#clients = clients
    this.#checkIntervalMs = Math.ceil(idleTimeoutMs / CHECKS)
    // Once the socket is connected the server owes the handshake.
    const expectHandshake = (connection: Redis) => { connection.on('connect', () => { this.expectReply() }) }
    for (const client of clients) {
      if ('nodes' in client) client.on('+node', expectHandshake)
      else expectHandshake(client)
    }
  }

  /** Something was sent: look until it is answered. */
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
      connection.disconnect(true)
    }
    return true
  }

  #stop (): void {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
  }
}
