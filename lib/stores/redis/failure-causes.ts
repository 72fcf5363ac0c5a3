import type { EventEmitter } from 'node:events'
import type { Socket } from 'node:net'
import type { Cluster, Redis } from 'ioredis'
import { isGenericCode, parseReplyCode, toFailureCode } from './failure-code.js'
import { observeResults } from './observe-results.js'

type Client = Redis | Cluster
type Remove = () => void

/** What is known of a connection since it was last opened. */
interface Attempt {
  hasFailed: boolean
  /** The code by which the server refused the connection, before it closed it. */
  refusal: string | null
}

/** Codes of replies that a server sends before it closes a new connection. */
const REFUSALS = ['MAXCLIENTS', 'DENIED']

/** Prefix of the codes of failed connections to sentinels, which have their own address and password. */
const SENTINEL = 'SENTINEL_'

/**
 * Finds out why the connections of a client fail. ioredis reports some causes by events, some only in texts, and drops the
 * errors of connections that it opens for its own use.
 */
export class FailureCauses {
  readonly #onUnreachable: (code: string) => void
  readonly #attempts = new WeakMap<Client, Attempt>()
  readonly #removesByNode = new Map<Redis, readonly Remove[]>()
  readonly #removes: Remove[] = []
  #code: string | null = null
  /** Whether the code names the cause of the current attempt to connect. A generic code then says less. */
  #isKnown = false

  /** `onUnreachable`: called each time a client could not connect, or lost its connection. */
  constructor (onUnreachable: (code: string) => void) {
    this.#onUnreachable = onUnreachable
  }

  /** The code of the last failure, until a connection becomes ready. */
  get code (): string | null {
    return this.#code
  }

