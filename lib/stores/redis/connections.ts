import type { Cluster, Redis } from 'ioredis'
import { EvalshaCommand } from './evalsha-command.js'
import type { Script } from './scripts.js'
import { IdleWatchdog } from './idle-watchdog.js'

type Client = Redis | Cluster

/** A client that gave up is started again after so long, milliseconds. */
const RESTART_MS = 100

/** A reply of Redis that says no, such as `OOM ...` or `READONLY ...`: its first word is its code. */
export function parseReplyCode (text: string): string {
  return /^[A-Z]+/.exec(text)?.[0] ?? 'ERR'
}

/** A word for why a call or a connection failed, such as `OOM`, `WRONGPASS` or `ECONNREFUSED`: never the text itself. */
export function toFailureCode (error: unknown): string {
  if (!(error instanceof Error)) return 'CONNECTION'
  if (error.name === 'ReplyError') return parseReplyCode(error.message)
  return 'code' in error && typeof error.code === 'string' ? error.code : 'CONNECTION'
}

/**
 * The connections to one Redis, Sentinel group or Cluster. It sends only while a connection is ready, so that nothing of
 * ours ever waits in a client's own queue, where it would outlive its deadline and be charged late.
 */
export class ConnectionPool {
  readonly isCluster: boolean
  readonly #clients: readonly Client[]
  readonly #isOwned: boolean
  readonly #onReady: () => void
  readonly #idleWatchdog: IdleWatchdog | null
  readonly #restarts = new Map<Client, NodeJS.Timeout>()
  readonly #disconnecting = new Set<Client>()
  #isClosed = false
  #next = 0
  #lastErrorCode: string | null = null

  /**
   * `isOwned`: whether these connections are ours to close. A user's own client is neither closed nor changed.
   * `idleTimeoutMs`: how long one of ours may say nothing to a call before it is made anew.
   */
  constructor (clients: readonly Client[], isOwned: boolean, onReady: () => void, idleTimeoutMs: number) {
    this.#clients = clients
    this.#isOwned = isOwned
    this.#onReady = () => {
      this.#lastErrorCode = null
      onReady()
    }
    this.isCluster = clients[0].isCluster
    this.#idleWatchdog = isOwned ? new IdleWatchdog(clients, idleTimeoutMs) : null
    for (const client of clients) {
      client.on('ready', this.#onReady)
      if (!isOwned) continue
      // Failures show in the calls; without a listener ioredis would print each.
      client.on('close', () => { this.#disconnecting.delete(client) })
      client.on('error', (error) => { this.#lastErrorCode = toFailureCode(error) })
      ignoreLateErrors(client)
      // ioredis gives up for good when a failover is announced while it asks the sentinels for the primary.
      client.on('end', () => { this.#restart(client) })
    }
  }

  get isReady (): boolean {
    // Asking must not use up a connection's turn: with two of them, every call would go to the same one.
    return this.#clients.some(({ status }) => status === 'ready') || this.#pickReadyClient() !== null
  }

  /** Why there is no connection, in a word, where that is known. */
  get lastErrorCode (): string | null {
    return this.#lastErrorCode
  }

  /** Run a script by its hash, and send its text where Redis does not know it: after a restart, a failover, a flush. */
  async evalScript (script: Script, keys: readonly string[], args: readonly Buffer[]): Promise<unknown> {
    const client = this.#pickReadyClient()
    if (client === null) throw new Error('no connection is ready')
    this.#idleWatchdog?.expectReply()
    try {
      return await evalsha(client, script, keys, args)
    } catch (error) {
      if (!(error instanceof Error) || parseReplyCode(error.message) !== 'NOSCRIPT') throw error
      return await client.callBuffer('EVAL', [script.lua, keys.length, ...keys, ...args])
    }
  }

  /** What is sent meanwhile leaves in one write per node: on a Cluster each partition's checks are a call of their own. */
  cork (send: () => void): void {
    const streams = this.#clients.flatMap((client) => getConnections(client, 'master')).map(({ stream }) => stream)
    for (const stream of streams) stream?.cork()
    try {
      send()
    } finally {
      for (const stream of streams) stream?.uncork()
    }
  }

  async ping (): Promise<void> {
    const client = this.#pickReadyClient()
    if (client === null) throw new Error('no connection is ready')
    this.#idleWatchdog?.expectReply()
    await client.ping()
  }

  /** Look for the primary again: the server on the other side has become a replica. */
  reconnect (): void {
    if (!this.#isOwned) return
    for (const client of this.#clients) {
      // Every call in flight says so, and ioredis calls a connection ready until its socket is closed.
      if (client.isCluster || client.status !== 'ready' || this.#disconnecting.has(client)) continue
      this.#disconnecting.add(client)
      client.disconnect(true)
    }
  }

  async close (): Promise<void> {
    for (const client of this.#clients) client.off('ready', this.#onReady)
    if (!this.#isOwned) return
    this.#isClosed = true
    this.#idleWatchdog?.close()
    for (const timer of this.#restarts.values()) clearTimeout(timer)
    // What was in flight has been answered or given up by now; a polite QUIT could wait on a server that hangs.
    for (const client of this.#clients) {
      for (const connection of getConnections(client)) ignoreErrors(connection)
      client.disconnect()
    }
  }

  #restart (client: Client): void {
    if (this.#isClosed) return
    clearTimeout(this.#restarts.get(client))
    this.#restarts.set(client, setTimeout(() => { client.connect().catch(() => {}) }, RESTART_MS).unref())
  }

  #pickReadyClient (): Client | null {
    for (let tried = 0; tried < this.#clients.length; tried++) {
      const client = this.#clients[this.#next]
      this.#next = (this.#next + 1) % this.#clients.length
      if (client.status === 'ready') return client
      // A client with `lazyConnect` waits for its first call, and we send none before it is ready.
      if (client.status === 'wait' && !this.#isClosed) client.connect().catch(() => {})
    }
    return null
  }
}

function getConnections (client: Client, role: 'all' | 'master' = 'all'): Redis[] {
  return 'nodes' in client ? client.nodes(role) : [client]
}

/** ioredis listens for one error of a socket. A second one, such as an alert of TLS on a socket that was given up, would end the process. */
function ignoreLateErrors (client: Client): void {
  if ('nodes' in client) client.on('+node', (node: Redis) => { node.on('error', () => { ignoreErrors(node) }) })
  else client.on('error', () => { ignoreErrors(client) })
}

function ignoreErrors ({ stream }: Redis): void {
  stream?.on('error', () => {})
}

async function evalsha (client: Client, script: Script, keys: readonly string[], args: readonly Buffer[]): Promise<unknown> {
  // A prefix that a user's client puts before keys is put there by its own writer only.
  return await (client.options.keyPrefix
    ? client.callBuffer('EVALSHA', [script.sha, keys.length, ...keys, ...args])
    : client.sendCommand(new EvalshaCommand(script, keys, args)))
}
