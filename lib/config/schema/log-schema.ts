import type { Static } from '@sinclair/typebox'
import { FST_SLUICE_BAD_OPTION } from '../../errors.js'
import { badOption, requireDurationMs } from './check.js'
import { DURATION_EXPECTED, durationMs } from './durations.js'
import type { Resolved } from './fill-defaults.js'
import { Duration, BooleanOption, StringEnum } from './option-types.js'
import { Type } from './type-builder.js'

/*
 * The option `log`: how refusals are logged.
 */

const MIN_SECRET_LENGTH = 16
export const SECRET_EXPECTED = `a string of ${MIN_SECRET_LENGTH} or more characters`
const MIN_INTERVAL_MS = 1000
const MAX_INTERVAL_MS = 3_600_000

/** `log`: the log lines about refused clients. */
export const LogSchema = Type.Union([
  Type.Literal(false),
  Type.Object({
    level: Type.Optional(StringEnum(['debug', 'info', 'warn', 'error'], {
      default: 'info', description: 'The level of refusals. The start of a block is logged as a warning.'
    })),
    interval: Type.Optional(Duration({
      default: '10s',
      description: 'A client\'s first refusal by a limit is logged at once. ' +
        'Further refusals in this time are logged as one line with their number. From 1 second to 1 hour.'
    })),
    hashClients: Type.Optional(BooleanOption({
      default: false,
      description: 'Whether log lines contain a hash in place of the client\'s address or id. ' +
        'Readers of the log can then distinguish clients, but not identify them. Generated keys are always hashed.'
    })),
    // Not Type.String: the message about a wrong secret must not show it.
    hashSecret: Type.Optional(Type.Unsafe<string>(Type.Unknown({
      expected: SECRET_EXPECTED,
      description: 'The key of these hashes (HMAC-SHA-256). With it, a client has the same hash in all instances and after a restart. ' +
        'Without it, each process creates a random key.'
    })))
  }, { additionalProperties: false })
], {
  expected: 'false, or an object: { level?, interval?, hashClients?, hashSecret? }',
  description: 'How refusals are logged: at `level` (info). ' +
    'Repeated refusals of a client by a limit are one line per `interval` (10s). ' +
    '`hashClients` replaces clients by a hash, whose key is `hashSecret` (random). ' +
    '`false` logs nothing about clients. Changes of the breaker, reloads and faults are always logged.'
})

/** The option `log`. */
export type LogOptions = Static<typeof LogSchema>

/** The option `log` with its defaults. */
export type ResolvedLog = false | Resolved<Exclude<LogOptions, false>, 'level' | 'interval' | 'hashClients'>

/** How refusals are logged. */
export interface LogSettings {
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  /** Repeated refusals in this time are logged as one line. Milliseconds. */
  readonly intervalMs: number
  readonly hashClients: boolean
  /** `null`: a random key. */
  readonly hashSecret: string | null
}

/** Check what the schema cannot express. Throws FST_SLUICE_BAD_OPTION with the place, such as `rateLimit.log.interval`. */
export function checkLogOptions ({ log }: { readonly log?: LogOptions }, place: string): void {
  if (log === undefined || log === false) return
  const { interval, hashSecret } = log
  if (interval !== undefined && !isInterval(durationMs(interval))) {
    throw badOption(`${place}.log.interval`, `${DURATION_EXPECTED}, a second to an hour`, interval)
  }
  if (hashSecret !== undefined) checkSecret(hashSecret, `${place}.log.hashSecret`)
}

/** The settings of the validated option; `null` when nothing about clients is logged. */
export function toLogSettings (log: ResolvedLog): LogSettings | null {
  if (log === false) return null
  const { level, interval, hashClients, hashSecret = null } = log
  return { level, intervalMs: requireDurationMs(interval, 'rateLimit.log.interval'), hashClients, hashSecret }
}

function isInterval (ms: number | null): boolean {
  return ms !== null && ms >= MIN_INTERVAL_MS && ms <= MAX_INTERVAL_MS
}

/** Check the key of hashes of clients. Throws FST_SLUICE_BAD_OPTION, without the key. */
export function checkSecret (secret: unknown, place: string): void {
  if (typeof secret !== 'string') throw new FST_SLUICE_BAD_OPTION(place, SECRET_EXPECTED, 'another value (not shown)')
  if (secret.length < MIN_SECRET_LENGTH) throw new FST_SLUICE_BAD_OPTION(place, SECRET_EXPECTED, `a string of ${secret.length} (not shown)`)
}
