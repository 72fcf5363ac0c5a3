import type { Cluster, Redis } from 'ioredis'
import { mayReconnect, maySendTwice } from './client-behavior.js'
import { createCommand, createEvalsha } from './evalsha-command.js'
import type { Script } from './scripts.js'
import { FailureCauses } from './failure-causes.js'
import { isBadReply, parseReplyCode, toFailureCode } from './failure-code.js'
import { IdleWatchdog } from './idle-watchdog.js'
import { guardProcess, ignoreErrors } from './process-guards.js'
import { retryDelayMs } from './retry-delay.js'
import { watchDatabase } from './watch-database.js'

type Client = Redis | Cluster

/** Receivers of the events of a pool. */
export interface PoolEvents {
  /** Called when a connection becomes ready, and when the application has closed its client: calls that wait then fail. */
  readonly onReady: () => void
  /** Called once, with an error code, if the first attempt to connect fails. */
  readonly onUnreachable?: (code: string) => void
}

/**
 * The connections to one Redis, Sentinel group or Cluster. It sends only while a connection is ready. So no call waits in
 * the queue of a client, where it would outlive its deadline and be charged late.
 */
export class ConnectionPool {
  readonly #clients: readonly Client[]
  readonly #isOwned: boolean
  readonly #onReady: () => void
  readonly #causes: FailureCauses
  readonly #idleWatchdog: IdleWatchdog | null
  readonly #restarts = new Map<Client, NodeJS.Timeout>()
  /** Ready, but about to be closed, or in a wrong database. */
  readonly #unusable = new WeakSet<Client>()
  readonly #removes: Array<() => void> = []
  #hasSlots: boolean
  #isClosed = false
  #next = 0
  #isStarting = true
  #restarted = 0

