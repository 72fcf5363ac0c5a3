import type { FastifyBaseLogger, FastifyRequest } from 'fastify'
import type { Clock } from '../../common/clock.js'
import type { LogSettings } from '../../config/schema/log-schema.js'
import type { Decision } from '../../model/decision.js'
import type { LimitStanding } from '../../model/decision.js'
import { clientNamer, type ClientNamer } from './client-label.js'
import { writeLine, type Level } from '../../common/log.js'
import { Folds } from './aggregates.js'

/** Clients and limits of one kind of refusal that have lines of their own per interval. */
const MOST_TOLD = 250

/** How often is looked whether an interval is over, milliseconds. */
const LOOK_EVERY_MS = 1000

/** Lines written in one turn of the event loop at the end of an interval: requests must not wait for a slow logger. */
const LINES_IN_ONE_TURN = 25

type Wait = number | 'never'

/** Refusals of a kind cannot crowd out those of another: a limit on trial that refuses everybody hides no block. */
interface Kind {
  readonly outcome: 'rejected' | 'blocked' | 'unavailable'
  readonly mode: 'enforce' | 'shadow'
  readonly level: Level
  /** What lines say, after "rate limit: ". */
  readonly words: string
  readonly folds: Folds
}

interface Line {
  readonly level: Level
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
  readonly #nameOf: ClientNamer
  readonly #rejected: Kind
  readonly #blocked: Kind
  readonly #begun: Kind
  readonly #unavailable: Kind
  readonly #shadow: Kind
  readonly #timer: NodeJS.Timeout
  /** When the first refusal was counted that is not told in full; `null` where there is none. */
  #sinceUs: number | null = null
  /** Of the interval before, what is not written yet. */
  #due: Line[] = []

  constructor ({ logger, clock, settings }: RefusalLogOptions) {
    this.#logger = logger
    this.#clock = clock
    this.#intervalUs = settings.intervalMs * 1000
    this.#nameOf = clientNamer(settings)
    const { level } = settings
    this.#rejected = kindOf('rejected', 'enforce', level, 'rejected')
    this.#blocked = kindOf('blocked', 'enforce', level, 'blocked')
    this.#begun = kindOf('blocked', 'enforce', 'warn', 'block began')
    this.#unavailable = kindOf('unavailable', 'enforce', level, 'refused for want of the store')
    this.#shadow = kindOf('rejected', 'shadow', level, 'would be rejected')
    // Made here, not in a request: a timer keeps the AsyncLocalStorage of the place that made it.
    this.#timer = setInterval(() => { this.tellIfDue() }, LOOK_EVERY_MS).unref()
  }

  /**
   * Log a request that was refused. `retryAfterMs`: what its client was told, where that is not the decision's own.
   * Other outcomes are no refusals, and not logged.
   */
  refused (request: FastifyRequest, { scope }: { readonly scope: string }, decision: Decision, retryAfterMs: Wait = decision.retryAfterMs): void {
    const kind = this.#kindOf(decision)
    if (kind !== null) this.#count(kind, request, scope, decision, decision.limitName, retryAfterMs)
  }

  /** Log what a limit in shadow mode would have refused; once for each of them that is exceeded. */
  wouldBeRefused (request: FastifyRequest, { scope }: { readonly scope: string }, decision: Decision, { name, retryAfterMs }: Pick<LimitStanding, 'name' | 'retryAfterMs'>): void {
    this.#count(this.#shadow, request, scope, decision, name, retryAfterMs)
  }

  /** Write what was folded, if the interval is over. A timer asks every second. */
  tellIfDue (): void {
    const elapsedUs = this.#elapsedUs()
    if (elapsedUs === null || elapsedUs < this.#intervalUs || this.#due.length > 0) return
    this.#due = this.#drain(elapsedUs)
    this.#writeSome()
  }

  /** Write everything that was folded, now. */
  close (): void {
    clearInterval(this.#timer)
    for (const line of [...this.#due.splice(0), ...this.#drain(this.#elapsedUs() ?? 0)]) this.#write(line)
  }

  #kindOf (decision: Decision): Kind | null {
    switch (decision.outcome) {
      case 'rejected': return this.#rejected
      case 'blocked': return decision.beganBlock ? this.#begun : this.#blocked
      case 'unavailable': return this.#unavailable
      case 'allowed':
      case 'delayed':
      case 'exempt': return null
      default: return decision.outcome satisfies never
    }
  }

  #count ({ folds, words, level, mode, outcome }: Kind, request: FastifyRequest, scope: string, { client }: Decision, limit: string, retryAfterMs: Wait): void {
    this.#sinceUs ??= this.#clock.nowUs()
    if (folds.count(scope, limit, client.partition)) return
    const name = this.#nameOf(client)
    folds.begin(scope, limit, client.partition, name, client.tier)
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
    }, `rate limit: ${words}`)
  }

  #elapsedUs (): number | null {
    return this.#sinceUs === null ? null : this.#clock.nowUs() - this.#sinceUs
  }

  #drain (elapsedUs: number): Line[] {
    this.#sinceUs = null
    const withinMs = Math.ceil(elapsedUs / 1000)
    return [this.#rejected, this.#blocked, this.#begun, this.#unavailable, this.#shadow].flatMap((kind) => linesOf(kind, withinMs))
  }

  #writeSome (): void {
    for (const line of this.#due.splice(0, LINES_IN_ONE_TURN)) this.#write(line)
    if (this.#due.length > 0) setImmediate(() => { this.#writeSome() })
  }

  #write ({ level, fields, message }: Line): void {
    writeLine(this.#logger, level, fields, message)
  }
}

function kindOf (outcome: Kind['outcome'], mode: Kind['mode'], level: Level, words: string): Kind {
  return { outcome, mode, level, words, folds: new Folds(MOST_TOLD) }
}

/** What is left to say of an interval. */
function linesOf ({ folds, words, level, mode, outcome }: Kind, withinMs: number): Line[] {
  const { repeated, rest } = folds.drain()
  const lines: Line[] = repeated.map(({ client, tier, scope, limit, repeats }) => ({
    level,
    fields: { client, tier, scope, limit: limit === '' ? null : limit, mode, outcome, repeats, withinMs },
    message: `rate limit: ${words} again`
  }))
  if (rest !== null) lines.push({ level, fields: { ...rest, mode, outcome, withinMs }, message: `rate limit: ${words}, too many to be told one by one` })
  return lines
}
