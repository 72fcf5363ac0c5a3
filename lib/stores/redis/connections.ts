import { Command, type Cluster, type Redis } from 'ioredis'
import { EvalshaCommand } from './evalsha-command.js'
import type { Script } from './scripts.js'
import { IdleWatchdog } from './idle-watchdog.js'

type Client = Redis | Cluster

/** Time until a client that stopped reconnecting is started again, milliseconds. */
const RESTART_MS = 100

/** The code of a Redis error reply such as `OOM ...` or `READONLY ...`: its first word. */
export function parseReplyCode (text: string): string {
  return /^[A-Z]{1,40}/.exec(text)?.[0] ?? 'ERR'
}

/** The code of a failed call or connection, such as `OOM`, `WRONGPASS` or `ECONNREFUSED`. Never the error text. */
export function toFailureCode (error: unknown): string {
  if (!(error instanceof Error)) return 'CONNECTION'
  if (isFailedSelect(error) && parseReplyCode(error.message) === 'ERR') return 'SELECT'
  if (error.name === 'ReplyError') return parseReplyCode(error.message)
  return 'code' in error && typeof error.code === 'string' ? error.code : 'CONNECTION'
}

/** Whether Redis refused to select the database of a connection. */
function isFailedSelect (error: Error): boolean {
  const { command } = error as { readonly command?: { readonly name?: unknown } }
  return error.name === 'ReplyError' && command?.name === 'select'
}

/**
 * The connections to one Redis, Sentinel group or Cluster. It sends only while a connection is ready. So no call waits in
 * the queue of a client, where it would outlive its deadline and be charged late.
 */
export class ConnectionPool {
  readonly #clients: readonly Client[]
  readonly #isOwned: boolean
  readonly #onReady: () => void
  readonly #idleWatchdog: IdleWatchdog | null
  readonly #restarts = new Map<Client, NodeJS.Timeout>()
  readonly #disconnecting = new Set<Client>()
  #hasSlots: boolean
  #isClosed = false
  #next = 0
  #lastErrorCode: string | null = null