  /**
   * `isOwned`: whether the pool created the clients. A client of the application is not closed. See guardProcess for what changes in it.
   * `idleTimeoutMs`: how long an owned connection may leave a call without a reply before it is replaced.
   */
  constructor (clients: readonly Client[], isOwned: boolean, { onReady, onUnreachable }: PoolEvents, idleTimeoutMs: number) {
    this.#clients = clients
    this.#isOwned = isOwned
    this.#onReady = () => {
      // A connection whose SELECT failed may still become ready before it is closed.
      if (!clients.some((client) => this.#isUsable(client))) return
      this.#isStarting = false
      this.#restarted = 0
      onReady()
    }
    this.#hasSlots = clients[0].isCluster
    const onFailure = (code: string) => {
      if (this.#isStarting) onUnreachable?.(code)
      this.#isStarting = false
    }
    this.#causes = new FailureCauses(onFailure)
    const onIdle = (connection: Redis) => { this.#causes.note(connection, 'DEADLINE') }
    this.#idleWatchdog = isOwned ? new IdleWatchdog(clients, idleTimeoutMs, onIdle) : null
    for (const client of clients) {
      this.#causes.watch(client)
      const onClose = () => { this.#unusable.delete(client) }
      // ioredis reports `ready` until the socket is closed.
      const onError = (error: Error) => { if (isBadReply(error)) this.#unusable.add(client) }
      client.on('ready', this.#onReady)
      client.on('close', onClose)
      client.on('error', onError)
      client.on('end', onReady)
      this.#removes.push(() => client.off('ready', this.#onReady).off('close', onClose).off('error', onError).off('end', onReady))
      if (!('nodes' in client)) this.#removes.push(watchDatabase(client, (error) => { this.#leaveDatabase(client, error, onFailure) }))
      const removeGuard = guardProcess(client)
      // ioredis stops forever if a failover is announced while it queries the sentinels for the primary.
      if (isOwned) client.on('end', () => { this.#restart(client) })
      else this.#removes.push(removeGuard)
    }
  }

  /** Whether a first connection is being opened. */
  get isConnecting (): boolean {
    return this.#clients.every(({ status }) => status === 'connecting' || status === 'connect')
  }

  /** Connect the clients that wait for it. */
  start (): void {
    for (const client of this.#clients) if (client.status === 'wait') client.connect().catch(() => {})
  }

  /** Whether a client sends a call again whose connection broke. Then the call may be executed twice. */
  get maySendTwice (): boolean {
    return this.#clients.some(maySendTwice)
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

  /** The code of a failed call. If the call shows only that a connection broke, the cause of that. */
  explainError (error: unknown): string {
    const code = toFailureCode(error)
    return code === 'CONNECTION' ? this.#causes.code ?? code : code
  }

  /** The code of a call without an answer in time: the cause, if the connection that it requires is not ready. */
  explainDeadline (): string {
    if (this.isReady && !this.#clients.some(isNodeMissing)) return 'DEADLINE'
    const isClosed = this.#clients.every(({ status }) => status !== 'ready' && status !== 'connecting' && status !== 'connect')
    return this.#causes.code ?? (isClosed ? 'CONNECTION' : 'DEADLINE')
  }

  /** The cause that no connection is ready; `null` if one is, or if none has failed yet. */
  get cause (): string | null {
    return this.isReady ? null : this.#causes.code
  }

  /** The code with what to do, where the address or the client of the application is not suitable. */
  formatCode (code: string): string {
    const [client] = this.#clients
    if (client.isCluster) return code
    if (code === 'MOVED') return 'MOVED: this is a Cluster, use { cluster }'
    return code === 'READONLY' && !this.#isOwned && !mayReconnect(client) ? 'READONLY: use limiterClientOptions() for the client' : code
  }

  get isReady (): boolean {
    // Do not advance the round-robin here: with two connections, every call would go to the same one.
    return this.#clients.some((client) => this.#isUsable(client)) || this.#pickReadyClient() !== null
  }

  /** Whether the application has closed its client: no connection becomes ready by itself, and none keeps the process alive. */
  get isEnded (): boolean {
    return !this.#isOwned && this.#clients.every(({ status }) => status === 'end')
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
   * Connect again: the connected server has become a replica, or its replies make no sense. A client of the application
   * reconnects if its `reconnectOnError` says so. ioredis never asks it: the scripts return the errors of their writes as
   * data. `code`: of the reply.
   */
  reconnect (code: string): void {
    for (const client of this.#clients) {
      // Every call in flight reports READONLY, and ioredis reports `ready` until the socket is closed.
      if ('nodes' in client || !this.#isUsable(client)) continue
      if (!this.#isOwned && !mayReconnect(client)) continue
      this.#replace(client, code)
    }
  }

  async close (): Promise<void> {
    for (const remove of this.#removes) remove()
    this.#causes.close()
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
    const delayMs = retryDelayMs(++this.#restarted)
    this.#restarts.set(client, setTimeout(() => { client.connect().catch(() => {}) }, delayMs).unref())
  }

  #isUsable (client: Client): boolean {
    return client.status === 'ready' && !this.#unusable.has(client)
  }

  /** Do not use a connection in a wrong database. A client of the application stays as it is. */
  #leaveDatabase (client: Redis, error: Error, onFailure: (code: string) => void): void {
    if (this.#isOwned) return this.#replace(client, toFailureCode(error))
    this.#unusable.add(client)
    this.#causes.note(client, toFailureCode(error))
    onFailure(toFailureCode(error))
  }

  /** Close a connection that must not be used, and connect again. `code`: the cause. */
  #replace (connection: Redis, code: string): void {
    if (this.#isClosed) return
    this.#causes.note(connection, code)
    this.#unusable.add(connection)
    connection.disconnect(true)
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

/** Whether a call to a node of a Cluster may be waiting for its connection. Nodes without calls are not connected. */
function isNodeMissing (client: Client): boolean {
  return 'nodes' in client && client.nodes('master').some(({ status }) => status !== 'ready' && status !== 'wait')
}

function getConnections (client: Client, role: 'all' | 'master' = 'all'): Redis[] {
  return 'nodes' in client ? client.nodes(role) : [client]
}