  watch (client: Client): void {
    const onClose = () => { this.#onUnreachable(this.#code ?? 'CONNECTION') }
    if ('nodes' in client) this.#removes.push(...this.#watchCluster(client))
    else this.#removes.push(...this.#watchConnection(client), ...this.#watchSentinels(client, onClose))
    this.#removes.push(listen(client, 'close', onClose))
  }

  /** Record why a connection is about to be closed. */
  note (connection: Client, code: string): void {
    const attempt = this.#getAttempt(connection)
    // Until a connection is closed, ioredis reports the rest of its handshake as further errors.
    if (attempt.hasFailed) return
    attempt.hasFailed = true
    this.#set(isGenericCode(code) ? attempt.refusal ?? code : code)
  }

  /** Stop watching: a client of the application lives on. */
  close (): void {
    for (const remove of this.#removes) remove()
    for (const removes of this.#removesByNode.values()) for (const remove of removes) remove()
  }

  #watchConnection (connection: Redis): Remove[] {
    return [
      listen(connection, 'connecting', () => {
        this.#attempts.delete(connection)
        this.#isKnown = false
      }),
      listen(connection, 'connect', () => {
        // Failures of single sentinels no longer matter.
        this.#isKnown = false
      }),
      listen(connection, 'error', (error) => {
        // The causes of the single sentinels are known.
        if (!isSentinelSummary(error)) this.note(connection, toFailureCode(error))
      }),
      listen(connection, 'close', () => { this.note(connection, 'CONNECTION') }),
      listen(connection, 'ready', () => { if (!this.#getAttempt(connection).hasFailed) this.#code = null }),
      // ioredis waits in silence while a server loads its data.
      observeReplies(connection, 'info', (reply) => { if (/^loading:1/m.test(reply)) this.#code = 'LOADING' }),
      this.#watchSockets(connection)
    ]
  }

  /** Watch the clients of the nodes, and the connections by which ioredis queries the slots. */
  #watchCluster (cluster: Cluster): Remove[] {
    const watchNode = (node: Redis) => {
      const removeObserver = observeResults(node, 'duplicate', (copy) => { this.#watchCopy(copy as Redis) })
      this.#removesByNode.set(node, [...this.#watchConnection(node), removeObserver])
    }
    for (const node of cluster.nodes()) watchNode(node)
    return [
      listen(cluster, 'connecting', () => { this.#isKnown = false }),
      listen(cluster, '+node', (node) => { watchNode(node as Redis) }),
      listen(cluster, '-node', (node) => { this.#removesByNode.delete(node as Redis) }),
      listen(cluster, 'node error', (error) => { this.#set(toFailureCode(error)) }),
      listen(cluster, 'error', (error) => { this.#set(toFailureCode(error)) }),
      listen(cluster, 'refresh', () => { if (cluster.nodes().length === 0) this.#set('CLUSTERDOWN') }),
      listen(cluster, 'ready', () => { this.#code = null }),
      // Nothing else reports an unknown host, or why a Cluster fails its ready check.
      observeReplies(cluster, 'connect', () => {}, (error) => { this.#set(toFailureCode(error)) }),
      observeReplies(cluster, 'cluster', (reply) => { if (/^cluster_state:fail/m.test(reply)) this.#set('CLUSTERDOWN') },
        (error) => { this.#set(toFailureCode(error)) })
    ]
  }

  #watchCopy (copy: Redis): void {
    copy.on('error', (error) => { this.note(copy, toFailureCode(error)) })
    copy.on('close', () => { if (this.#getAttempt(copy).refusal !== null) this.note(copy, 'CONNECTION') })
    this.#watchSockets(copy)
  }

  #watchSentinels (client: Redis, onFailure: () => void): Remove[] {
    const connector = getConnector(client)
    if (!('connectToSentinel' in connector)) return []
    return [
      observeResults(connector, 'connectToSentinel', (sentinel) => {
        (sentinel as Redis).on('error', (error) => { this.#set(SENTINEL + toFailureCode(error)) })
      }),
      listen(client, 'sentinelError', (error) => {
        const code = parseSentinelCode(String(error))
        if (code !== null || !this.#isKnown) this.#set(SENTINEL + (code ?? 'CONNECTION'))
      }),
      listen(client, 'error', (error) => { if (isSentinelSummary(error)) onFailure() })
    ]
  }

  /** Read the first reply of each socket, and send the handshake in one packet: of a full server, a second one would get EPIPE first. */
  #watchSockets (connection: Redis): Remove {
    return observeResults(getConnector(connection), 'connect', (result) => {
      (result as Promise<Socket>).then((socket) => {
        if (!socket.connecting) return
        // Before the listener of ioredis, which sends the handshake.
        socket.prependOnceListener('encrypted' in socket ? 'secureConnect' : 'connect', () => {
          socket.cork()
          setImmediate(() => { socket.uncork() })
          socket.once('data', (chunk: Buffer) => {
            const code = parseReplyCode(chunk.toString('latin1', 1))
            if (REFUSALS.includes(code)) this.#getAttempt(connection).refusal = code
          })
        })
      }, () => {})
    })
  }

  #set (code: string): void {
    if (this.#isKnown && isGenericCode(code)) return
    this.#code = code
    this.#isKnown = !isGenericCode(code)
  }

  #getAttempt (connection: Client): Attempt {
    const attempt = this.#attempts.get(connection) ?? { hasFailed: false, refusal: null }
    this.#attempts.set(connection, attempt)
    return attempt
  }
}

function listen (emitter: EventEmitter, event: string, listener: (...args: readonly unknown[]) => void): Remove {
  emitter.on(event, listener)
  return () => { emitter.off(event, listener) }
}

/** Observe the replies to a command of ioredis, or the errors. */
function observeReplies (
  client: Client, method: string, onReply: (reply: string) => void, onError: (error: unknown) => void = () => {}
): Remove {
  return observeResults(client, method, (result) => { Promise.resolve(result).then((reply) => { onReply(String(reply)) }, onError) })
}

/** Private in ioredis, and the same in its versions 5 and 6 and in iovalkey. */
function getConnector (client: Redis): object {
  return Reflect.get(client, 'connector') ?? {}
}

function isSentinelSummary (error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('All sentinels are unreachable')
}

/** The code in the text of an error of ioredis about one sentinel; `null` if it has none. */
function parseSentinelCode (text: string): string | null {
  if (text.includes('got an invalid reply') || text.includes('No such master')) return 'UNKNOWN_NAME'
  if (text.includes('Command timed out')) return 'DEADLINE'
  return /because ([A-Z]{4,}) /.exec(text)?.[1] ?? null
}
