import { closeSync, openSync, writeSync } from 'node:fs'
import type { Client } from '../../../model/client.js'
import type { LogEntry } from '../log/log-entry.js'
import type { Verdict } from '../replay/replay.js'
import { findOutcome, type ReplayOutcome } from './tally.js'
import { SpaceSaving } from '../../../common/space-saving.js'

const MAX_SHOWN = 20
const MAX_COUNTED = 512
const MAX_BUFFERED = 65_536

/** A request that one configuration allows and the other refuses. */
export interface Flip {
  readonly line: number
  /** ISO 8601. */
  readonly time: string
  readonly client: Client
  /** Method and path, without the query. */
  readonly request: string
  /** The outcome under `--against`, and the limit that refused. */
  readonly before: ReplayOutcome
  readonly beforeLimit: string | null
  /** The outcome under `--config`. */
  readonly after: ReplayOutcome
  readonly afterLimit: string | null
}

/** Formats a client for output. */
export type FormatClient = (client: Client) => string

/** Counts and lists the requests that two configurations decide differently. */
export class Flips {
  newlyRefused = 0
  newlyAllowed = 0
  /** The first ones. */
  readonly shown: Flip[] = []
  readonly routes = new SpaceSaving<string>(MAX_COUNTED)
  readonly clients = new SpaceSaving<Client>(MAX_COUNTED)
  readonly #file: number | null
  readonly #formatClient: FormatClient
  #buffer = ''

  /** `path`: of a file for all flips as JSON lines; `null` for none. Throws the error of the system. */
  constructor (path: string | null, formatClient: FormatClient) {
    this.#file = path === null ? null : openSync(path, 'w', 0o600)
    this.#formatClient = formatClient
  }

  add (entry: LogEntry, before: Verdict, after: Verdict): void {
    const wasRefused = before.decision?.isRefused === true
    if (wasRefused === (after.decision?.isRefused === true)) return
    if (wasRefused) this.newlyAllowed++
    else this.newlyRefused++
    const client = (wasRefused ? before : after).decision?.client
    if (client === undefined) return
    this.routes.add(after.found.route, () => after.found.route)
    this.clients.add(client.partition, () => client)
    if (this.shown.length >= MAX_SHOWN && this.#file === null) return
    const flip = createFlip(entry, client, before, after)
    if (this.shown.length < MAX_SHOWN) this.shown.push(flip)
    if (this.#file !== null) this.#write(this.#file, flip)
  }

  close (): void {
    if (this.#file === null) return
    writeSync(this.#file, this.#buffer)
    closeSync(this.#file)
  }

  #write (file: number, flip: Flip): void {
    this.#buffer += `${JSON.stringify({ ...flip, client: this.#formatClient(flip.client) })}\n`
    if (this.#buffer.length < MAX_BUFFERED) return
    writeSync(file, this.#buffer)
    this.#buffer = ''
  }
}

function createFlip (entry: LogEntry, client: Client, before: Verdict, after: Verdict): Flip {
  return {
    line: entry.line,
    time: new Date(entry.timeUs / 1000).toISOString(),
    client,
    request: `${entry.method} ${entry.path}`,
    before: findOutcome(entry, before.decision),
    beforeLimit: findLimit(before),
    after: findOutcome(entry, after.decision),
    afterLimit: findLimit(after)
  }
}

function findLimit ({ decision }: Verdict): string | null {
  return decision?.isRefused === true ? decision.limitName : null
}
