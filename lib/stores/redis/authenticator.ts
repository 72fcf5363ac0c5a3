import type { Redis } from 'ioredis'
import { parseReplyCode, toFailureCode } from './failure-code.js'
import { CredentialSource, type CredentialOptions, type Credentials } from './credentials.js'

/** The part of their time after which credentials are read again. */
const REFRESH_AFTER = 0.8
/** Shortest time until then, and longest time of a timer, milliseconds. */
const MIN_REFRESH_MS = 1000
const MAX_TIMER_MS = 2 ** 31 - 1
/** Time until a failed refresh is tried again, milliseconds. */
const RETRY_REFRESH_MS = 5000
/** The default of ioredis. */
const CONNECT_TIMEOUT_MS = 10_000

/** What opens the socket of a client. ioredis has no public way to wait for a password before it authenticates. */
interface Connector {
  connecting: boolean
  connect (emit: unknown): Promise<unknown>
}

/**
 * Reads the credentials before each connection is opened, and authenticates open connections again before they expire or
 * after they were replaced.
 */
export class Authenticator {
  readonly #source: CredentialSource
  readonly #onFailure: (code: string) => void
  /** Open connections, each with the timer of its refresh. */
  readonly #refreshes = new Map<Redis, NodeJS.Timeout | null>()
  /** Connections that were not ready for a refresh, and whether it was due. They may be in a handshake with the former credentials. */
  readonly #missed = new WeakMap<Redis, boolean>()

  /** `onFailure`: called with an error code if an open connection could not authenticate again. It keeps its old credentials. */
  constructor (options: CredentialOptions, onFailure: (code: string) => void) {
    this.#source = new CredentialSource(options)
    this.#onFailure = onFailure
  }

  /** Call it before the client connects. A node of a Cluster that has a password of its own keeps it. */
  attach (client: Redis): void {
    if (client.options.password) return
    this.#intercept(client, async (timeoutMs) => {
      this.#missed.delete(client)
      const credentials = await this.#source.read(timeoutMs)
      this.#keepFresh(client, credentials)
      return credentials
    })
    client.on('ready', () => {
      const isDue = this.#missed.get(client)
      if (isDue === undefined) return
      this.#missed.delete(client)
      this.#refresh(client, isDue).catch(() => {})
    })
    client.on('close', () => {
      this.#missed.delete(client)
      clearTimeout(this.#refreshes.get(client) ?? undefined)
      this.#refreshes.delete(client)
    })
    // A Cluster reads its slots over a copy of a connection, every second. The functions are not called as often.
    const duplicate = client.duplicate.bind(client)
    client.duplicate = (override) => {
      const copy = duplicate({ ...override, lazyConnect: true })
      this.#intercept(copy, (timeoutMs) => this.#source.reuse(timeoutMs))
      return copy
    }
  }

  /** Use other credentials, in open connections too. */
  replace (options: CredentialOptions): void {
    this.#source.replace(options)
    for (const client of this.#refreshes.keys()) this.#refresh(client, false).catch(() => {})
  }

  #intercept (client: Redis, read: (timeoutMs: number) => Promise<Credentials>): void {
    const connector = Reflect.get(client, 'connector') as Connector
    const connect = connector.connect.bind(connector)
    connector.connect = async (emit) => {
      connector.connecting = true
      const credentials = await read(client.options.connectTimeout ?? CONNECT_TIMEOUT_MS)
      if (wasDisconnected(connector)) throw new Error('the connection was closed')
      setCredentials(client, credentials)
      return await connect(emit)
    }
    client.on('error', (error) => { if (parseReplyCode(error.message) === 'WRONGPASS') this.#source.reject() })
  }

  #keepFresh (client: Redis, { expiresInMs }: Credentials): void {
    if (expiresInMs === undefined) {
      clearTimeout(this.#refreshes.get(client) ?? undefined)
      this.#refreshes.set(client, null)
    } else {
      this.#refreshIn(client, Math.max(MIN_REFRESH_MS, REFRESH_AFTER * expiresInMs))
    }
  }

  #refreshIn (client: Redis, delayMs: number): void {
    clearTimeout(this.#refreshes.get(client) ?? undefined)
    const timer = setTimeout(() => { this.#refresh(client, true).catch(() => {}) }, Math.min(delayMs, MAX_TIMER_MS)).unref()
    this.#refreshes.set(client, timer)
  }

  /** `isDue`: whether the credentials expire, so that a failure must be repaired in time. */
  async #refresh (client: Redis, isDue: boolean): Promise<void> {
    try {
      const credentials = await this.#source.read(client.options.connectTimeout ?? CONNECT_TIMEOUT_MS)
      if (client.status === 'ready') await this.#authenticate(client, credentials)
    } catch (error) {
      if (client.status === 'ready') {
        this.#onFailure(toFailureCode(error))
        if (isDue) this.#refreshIn(client, RETRY_REFRESH_MS)
      }
    }
    // A new connection reads its own, and one that has read the former ones is refreshed when it is ready.
    if (client.status !== 'ready') this.#missed.set(client, isDue)
  }

  async #authenticate (client: Redis, credentials: Credentials): Promise<void> {
    const { username, password } = setCredentials(client, credentials)
    if (username) await client.auth(username, password ?? '')
    else if (password) await client.auth(password)
    this.#keepFresh(client, credentials)
  }
}

/** ioredis clears this in `disconnect`. */
function wasDisconnected ({ connecting }: Connector): boolean {
  return !connecting
}

/** Set the credentials of the handshake, and those of copies of the client. */
function setCredentials (client: Redis, { username, password }: Credentials): Credentials {
  Object.assign(client.options, { username, password })
  if (client.condition !== null) client.condition.auth = username ? [username, password ?? ''] : password
  return { username, password }
}
