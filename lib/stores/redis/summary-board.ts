import { FST_SLUICE_STORE } from '../../errors.js'
import type { FailureReason } from '../store.js'
import type { ConnectionPool } from './connections.js'
import { BAD_REPLY } from './failure-code.js'
import { toHashTag } from './keys.js'
import { toFailureReason } from './script-runner.js'
import { loadPlainScript, type Script } from './scripts.js'

const publishScript = loadPlainScript('publish-summary')
const readScript = loadPlainScript('read-summaries')
const switchScript = loadPlainScript('write-switch')

/** How long a summary is kept, unless it is published again. */
const SUMMARY_TTL_MS = 60_000

/** How long the switch is kept: an instance that starts later does not find it. */
const SWITCH_TTL_MS = 86_400_000

const MAX_INSTANCES = 64
export const MAX_SUMMARY_BYTES = 16_384

/** Summaries in one call, so that no check waits for the reply for long. */
const MAX_READ = 8

/** The switch for all instances. */
export interface SharedSwitch {
  /** When it was set, by the clock of Redis, microseconds since 1970. The latest one counts. */
  readonly setAtUs: number
  readonly enabled: boolean
}

/** An instance, and when Redis received its latest summary, by the clock of Redis. */
export interface Sighting {
  readonly id: string
  readonly seenAtMs: number
}

/** The instances with a summary, at most 64. */
export interface Sightings {
  /** The time of Redis, milliseconds since 1970. */
  readonly nowMs: number
  readonly instances: readonly Sighting[]
}

/** `'damaged'`: a value that no instance writes. `null`: it has expired. */
export type ReadSummary = { readonly text: string } | 'damaged' | null

export interface SummaryBoardOptions {
  readonly pool: ConnectionPool
  readonly keyPrefix: string
  readonly registration: string
  readonly deadlineMs: number
}

/**
 * Summaries of the instances of a registration, in Redis, and the switch that they share. The keys of a registration are in one
 * slot. A call that fails does not count for the breaker: no request waits for it, and the limits do not depend on it.
 *
 * Every method rejects with FST_SLUICE_STORE within the deadline.
 */
export class SummaryBoard {
  /** The code of the last call, if it failed, such as `ECONNREFUSED`. */
  lastError: string | null = null
  readonly #options: SummaryBoardOptions
  readonly #prefix: string

  constructor (options: SummaryBoardOptions) {
    this.#options = options
    this.#prefix = `${options.keyPrefix}{page:${toHashTag(options.registration)}}`
  }

  /** Returns the switch; `null` without one. */
  async publish (id: string, summary: string): Promise<SharedSwitch | null> {
    return parseSwitch(await this.#call(publishScript, [this.#indexKey, this.#toSummaryKey(id), this.#switchKey],
      [id, summary, String(SUMMARY_TTL_MS), String(MAX_INSTANCES)]))
  }

  async remove (id: string): Promise<void> {
    await this.publish(id, '')
  }

  async list (): Promise<Sightings> {
    const { nowMs, values: [index] } = await this.#read([this.#indexKey])
    return { nowMs, instances: index === null || index === 'damaged' ? [] : parseIndex(index.text) }
  }

  /** In the order of `ids`. */
  async read (ids: readonly string[]): Promise<ReadSummary[]> {
    const summaries: ReadSummary[] = []
    for (let from = 0; from < ids.length; from += MAX_READ) {
      const { values } = await this.#read(ids.slice(from, from + MAX_READ).map((id) => this.#toSummaryKey(id)))
      summaries.push(...values)
    }
    return summaries
  }

  async writeSwitch (enabled: boolean): Promise<SharedSwitch> {
    const written = parseSwitch(await this.#call(switchScript, [this.#switchKey], [enabled ? '1' : '0', String(SWITCH_TTL_MS)]))
    if (written === null) throw this.#fail('error', BAD_REPLY)
    return written
  }

  async #read (keys: readonly string[]): Promise<{ readonly nowMs: number, readonly values: readonly ReadSummary[] }> {
    const reply = await this.#call(readScript, keys, [String(MAX_SUMMARY_BYTES)])
    if (!Array.isArray(reply) || reply.length !== keys.length + 1) throw this.#fail('error', BAD_REPLY)
    const [nowMs, ...values] = reply.map(String)
    return { nowMs: Number(nowMs), values: values.map((text) => text === '' ? null : text === '?' ? 'damaged' : { text }) }
  }

  get #indexKey (): string {
    return `${this.#prefix}:instances`
  }

  get #switchKey (): string {
    return `${this.#prefix}:switch`
  }

  #toSummaryKey (id: string): string {
    return `${this.#prefix}:instance:${id}`
  }

  #call (script: Script, keys: readonly string[], args: readonly string[]): Promise<unknown> {
    const { pool, deadlineMs } = this.#options
    return new Promise((resolve, reject) => {
      // setImmediate: a reply that has already arrived is read first.
      const timer = setTimeout(() => setImmediate(() => {
        reject(this.#fail('deadline', pool.explainDeadline()))
      }), deadlineMs).unref()
      pool.evalScript(script, keys, args.map((arg) => Buffer.from(arg))).then((reply) => {
        this.lastError = null
        resolve(reply)
      }, (error) => {
        reject(this.#fail(toFailureReason(error), pool.explainError(error), error))
      }).finally(() => { clearTimeout(timer) })
    })
  }

  #fail (reason: FailureReason, code: string, cause?: unknown): Error {
    this.lastError = code
    return new FST_SLUICE_STORE(reason, code, { cause })
  }
}

function parseIndex (text: string): Sighting[] {
  const sightings = text.split('\n').flatMap((line) => {
    const [, seenAtMs, id] = /^(\d{1,15}) (.+)$/.exec(line) ?? []
    return id === undefined ? [] : [{ id, seenAtMs: Number(seenAtMs) }]
  })
  return sightings.slice(-MAX_INSTANCES)
}

function parseSwitch (reply: unknown): SharedSwitch | null {
  const [, setAtUs, enabled] = /^(\d{1,16}) ([01])$/.exec(String(reply)) ?? []
  return setAtUs === undefined ? null : { setAtUs: Number(setAtUs), enabled: enabled === '1' }
}
