import createError, { type FastifyErrorConstructor } from '@fastify/error'
import { toPrintable } from './common/printable.js'
import type { Decision } from './model/decision.js'

// Without this type, the declarations would name it by a namespace that a bundler's module resolution does not find.
const FST_SLUICE_QUOTA_EXCEEDED: FastifyErrorConstructor<{ code: 'FST_SLUICE_QUOTA_EXCEEDED', statusCode: 429 }> =
  createError('FST_SLUICE_QUOTA_EXCEEDED', '%s', 429)

/**
 * A refusal as an Error with status 429. Return it from `errorResponseBuilder` to let `setErrorHandler` write the
 * response, or throw it after `fastify.rateLimit.check`.
 */
export class RateLimitError extends FST_SLUICE_QUOTA_EXCEEDED {
  /** The decision that refused the request. */
  readonly decision: Decision

  constructor (decision: Decision) {
    super(`Rate limit '${decision.limitName}' exceeded`)
    this.decision = decision
  }
}

/** An error in the options, with its place. */
export interface LocatedError extends Error {
  readonly code: string
  /** The start of the message: `rateLimit.rules[2].max`, `rate-limit.toml:12:7: rules[2].max`. */
  readonly place: string
  /** Returns the same error for another place. */
  readonly relocated: (place: string) => LocatedError
}

/** Whether an error is a `LocatedError`. */
export function isLocated (error: unknown): error is LocatedError {
  return error instanceof Error && 'place' in error && 'relocated' in error && typeof error.relocated === 'function'
}

type LocatedErrorConstructor<C extends string> = new (place: string, ...details: string[]) => LocatedError & { readonly code: C }

/** Characters of each detail in a message. More than the longest path of a file. */
const MAX_DETAIL_LENGTH = 5000

/** Creates the class of an error whose details may be text from outside. */
function createPrintableError<C extends string> (code: C, message: string, statusCode?: number) {
  return class extends createError<C, unknown[]>(code, message, statusCode) {
    constructor (...details: unknown[]) {
      super(...details.map((detail) => typeof detail === 'string' ? toPrintable(detail, MAX_DETAIL_LENGTH) : detail))
    }
  }
}

