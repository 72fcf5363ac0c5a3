import type { Cluster, Redis } from 'ioredis'
import type { Script } from './scripts.js'

type Client = Redis | Cluster
type Argument = string | Buffer | number

/** A client that gave up is started again after so long, milliseconds. */
const REVIVE_MS = 100

/** A reply of Redis that says no, such as `OOM ...` or `READONLY ...`: its first word is its code. */
export function replyCode (text: string): string {
  return /^[A-Z]+/.exec(text)?.[0] ?? 'ERR'
}

/**
 * The connections to one Redis, Sentinel group or Cluster. It sends only while a connection is ready, so that nothing of
 * ours ever waits in a client's own queue, where it would outlive its deadline and be charged late.
 */
export class RedisLink {
  readonly isCluster: boolean
  readonly #clients: readonly Client[]
  readonly #isOwned: boolean
  readonly #onReady: () => void
  readonly #revivals = new Map<Client, NodeJS.Timeout>()
  #isClosed = false
  #next = 0

  /** `isOwned`: whether these connections are ours to close. A user's own client is neither closed nor changed. */
  constructor (clients: readonly Client[], isOwned: boolean, onReady: () => void) {
    this.#clients = clients
    this.#isOwned = isOwned
    this.#onReady = onReady
    this.isCluster = clients[0].isCluster
    for (const client of clients) {
      client.on('ready', onReady)
      if (!isOwned) continue
      // Failures show in the calls; without a listener ioredis would print each.
      client.on('error', () => {})
      // ioredis gives up for good when a failover is announced while it asks the sentinels for the primary.
      client.on('end', () => { this.#revive(client) })
    }
  }

  get isReady (): boolean {
    return this.#readyClient() !== null
  }

  /** Run a script by its hash, and send its text where Redis does not know it: after a restart, a failover, a flush. */
  async run (script: Script, keys: readonly string[], args: readonly Buffer[]): Promise<unknown> {
    const client = this.#readyClient()
    if (client === null) throw new Error('no connection is ready')
    const parameters: Argument[] = [keys.length, ...keys, ...args]
    try {
      return await client.callBuffer('EVALSHA', [script.sha, ...parameters])
    } catch (error) {
      if (!(error instanceof Error) || replyCode(error.message) !== 'NOSCRIPT') throw error
      return await client.callBuffer('EVAL', [script.lua, ...parameters])
    }
  }

  async ping (): Promise<void> {
    const client = this.#readyClient()
    if (client === null) throw new Error('no connection is ready')
    await client.ping()
  }

  /** Look for the primary again: the server on the other side has become a replica. */
  reconnect (): void {
    if (!this.#isOwned) return
    for (const client of this.#clients) {
      if (!client.isCluster && client.status === 'ready') client.disconnect(true)
    }
  }

  async close (): Promise<void> {
    for (const client of this.#clients) client.off('ready', this.#onReady)
    if (!this.#isOwned) return
    this.#isClosed = true
    for (const timer of this.#revivals.values()) clearTimeout(timer)
    // What was in flight has been answered or given up by now; a polite QUIT could wait on a server that hangs.
    for (const client of this.#clients) client.disconnect()
  }

  #revive (client: Client): void {
    if (this.#isClosed) return
    clearTimeout(this.#revivals.get(client))
    this.#revivals.set(client, setTimeout(() => { client.connect().catch(() => {}) }, REVIVE_MS).unref())
  }

  #readyClient (): Client | null {
    for (let tried = 0; tried < this.#clients.length; tried++) {
      const client = this.#clients[this.#next]
      this.#next = (this.#next + 1) % this.#clients.length
      if (client.status === 'ready') return client
    }
    return null
  }
}
