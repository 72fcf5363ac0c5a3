import type { FastifyBaseLogger, FastifyRequest } from 'fastify'
import type { Clock } from '../../common/clock.js'
import type { LogSettings } from '../../config/schema/log-schema.js'
import type { Decision } from '../../model/decision.js'
import type { LimitStanding } from '../../model/decision.js'
import { createClientLabeler, type ClientLabeler } from './client-label.js'
import { writeLine, type LogLevel } from '../../common/log.js'
import { Aggregates } from './aggregates.js'

/** Clients and limits of one kind of refusal that have lines of their own per interval. */
const MAX_AGGREGATES = 250

/** How often is looked whether an interval is over, milliseconds. */
const CHECK_INTERVAL_MS = 1000

/** Lines written in one turn of the event loop at the end of an interval: requests must not wait for a slow logger. */
const LINES_PER_TURN = 25

type Wait = number | 'never'

/** Refusals of a kind cannot crowd out those of another: a limit on trial that refuses everybody hides no block. */
interface RefusalKind {
  readonly outcome: 'rejected' | 'blocked' | 'unavailable'
  readonly mode: 'enforce' | 'shadow'
  readonly level: LogLevel
  /** What lines say, after "rate limit: ". */
  readonly description: string
  readonly aggregates: Aggregates
}

interface Line {
  readonly level: LogLevel
  readonly fields: object
  readonly message: string
}

export interface RefusalLogOptions {
  /** The application's; a first refusal goes to its request's own, which knows the request's id. */
  readonly logger: FastifyBaseLogger
  readonly clock: Clock
  readonly settings: LogSettings
}

/**
 * Logs every refusal, in a bounded number of lines. The first of a client by a limit is written at once; those that
 * follow within the interval become one line with `repeats` at its end. Past 250 clients and limits of a kind the rest
 * are one line with the number of `refusals` and, within about 5 %, of `clients`. Kinds are rejected, blocked, the
 * beginning of a block, unavailable, and what a limit in shadow mode would have refused: 2505 lines per interval in all.
 *
 * A first line holds `client`, `tier`, `method`, `route` (the pattern; `null` for unknown URLs), `scope`, `limit`, `mode`,
 * `outcome` and `retryAfterMs` (`null` where no wait helps). A line of repeats holds of these what is true of all.
 *
 * Nothing throws. Stop its timer with `close`.
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
  /** When the first refusal was counted that is not told in full; `null` where there is none. */
  #sinceUs: number | null = null
  /** Of the interval before, what is not written yet. */
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
    this.#unavailable = createKind('unavailable', 'enforce', level, 'refused for want of the store')
    this.#shadow = createKind('rejected', 'shadow', level, 'would be rejected')
    // Made here, not in a request: a timer keeps the AsyncLocalStorage of the place that made it.
    this.#timer = setInterval(() => { this.flushIfDue() }, CHECK_INTERVAL_MS).unref()
  }

  /**
   * Log a request that was refused. `retryAfterMs`: what its client was told, where that is not the decision's own.
   * Other outcomes are no refusals, and not logged.
   */
  logRefusal (request: FastifyRequest, { scope }: { readonly scope: string }, decision: Decision, retryAfterMs: Wait = decision.retryAfterMs): void {
    const kind = this.#findKind(decision)
    if (kind !== null) this.#record(kind, request, scope, decision, decision.limitName, retryAfterMs)
  }

  /** Log what a limit in shadow mode would have refused; once for each of them that is exceeded. */
  logShadowRefusal (request: FastifyRequest, { scope }: { readonly scope: string }, decision: Decision, { name, retryAfterMs }: Pick<LimitStanding, 'name' | 'retryAfterMs'>): void {
    this.#record(this.#shadow, request, scope, decision, name, retryAfterMs)
  }

  /** Write what was folded, if the interval is over. A timer asks every second. */
  flushIfDue (): void {
    const elapsedUs = this.#elapsedUs()
    if (elapsedUs === null || elapsedUs < this.#intervalUs || this.#pendingLines.length > 0) return
    this.#pendingLines = this.#drain(elapsedUs)
    this.#writeSome()
  }

  /** Write everything that was folded, now. */
  close (): void {
    clearInterval(this.#timer)
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

  #record ({ aggregates, description, level, mode, outcome }: RefusalKind, request: FastifyRequest, scope: string, { client }: Decision, limit: string, retryAfterMs: Wait): void {
    this.#sinceUs ??= this.#clock.nowUs()
    if (aggregates.count(scope, limit, client.partition)) return
    const name = this.#labelClient(client)
    aggregates.start(scope, limit, client.partition, name, client.tier)
    writeLine(request.log, level, {
      client: name,
      tier: client.tier,
      method: request.method,
      route: request.routeOptions.url ?? null,
      scope,
      // A store that cannot be asked is no limit's fault.
      limit: limit === '' ? null : limit,
      mode,
      outcome,
      // One type, or a store of logs would refuse the line.
      retryAfterMs: retryAfterMs === 'never' ? null : retryAfterMs
    }, `rate limit: ${description}`)
  }

  #elapsedUs (): number | null {
    return this.#sinceUs === null ? null : this.#clock.nowUs() - this.#sinceUs
  }

  #drain (elapsedUs: number): Line[] {
    this.#sinceUs = null
    const withinMs = Math.ceil(elapsedUs / 1000)
    return [this.#rejected, this.#blocked, this.#blockStarted, this.#unavailable, this.#shadow].flatMap((kind) => drainLines(kind, withinMs))
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

/** What is left to say of an interval. */
function drainLines ({ aggregates, description, level, mode, outcome }: RefusalKind, withinMs: number): Line[] {
  const { repeated, overflow } = aggregates.drain()
  const lines: Line[] = repeated.map(({ client, tier, scope, limit, repeats }) => ({
    level,
    fields: { client, tier, scope, limit: limit === '' ? null : limit, mode, outcome, repeats, withinMs },
    message: `rate limit: ${description} again`
  }))
  if (overflow !== null) lines.push({ level, fields: { ...overflow, mode, outcome, withinMs }, message: `rate limit: ${description}, too many to be told one by one` })
  return lines
}
