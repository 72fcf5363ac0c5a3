import type { Cluster, Redis } from 'ioredis'

type Client = Redis | Cluster

/** How often within the time a connection is looked at. */
const LOOKS = 3

/** What is known of one connection. */
interface Line {
  /** Calls that got no answer yet. */
  unanswered: number
  hasSpoken: boolean
  /** Looks in a row at which it owed an answer and had said nothing. */
  silentLooks: number
}

/**
 * Makes a connection anew that owes an answer and says nothing: without it a client stays with a stopped primary for
 * good. ioredis's own `socketTimeout` takes a blocked event loop for a silent server, and drops connections whose
 * answers have arrived and only were not read yet; here a look comes after the loop has read, and a blocked loop has one.
 */
export class SilenceWatch {
  readonly #lines = new Map<Client, Line>()
  readonly #lookMs: number
  #timer: NodeJS.Timeout | null = null

  /** `silenceMs`: how long is too long; up to a third is added by the looks. */
  constructor (clients: readonly Client[], silenceMs: number) {
    this.#lookMs = Math.ceil(silenceMs / LOOKS)
    for (const client of clients) {
      const line: Line = { unanswered: 0, hasSpoken: false, silentLooks: 0 }
      this.#lines.set(client, line)
      // Once the socket is connected the server owes the handshake.
      client.on('connect', () => {
        line.silentLooks = 0
        this.#start()
      })
    }
  }

  sent (client: Client): void {
    const line = this.#lines.get(client)
    if (line === undefined) return
    line.unanswered++
    this.#start()
  }

  answered (client: Client): void {
    const line = this.#lines.get(client)
    if (line === undefined) return
    line.unanswered--
    line.hasSpoken = true
  }

  close (): void {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
    this.#lines.clear()
  }

  #start (): void {
    this.#timer ??= setInterval(() => { setImmediate(() => { this.#look() }) }, this.#lookMs).unref()
  }

  #look (): void {
    let isOwed = false
    for (const [client, line] of this.#lines) {
      if (client.status !== 'connect' && line.unanswered === 0) {
        line.silentLooks = 0
        continue
      }
      isOwed = true
      line.silentLooks = line.hasSpoken ? 0 : line.silentLooks + 1
      line.hasSpoken = false
      if (line.silentLooks > LOOKS) {
        line.silentLooks = 0
        client.disconnect(true)
      }
    }
    if (isOwed || this.#timer === null) return
    clearInterval(this.#timer)
    this.#timer = null
  }
}
