import { Type, type Static } from '@sinclair/typebox'
import { FST_SLUICE_BAD_OPTION } from '../../errors.js'
import { badOption } from './check.js'
import { DURATION_EXPECTED, durationMs } from './durations.js'
import { Duration, BooleanOption, StringEnum } from './option-types.js'

/*
 * The option that says how refusals are logged.
 */

const MIN_SECRET_LENGTH = 16
const SECRET_EXPECTED = `a text of ${MIN_SECRET_LENGTH} or more characters`
const MIN_INTERVAL_MS = 1000
const MAX_INTERVAL_MS = 3_600_000

/** `log`: the lines about clients who are refused. */
export const LogSchema = Type.Union([
  Type.Literal(false),
  Type.Object({
    level: Type.Optional(StringEnum(['debug', 'info', 'warn', 'error'], { default: 'info', description: 'The level of refusals. The beginning of a block is a warning.' })),
    interval: Type.Optional(Duration({ default: '10s', description: 'A client\'s first refusal by a limit is logged at once, the others as one number when this time is over. A second to an hour.' })),
    hashClients: Type.Optional(BooleanOption({ default: false, description: 'Whether lines name clients by a hash in place of their address or id, so that who reads the log can tell them apart but not who they are. Generated keys are always hashed.' })),
    // Not a schema of texts: what is wrong with a secret must be told without showing it.
    hashSecret: Type.Optional(Type.Unsafe<string>(Type.Unknown({ expected: SECRET_EXPECTED, description: 'The key of these hashes (HMAC-SHA-256), so that a client has the same one in all instances and after a restart. Without it each process makes a random one.' })))
  }, { additionalProperties: false })
], {
  expected: 'false, or an object: { level?, interval?, hashClients?, hashSecret? }',
  description: 'How refusals are logged: with `level` (info), the repeats of a client and limit as one number per `interval` (10s), clients by a hash with `hashClients`, whose key is `hashSecret` (random). `false` logs nothing about clients; changes of the breaker, reloads and faults are logged all the same.'
})

/** The option `log`. */
export type LogOptions = Static<typeof LogSchema>

/** How refusals are logged. */
export interface LogSettings {
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  /** The time whose repeats make one line, milliseconds. */
  readonly intervalMs: number
  readonly hashClients: boolean
  /** `null`: random. */
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

/** What the option says, checked already; `null` where nothing is to be logged about clients. */
export function resolveLogSettings (log: LogOptions = {}): LogSettings | null {
  if (log === false) return null
  return {
    level: log.level ?? 'info',
    intervalMs: durationMs(log.interval ?? '10s') ?? 10_000,
    hashClients: log.hashClients ?? false,
    hashSecret: log.hashSecret ?? null
  }
}

function isInterval (ms: number | null): boolean {
  return ms !== null && ms >= MIN_INTERVAL_MS && ms <= MAX_INTERVAL_MS
}

function checkSecret (secret: unknown, place: string): void {
  if (typeof secret !== 'string') throw new FST_SLUICE_BAD_OPTION(place, SECRET_EXPECTED, 'another value (not shown)')
  if (secret.length < MIN_SECRET_LENGTH) throw new FST_SLUICE_BAD_OPTION(place, SECRET_EXPECTED, `one of ${secret.length} (not shown)`)
}