/** Creates the class of an error whose message begins with its place; `message` is the rest. */
function createLocatedError<C extends string> (code: C, message: string): LocatedErrorConstructor<C> {
  return class OptionError extends createPrintableError(code, `%s: ${message}`) implements LocatedError {
    readonly place: string
    readonly #details: readonly string[]

    constructor (place: string, ...details: string[]) {
      super(place, ...details)
      this.place = place
      this.#details = details
    }

    relocated (place: string): LocatedError {
      return new OptionError(place, ...this.#details)
    }
  }
}

/** place, expected value, actual value */
export const FST_SLUICE_BAD_OPTION = createLocatedError('FST_SLUICE_BAD_OPTION', 'expected %s, got %s')
/** place of the key, suggestion of a known key */
export const FST_SLUICE_UNKNOWN_OPTION = createLocatedError('FST_SLUICE_UNKNOWN_OPTION', 'unknown option%s')
/** place, the contradiction */
export const FST_SLUICE_CONTRADICTION = createLocatedError('FST_SLUICE_CONTRADICTION', '%s')
/** place, the shared scope with its limits, the limits set here */
export const FST_SLUICE_UNEQUAL_LIMITS = createLocatedError('FST_SLUICE_UNEQUAL_LIMITS', '%s, so it cannot have %s here')
export const FST_SLUICE_ALREADY_REGISTERED = createError(
  'FST_SLUICE_ALREADY_REGISTERED',
  'rateLimit: this scope already has a decorator of this name; register the plugin once per scope, without another rate limiter'
)
/** place, expected value, actual value */
export const FST_SLUICE_BAD_UNITS = createPrintableError('FST_SLUICE_BAD_UNITS', '%s: expected %s, got %s')
/** place, the name, the names that exist */
export const FST_SLUICE_UNKNOWN_LIMIT = createPrintableError('FST_SLUICE_UNKNOWN_LIMIT', '%s: no limit has the name "%s"; there are %s')
/** the maximum per registration */
export const FST_SLUICE_TOO_MANY_GROUPS = createError(
  'FST_SLUICE_TOO_MANY_GROUPS', 'rateLimit: more than %s groups; a groupId names limits, not clients'
)

/** place, the URL */
export const FST_SLUICE_ROUTE_TAKEN = createLocatedError(
  'FST_SLUICE_ROUTE_TAKEN', 'the application already has a route %s; set another path, or false'
)
/** the reason, and the error code of the store */
export const FST_SLUICE_STORE = createPrintableError('FST_SLUICE_STORE', 'the store did not answer: %s (%s)', 503)
/** the option that limits the memory */
export const FST_SLUICE_MEMORY_FULL = createError(
  'FST_SLUICE_MEMORY_FULL', 'more concurrent clients than %s allows; new clients share the budget of their network'
)
/** cause: the error of the store */
export const FST_SLUICE_UNAVAILABLE = createError('FST_SLUICE_UNAVAILABLE', 'Rate limits cannot be checked at present', 503)
/** cause: the error in the options of the route */
export const FST_SLUICE_INVALID_ROUTE = createError('FST_SLUICE_INVALID_ROUTE', 'The rate limit of this route is misconfigured', 503)
/** place, the namespace if any, the name of the request's method */
export const FST_SLUICE_NO_JWT = createLocatedError(
  'FST_SLUICE_NO_JWT',
  'found no @fastify/jwt%s that provides request.%s(); register it in this scope or around it, and set its namespace here if it has one'
)

/** place of an option that differs from its value at start */
export const FST_SLUICE_FIXED_OPTION = createLocatedError(
  'FST_SLUICE_FIXED_OPTION', 'cannot be changed at runtime; restart the server to apply it'
)

/** the path of the config file as given, why it cannot be read; cause: the error of the system */
export const FST_SLUICE_UNREADABLE_FILE = createPrintableError('FST_SLUICE_UNREADABLE_FILE', '%s: %s')
/** file, line and column, the TOML syntax error */
export const FST_SLUICE_BAD_SYNTAX = createPrintableError('FST_SLUICE_BAD_SYNTAX', '%s: %s')

/** Codes of process warnings and of log lines. They report a likely mistake; the plugin continues. */
export const warnings = {
  trustsEveryProxy: 'FST_SLUICE_WARN_TRUST_PROXY_TRUE',
  trustsProxyCount: 'FST_SLUICE_WARN_TRUST_PROXY_NUMBER',
  untrustedForwarding: 'FST_SLUICE_WARN_UNTRUSTED_FORWARDED_FOR',
  memoryInCluster: 'FST_SLUICE_WARN_MEMORY_IN_CLUSTER',
  clientResends: 'FST_SLUICE_WARN_CLIENT_RESENDS',
  localSlots: 'FST_SLUICE_WARN_LOCAL_SLOTS',
  undefinedRedis: 'FST_SLUICE_WARN_REDIS_UNDEFINED',
  defaultPathTaken: 'FST_SLUICE_WARN_DEFAULT_PATH_TAKEN',
  lateHook: 'FST_SLUICE_WARN_LATE_HOOK',
  unknownTier: 'FST_SLUICE_WARN_UNKNOWN_TIER',
  refusedReload: 'FST_SLUICE_WARN_REFUSED_RELOAD',
  ruleWithoutMatch: 'FST_SLUICE_WARN_RULE_WITHOUT_MATCH',
  ruleNeverApplies: 'FST_SLUICE_WARN_RULE_NEVER_APPLIES',
  tierWithoutUsers: 'FST_SLUICE_WARN_TIER_OF_NOBODY',
  longWindowAlone: 'FST_SLUICE_WARN_LONG_WINDOW_ALONE',
  shortWindow: 'FST_SLUICE_WARN_SHORT_WINDOW',
  burstAboveMax: 'FST_SLUICE_WARN_BURST_ABOVE_MAX',
  shortCooldown: 'FST_SLUICE_WARN_SHORT_COOLDOWN',
  shortDelay: 'FST_SLUICE_WARN_SHORT_DELAY',
  openLogin: 'FST_SLUICE_WARN_OPEN_LOGIN',
  trustsEveryAddress: 'FST_SLUICE_WARN_TRUSTS_EVERYBODY',
  exemptsEveryAddress: 'FST_SLUICE_WARN_EXEMPTS_EVERYBODY'
} as const
