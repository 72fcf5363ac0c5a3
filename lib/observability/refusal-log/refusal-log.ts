import type { FastifyBaseLogger, FastifyRequest } from 'fastify'
import type { Clock } from '../../common/clock.js'
import type { LogSettings } from '../../config/schema/log-schema.js'
import { findStorePartition } from '../../model/client.js'
import type { Decision } from '../../model/decision.js'
import type { LimitStanding } from '../../model/decision.js'
import { createClientLabeler, type ClientLabeler } from './client-label.js'
import { writeLine, type LogLevel } from '../../common/log.js'
import { Aggregates } from './aggregates.js'

/** Pairs of client and limit with lines of their own, for each kind of refusal and interval. */
const MAX_AGGREGATES = 250

/** How often the end of an interval is checked, milliseconds. */
const CHECK_INTERVAL_MS = 1000

/** Lines written per turn of the event loop at the end of an interval: a slow logger must not delay requests. */
const LINES_PER_TURN = 25

type Wait = number | 'never'

type RefusingLimit = Pick<LimitStanding, 'name' | 'retryAfterMs'>

/** The policy of a refusal. */
interface Scoped {
  readonly scope: string
}

/** Each kind has its own bound: a shadow limit that refuses every client must not hide a block. */
interface RefusalKind {
  readonly outcome: 'rejected' | 'blocked' | 'unavailable'
  readonly mode: 'enforce' | 'shadow'
  readonly level: LogLevel
  /** The message, after "rate limit: ". */
  readonly description: string
  readonly aggregates: Aggregates
}

interface Line {
  readonly level: LogLevel
  readonly fields: object
  readonly message: string
}

export interface RefusalLogOptions {
  /** The application's logger. A first refusal uses the logger of its request, which adds the request's id. */
  readonly logger: FastifyBaseLogger
  readonly clock: Clock
  readonly settings: LogSettings
}

/**
 * Logs every refusal, in a bounded number of lines. The first refusal of a client by a limit is logged at once. Later ones
 * within the interval become one line with `repeats` at its end. Past 250 pairs of client and limit of a kind, the rest
 * become one line with the number of `refusals` and, within about 5 %, of `clients`. The kinds are: rejected, blocked, the
 * start of a block, unavailable, and refusals in shadow mode. In all that is 2505 lines per interval.
 *
 * A first line has `client`, `tier`, `method` (`null` without a request), `route` (the pattern, or `null`), `scope`, `limit`,
 * `mode`, `outcome` and `retryAfterMs` (`null` if no wait helps). A line of repeats has the fields that all of them share.
 *
 * No method throws. `close` stops the timer.
 */
export class RefusalLog {
  readonly #logger: FastifyBaseLogger
  readonly #clock: Clock
  readonly #intervalUs: number
  readonly #labelClient: ClientLabeler
  readonly #rejected: RefusalKind
  readonly #blocked: RefusalKind
  readonly #blockStarted: RefusalKind
  readonly #unavailable: RefusalKind
  readonly #shadow: RefusalKind
  readonly #timer: NodeJS.Timeout
  readonly #unsubscribe: (() => void) | undefined
  /** When the interval started, with its first refusal; `null` before that. */
  #sinceUs: number | null = null
  /** Lines of the previous interval that are not written yet. */
  #pendingLines: Line[] = []

  constructor ({ logger, clock, settings }: RefusalLogOptions) {
    this.#logger = logger
    this.#clock = clock
    this.#intervalUs = settings.intervalMs * 1000
    this.#labelClient = createClientLabeler(settings)
    const { level } = settings
    this.#rejected = createKind('rejected', 'enforce', level, 'rejected')
    this.#blocked = createKind('blocked', 'enforce', level, 'blocked')
    this.#blockStarted = createKind('blocked', 'enforce', 'warn', 'block began')
    this.#unavailable = createKind('unavailable', 'enforce', level, 'store unavailable, refused')
    this.#shadow = createKind('rejected', 'shadow', level, 'would be rejected')
    // Created here, not in a request: a timer keeps the AsyncLocalStorage context of its creation.
    this.#timer = setInterval(() => { this.flushIfDue() }, CHECK_INTERVAL_MS).unref()
    this.#unsubscribe = clock.onMove?.(() => { this.flushIfDue() })
  }