  /**
   * `isOwned`: whether the pool created the clients. A client of the application is neither closed nor changed.
   * `idleTimeoutMs`: how long an owned connection may leave a call without a reply before it is replaced.
   */
  constructor (clients: readonly Client[], isOwned: boolean, onReady: () => void, idleTimeoutMs: number) {
    this.#clients = clients
    this.#isOwned = isOwned
    this.#onReady = () => {
      // A connection whose SELECT failed may still become ready before it is closed.
      if (!clients.some((client) => this.#isUsable(client))) return
      this.#lastErrorCode = null
      onReady()
    }
    this.#hasSlots = clients[0].isCluster
    this.#idleWatchdog = isOwned ? new IdleWatchdog(clients, idleTimeoutMs) : null
    for (const client of clients) {
      client.on('ready', this.#onReady)
      if (!isOwned) continue
      // Failures are reported by the calls. Without a listener ioredis would print each of them.
      client.on('close', () => { this.#disconnecting.delete(client) })
      client.on('error', (error) => {
        // Until it is closed, ioredis reports the rest of the handshake as further errors.
        if (this.#disconnecting.has(client)) return
        this.#lastErrorCode = toFailureCode(error)
        // ioredis would go on in database 0, and two applications would share their budgets there.
        if (isFailedSelect(error)) this.#disconnect(client)
      })
      ignoreLateErrors(client)
      // ioredis stops forever if a failover is announced while it queries the sentinels for the primary.
      client.on('end', () => { this.#restart(client) })
    }
  }

  /** Whether the keys of a call must be in one slot: on a Cluster, and at an endpoint that enforces slots like one. */
  get hasSlots (): boolean {
    return this.#hasSlots
  }

  /** From now on, the keys of a call must be in one slot. Returns whether this is new. */
  separateSlots (): boolean {
    const isNew = !this.#hasSlots
    this.#hasSlots = true
    return isNew
  }

  /** The code with what to do, if an error of a single server shows a Cluster. */
  explainCode (code: string): string {
    return code === 'MOVED' && !this.#clients[0].isCluster ? 'MOVED: this is a Cluster, use { cluster }' : code
  }

  get isReady (): boolean {
    // Do not advance the round-robin here: with two connections, every call would go to the same one.
    return this.#clients.some((client) => this.#isUsable(client)) || this.#pickReadyClient() !== null
  }

  /** The error code of the last failed connection, if there is one. */
  get lastErrorCode (): string | null {
    return this.#lastErrorCode
  }

  /** Run a script by its hash. Send its text if Redis does not know it: after a restart, a failover or a flush. */
  async evalScript (script: Script, keys: readonly string[], args: readonly Buffer[]): Promise<unknown> {
    const client = this.#pickReadyClient()
    if (client === null) throw new Error('no connection is ready')
    this.#idleWatchdog?.expectReply()
    try {
      return await client.sendCommand(createEvalsha(client, script, keys, args))
    } catch (error) {
      if (!(error instanceof Error) || parseReplyCode(error.message) !== 'NOSCRIPT') throw error
      return await client.sendCommand(createCommand(client, 'eval', [script.lua, String(keys.length), ...keys, ...args]))
    }
  }

  /** Send everything from `send` in one write per node: on a Cluster the checks of each partition are a separate call. */
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
    await client.sendCommand(createCommand(client, 'ping', []))
  }

  /**
   * Connect again: the connected server has become a replica, or its replies make no sense. A client of the application reconnects if
   * its `reconnectOnError` says so. ioredis never asks it: the scripts return the errors of their writes as data.
   */
  reconnect (): void {
    for (const client of this.#clients) {
      // Every call in flight reports READONLY, and ioredis reports `ready` until the socket is closed.
      if (client.isCluster || !this.#isUsable(client)) continue
      if (this.#isOwned) this.#disconnect(client)
      else if (mayReconnect(client)) {
        client.once('close', () => { this.#disconnecting.delete(client) })
        this.#disconnect(client)
      }
    }
  }

  async close (): Promise<void> {
    for (const client of this.#clients) client.off('ready', this.#onReady)
    if (!this.#isOwned) return
    this.#isClosed = true
    this.#idleWatchdog?.close()
    for (const timer of this.#restarts.values()) clearTimeout(timer)
    // Calls in flight are answered or expired by now. QUIT could wait for a server that hangs.
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

  #isUsable (client: Client): boolean {
    return client.status === 'ready' && !this.#disconnecting.has(client)
  }

  /** Close a connection that must not be used, and connect again. */
  #disconnect (client: Client): void {
    if (this.#isClosed || client.isCluster) return
    this.#disconnecting.add(client)
    client.disconnect(true)
  }

  #pickReadyClient (): Client | null {
    for (let tried = 0; tried < this.#clients.length; tried++) {
      const client = this.#clients[this.#next]
      this.#next = (this.#next + 1) % this.#clients.length
      if (this.#isUsable(client)) return client
      // A client with `lazyConnect` connects on its first call, but no call is sent before it is ready.
      if (client.status === 'wait' && !this.#isClosed) client.connect().catch(() => {})
    }
    return null
  }
}

/** Ask a client of the application as ioredis would ask it after an error reply. */
function mayReconnect (client: Client): boolean {
  const error = Object.assign(new Error("READONLY You can't write against a read only replica."), { name: 'ReplyError' })
  try {
    return 'reconnectOnError' in client.options && Boolean(client.options.reconnectOnError?.(error))
  } catch {
    return false
  }
}

function getConnections (client: Client, role: 'all' | 'master' = 'all'): Redis[] {
  return 'nodes' in client ? client.nodes(role) : [client]
}

/**
 * ioredis listens for only one error of a socket. A second error would end the process, for example a TLS alert on an
 * abandoned socket.
 */
function ignoreLateErrors (client: Client): void {
  if ('nodes' in client) client.on('+node', (node: Redis) => { node.on('error', () => { ignoreErrors(node) }) })
  else client.on('error', () => { ignoreErrors(client) })
}

function ignoreErrors ({ stream }: Redis): void {
  stream?.on('error', () => {})
}

function createEvalsha (client: Client, script: Script, keys: readonly string[], args: readonly Buffer[]): Command {
  // The key prefix of a client is applied only by the command writer of ioredis.
  if (!client.options.keyPrefix) return new EvalshaCommand(script, keys, args)
  return createCommand(client, 'evalsha', [script.sha, String(keys.length), ...keys, ...args])
}

/**
 * A command for `sendCommand`, the only method that no option of a client changes. With `enableAutoPipelining`, `call`
 * and `callBuffer` lose the name of the command: they throw in a timer, and the client never replies again.
 */
function createCommand (client: Client, name: string, args: ReadonlyArray<string | Buffer>): Command {
  return new Command(name, [...args], { keyPrefix: client.options.keyPrefix, replyEncoding: null })
}
