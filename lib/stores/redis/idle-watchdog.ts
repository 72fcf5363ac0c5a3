import type { Cluster, Redis } from 'ioredis'

/** How often within the time a connection is looked at. */
const LOOKS = 3

/** What is known of a connection that owes an answer. */
interface Line {
  readonly stream: Redis['stream']
  /** What it had said at the last look. */
  heardBytes: number
  /** Looks in a row at which it owed an answer and had said nothing since the one before. */
  silentLooks: number
}

/**
 * Makes a connection anew that owes an answer and says nothing, to a server or to a node of a Cluster: without it a client
 * stays with a stopped primary for good. ioredis's own `socketTimeout` takes a blocked event loop for a silent server, and
 * drops connections whose answers have arrived and only were not read yet; here a look comes after the loop has read, and
 * a blocked loop has one.
 */
export class SilenceWatch {
  readonly #clients: ReadonlyArray<Redis | Cluster>
  readonly #lines = new WeakMap<Redis, Line>()
  readonly #lookMs: number
  #timer: NodeJS.Timeout | null = null
  #isClosed = false

  /** `silenceMs`: how long is too long; up to a third is added by the looks. */
  constructor (clients: ReadonlyArray<Redis | Cluster>, silenceMs: number) {
    this.#clients = clients
    this.#lookMs = Math.ceil(silenceMs / LOOKS)
    // Once the socket is connected the server owes the handshake.
    const expectHandshake = (connection: Redis) => { connection.on('connect', () => { this.expect() }) }
    for (const client of clients) {
      if ('nodes' in client) client.on('+node', expectHandshake)
      else expectHandshake(client)
    }
  }

  /** Something was sent: look until it is answered. */
  expect (): void {
    if (this.#isClosed) return
    this.#timer ??= setInterval(() => { setImmediate(() => { this.#look() }) }, this.#lookMs).unref()
  }

  close (): void {
    this.#isClosed = true
    this.#stop()
  }

  #look (): void {
    if (this.#timer === null) return
    let isOwed = false
    for (const client of this.#clients) {
      for (const connection of 'nodes' in client ? client.nodes() : [client]) {
        if (this.#isOwedBy(connection)) isOwed = true
      }
    }
    if (!isOwed) this.#stop()
  }

  #isOwedBy (connection: Redis): boolean {
    const { stream } = connection
    if (connection.commandQueue.length === 0) {
      this.#lines.delete(connection)
      return false
    }
    const line = this.#lines.get(connection)
    if (line?.stream !== stream || line.heardBytes !== stream.bytesRead) {
      this.#lines.set(connection, { stream, heardBytes: stream.bytesRead, silentLooks: 0 })
    } else if (++line.silentLooks >= LOOKS) {
      this.#lines.delete(connection)
      connection.disconnect(true)
    }
    return true
  }

  #stop (): void {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
  }
}