  /**
   * Logs a refused request; ignores other outcomes. `retryAfterMs`: the wait in the response, if it differs from the
   * decision's.
   */
  logRefusal (request: FastifyRequest | null, { scope }: Scoped, decision: Decision, retryAfterMs: Wait = decision.retryAfterMs): void {
    const kind = this.#findKind(decision)
    if (kind === null || this.#isCounted(kind, scope, decision.limitName, decision)) return
    this.#logFirst(kind, request, scope, decision, { name: decision.limitName, retryAfterMs })
  }

  /** Logs a refusal in shadow mode. Call it once for each exceeded limit. */
  logShadowRefusal (request: FastifyRequest | null, { scope }: Scoped, decision: Decision, limit: RefusingLimit): void {
    if (this.#isCounted(this.#shadow, scope, limit.name, decision)) return
    this.#logFirst(this.#shadow, request, scope, decision, limit)
  }

  /** Writes the aggregates if the interval is over. The timer calls it every second. */
  flushIfDue (): void {
    const elapsedUs = this.#elapsedUs()
    if (elapsedUs === null || elapsedUs < this.#intervalUs || this.#pendingLines.length > 0) return
    this.#pendingLines = this.#drain(elapsedUs)
    this.#writeSome()
  }

  /** Writes all aggregates now, and stops the timer. */
  close (): void {
    clearInterval(this.#timer)
    this.#unsubscribe?.()
    for (const line of [...this.#pendingLines.splice(0), ...this.#drain(this.#elapsedUs() ?? 0)]) this.#write(line)
  }

  #findKind (decision: Decision): RefusalKind | null {
    switch (decision.outcome) {
      case 'rejected': return this.#rejected
      case 'blocked': return decision.beganBlock ? this.#blockStarted : this.#blocked
      case 'unavailable': return this.#unavailable
      case 'allowed':
      case 'delayed':
      case 'exempt': return null
      default: return decision.outcome satisfies never
    }
  }

  /** Counts a refusal. Returns whether that is all: false for a first one, which must be logged. */
  #isCounted ({ aggregates }: RefusalKind, scope: string, limit: string, { client }: Decision): boolean {
    this.#sinceUs ??= this.#clock.nowUs()
    return aggregates.count(scope, limit, findStorePartition(client))
  }

  #logFirst (kind: RefusalKind, request: FastifyRequest | null, scope: string, { client }: Decision, limit: RefusingLimit): void {
    const { aggregates, description, level, mode, outcome } = kind
    const { name, retryAfterMs } = limit
    const label = this.#labelClient(client)
    aggregates.start(scope, name, findStorePartition(client), label, client.tier)
    writeLine(request === null ? this.#logger : request.log, level, {
      client: label,
      tier: client.tier,
      method: request === null ? null : request.method,
      route: request?.routeOptions.url ?? null,
      scope,
      // While the store is unavailable, no limit is named.
      limit: name === '' ? null : name,
      mode,
      outcome,
      // One type: a log store may reject a field of two types.
      retryAfterMs: retryAfterMs === 'never' ? null : retryAfterMs
    }, `rate limit: ${description}`)
  }

  #elapsedUs (): number | null {
    return this.#sinceUs === null ? null : this.#clock.nowUs() - this.#sinceUs
  }

  #drain (elapsedUs: number): Line[] {
    this.#sinceUs = null
    const withinMs = Math.ceil(elapsedUs / 1000)
    const kinds = [this.#rejected, this.#blocked, this.#blockStarted, this.#unavailable, this.#shadow]
    return kinds.flatMap((kind) => drainLines(kind, withinMs))
  }

  #writeSome (): void {
    for (const line of this.#pendingLines.splice(0, LINES_PER_TURN)) this.#write(line)
    if (this.#pendingLines.length > 0) setImmediate(() => { this.#writeSome() })
  }

  #write ({ level, fields, message }: Line): void {
    writeLine(this.#logger, level, fields, message)
  }
}

function createKind (outcome: RefusalKind['outcome'], mode: RefusalKind['mode'], level: LogLevel, description: string): RefusalKind {
  return { outcome, mode, level, description, aggregates: new Aggregates(MAX_AGGREGATES) }
}

/** The remaining lines of an interval. */
function drainLines ({ aggregates, description, level, mode, outcome }: RefusalKind, withinMs: number): Line[] {
  const { repeated, overflow } = aggregates.drain()
  const lines: Line[] = repeated.map(({ client, tier, scope, limit, repeats }) => ({
    level,
    fields: { client, tier, scope, limit: limit === '' ? null : limit, mode, outcome, repeats, withinMs },
    message: `rate limit: ${description} again`
  }))
  if (overflow !== null) {
    const message = `rate limit: ${description}, too many to list one by one`
    lines.push({ level, fields: { ...overflow, mode, outcome, withinMs }, message })
  }
  return lines
}
