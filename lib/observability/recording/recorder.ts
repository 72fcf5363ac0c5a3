import { GenerationCache } from '../../common/generation-cache.js'
import type { Clock } from '../../common/clock.js'
import type { FaultReporter } from '../../common/log.js'
import type { ResolvedRecord } from '../../config/schema/record-schema.js'
import type { Client } from '../../model/client.js'
import type { Outcome } from '../../model/decision.js'
import { createClientLabeler, type ClientLabeler } from '../refusal-log/client-label.js'
import { RecordingFile } from './recording-file.js'

/** Text that is written at once. */
const CHUNK_LENGTH = 65_536

/** Text that may wait for the disk. */
const MAX_PENDING_LENGTH = 4_194_304

/** A longer path is cut: limits for such paths are rare, and clients choose them. */
const MAX_PATH_LENGTH = 2048

const FLUSH_INTERVAL_MS = 1000

/** How long the end of the process waits for the disk. */
const MAX_CLOSE_MS = 2000

/** Labels cached per generation: a hash costs more than the rest of a line. */
const MAX_LABELS = 16_384

/** What the decision on a request depended on. */
export interface RecordedDecision {
  /** Microseconds since 1970. */
  readonly timeUs: number
  readonly method: string
  /** As received, with its query. */
  readonly url: string
  /** The pattern of the route; `null` for an unknown URL. */
  readonly route: string | null
  /** `null` if it is not known, and does not matter. */
  readonly status: number | null
  readonly client: Client
  /** The client that the address is, and the address itself. */
  readonly addressClient: Client
  readonly address: string
  /** Units: from each limit, or by the names of limits. */
  readonly cost: number | Readonly<Record<string, number>>
  /** `unlimited`: the client's tier has no limits. */
  readonly outcome: Outcome | 'unlimited'
  /** The limit that refused; `null` if none did. */
  readonly limit: string | null
  readonly scope: string
}

export interface RecorderServices {
  readonly clock: Clock
  readonly faults: FaultReporter
}

/**
 * Appends decisions to a file as JSON lines, which `fastify-sluice simulate` reads. Lines are buffered and written outside of
 * requests. While the disk is slow or fails, lines are dropped, and the fault is logged. No method throws or rejects.
 */
export class Recorder {
  readonly #clock: Clock
  readonly #faults: FaultReporter
  readonly #file: RecordingFile
  readonly #label: ClientLabeler
  readonly #hashClients: boolean
  readonly #labels = new GenerationCache<string, string>(MAX_LABELS)
  readonly #timer: NodeJS.Timeout
  #pending = ''
  #writing: Promise<void> | null = null
  #isFull = false
  #lastId = 0
  /** Lines that the file does not have. */
  dropped = 0

  constructor (options: Exclude<ResolvedRecord, false>, { clock, faults }: RecorderServices) {
    const { file, maxBytes, hashClients, hashSecret = null } = options
    this.#clock = clock
    this.#faults = faults
    this.#file = new RecordingFile(file, maxBytes)
    this.#label = createClientLabeler({ hashClients: true, hashSecret })
    this.#hashClients = hashClients
    // Created here and not in a request: a timer keeps the AsyncLocalStorage of its creator alive.
    this.#timer = setInterval(() => { this.#flush() }, FLUSH_INTERVAL_MS).unref()
  }

  get nowUs (): number {
    return this.#clock.nowUs()
  }

  record (decision: RecordedDecision): void {
    this.#add(this.#describe(decision))
  }

  /** Record a decision whose response is recorded later, by the id that is returned. */
  recordWithId (decision: RecordedDecision): number {
    const id = ++this.#lastId
    this.#add({ ...this.#describe(decision), reqId: id, pid: process.pid })
    return id
  }

  /** Record the status of a response that was sent. */
  recordStatus (id: number, status: number): void {
    this.#add({ reqId: id, pid: process.pid, res: { statusCode: status } })
  }

  #add (line: object): void {
    if (this.#isFull || this.#pending.length >= MAX_PENDING_LENGTH) {
      this.dropped++
      if (!this.#isFull) this.#faults.reportLazy('record', () => new Error('the disk is too slow; decisions are not recorded'), 'slow')
      return
    }
    this.#pending += `${JSON.stringify(line)}\n`
    if (this.#pending.length >= CHUNK_LENGTH && this.#writing === null) this.#flush()
  }

  /** Write what is pending, and close the file. Takes two seconds at most. */
  async close (): Promise<void> {
    clearInterval(this.#timer)
    let timer: NodeJS.Timeout | undefined
    const timeout = new Promise<void>((resolve) => { timer = setTimeout(resolve, MAX_CLOSE_MS) })
    await Promise.race([this.#finish(), timeout])
    clearTimeout(timer)
  }

  async #finish (): Promise<void> {
    await this.#writing
    this.#flush()
    await this.#writing
    this.#isFull = true
    await this.#file.close().catch((error: unknown) => { this.#fail(error, 0) })
  }

  #flush (): void {
    if (this.#pending === '' || this.#writing !== null) return
    const text = this.#pending
    this.#pending = ''
    this.#writing = this.#write(text).finally(() => { this.#writing = null })
  }

  async #write (text: string): Promise<void> {
    try {
      if (this.#isFull) throw new Error('the recording has stopped')
      if (await this.#file.append(text)) return
      this.#isFull = true
      this.#fail(new Error('the file has reached record.maxBytes; the recording has stopped'), countLines(text))
    } catch (error) {
      this.#fail(error, countLines(text))
    }
  }

  #fail (error: unknown, lines: number): void {
    this.dropped += lines
    this.#faults.report('record', error)
  }

  #describe (decision: RecordedDecision): object {
    const { timeUs, method, url, route, status, client, addressClient, address, cost, outcome, limit, scope } = decision
    const { kind, id, tier } = client
    return {
      time: timeUs,
      address: this.#hashClients ? this.#hash(addressClient) : address,
      ...kind === 'user' ? { user: this.#hashClients ? this.#hash(client) : id, tier } : {},
      ...kind === 'key' ? { key: this.#hashClients ? this.#hash(client) : id } : {},
      method,
      url: url.replace(/[?#].*$/s, '').slice(0, MAX_PATH_LENGTH),
      ...route === null ? {} : { route },
      ...status === null ? {} : { status },
      cost,
      outcome,
      ...limit === null ? {} : { limit },
      scope
    }
  }

  #hash (client: Client): string {
    const known = this.#labels.get(client.partition)
    if (known !== undefined) return known
    const label = this.#label(client)
    this.#labels.set(client.partition, label)
    return label
  }
}

function countLines (text: string): number {
  return text.split('\n').length - 1
}
