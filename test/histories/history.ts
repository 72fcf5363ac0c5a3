// A history: what each client saw, and each fault, with times of the monotonic clock that all processes of a machine share.
// One line of JSON each: a header, then decisions as arrays, and faults as objects.
import { createReadStream, createWriteStream } from 'node:fs'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { HistoryHeader } from './promises.js'

/** How a request was refused. */
export const REFUSALS = ['none', 'quota', 'blocked', 'unavailable', 'other'] as const

/** One request and its answer. Times in microseconds since the begin of the history. */
export interface Decision {
  /** The number of the instance. */
  readonly instance: number
  /** The index of the policy. */
  readonly policy: number
  readonly client: string
  /** 0: there was no answer. */
  readonly status: number
  readonly refusal: typeof REFUSALS[number]
  /** It was decided between these two times: as the instance says, if it answered, else as the client knows. */
  readonly fromUs: number
  readonly untilUs: number
  /** How long the client waited for the answer, without the time of the handler. */
  readonly waitUs: number
  readonly cost: number
  /** Seconds; -1 without the field. */
  readonly retryAfter: number
  /** Units; -1 without the field: the request was not counted. */
  readonly remaining: number
  /** Bit i: limit i of the policy refused. */
  readonly violated: number
}

/** What was done to the servers and processes, or measured. */
export interface Fault {
  readonly kind: string
  readonly fromUs: number
  /** When it was over: for a server, when it answered again. */
  readonly untilUs: number
  /** The slot of the instance that it concerns; absent: all. */
  readonly slot?: number
}

export interface History {
  readonly header: HistoryHeader
  readonly decisions: Decision[]
  readonly faults: Fault[]
}

type Line = readonly [
  instance: number, policy: number, client: string, status: number, refusal: number, fromUs: number, untilUs: number,
  waitUs: number, cost: number, retryAfter: number, remaining: number, violated: number
]

const FLUSH_CHARACTERS = 1 << 16

/** Writes a history to a file, in large pieces. */
export class HistoryWriter {
  readonly #file
  #text = ''
  #decisions = 0
  #drained: Promise<unknown> | null = null

  constructor (path: string, header: HistoryHeader) {
    this.#file = createWriteStream(path)
    this.#line(header)
  }

  get decisions (): number { return this.#decisions }

  decision (decision: Decision): void {
    this.#decisions++
    const { instance, policy, client, status, refusal, fromUs, untilUs, waitUs, cost, retryAfter, remaining, violated } = decision
    const line: Line = [
      instance, policy, client, status, REFUSALS.indexOf(refusal), Math.floor(fromUs), Math.ceil(untilUs), Math.round(waitUs), cost, retryAfter,
      remaining, violated
    ]
    this.#line(line)
  }

  fault (fault: Fault): void {
    this.#line({ ...fault, fromUs: Math.floor(fault.fromUs), untilUs: Math.ceil(fault.untilUs) })
  }

  /** Wait while the file takes fewer lines than are written. */
  async drain (): Promise<void> {
    if (!this.#file.writableNeedDrain) return
    this.#drained ??= once(this.#file, 'drain').finally(() => { this.#drained = null })
    await this.#drained
  }

  async end (): Promise<void> {
    this.#file.end(this.#text)
    await once(this.#file, 'finish')
  }

  #line (value: unknown): void {
    this.#text += `${JSON.stringify(value)}\n`
    if (this.#text.length < FLUSH_CHARACTERS) return
    this.#file.write(this.#text)
    this.#text = ''
  }
}

/** Read a history back from its file. */
export async function readHistory (path: string): Promise<History> {
  let header: HistoryHeader | null = null
  const decisions: Decision[] = []
  const faults: Fault[] = []
  for await (const text of createInterface({ input: createReadStream(path) })) {
    const line = JSON.parse(text)
    if (Array.isArray(line)) decisions.push(toDecision(line as unknown as Line))
    else if (header === null) header = line
    else faults.push(line)
  }
  if (header === null) throw new Error(`${path} is empty`)
  return { header, decisions, faults }
}

function toDecision (line: Line): Decision {
  const [instance, policy, client, status, refusal, fromUs, untilUs, waitUs, cost, retryAfter, remaining, violated] = line
  return { instance, policy, client, status, refusal: REFUSALS[refusal], fromUs, untilUs, waitUs, cost, retryAfter, remaining, violated }
}
