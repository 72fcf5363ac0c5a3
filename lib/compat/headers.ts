import type { FastifyReply } from 'fastify'
import type { HeaderName, RateLimitOptions } from './options.js'

/** The headers that a response gets, by name. */
export interface CompatHeaders {
  readonly allowed: HeaderNames
  readonly refused: HeaderNames
}

/** `null` for a header that is switched off. */
interface HeaderNames {
  readonly limit: HeaderName | null
  readonly remaining: HeaderName | null
  readonly reset: HeaderName | null
  readonly retryAfter: HeaderName | null
}

const X_RATELIMIT = {
  limit: 'x-ratelimit-limit', remaining: 'x-ratelimit-remaining', reset: 'x-ratelimit-reset', retryAfter: 'retry-after'
} as const
/** The draft of 2021, which had a field for each number. */
const DRAFT = {
  limit: 'ratelimit-limit', remaining: 'ratelimit-remaining', reset: 'ratelimit-reset', retryAfter: 'retry-after'
} as const

export function selectHeaders ({ enableDraftSpec = false, addHeaders, addHeadersOnExceeding }: RateLimitOptions): CompatHeaders {
  const names = enableDraftSpec ? DRAFT : X_RATELIMIT
  return {
    allowed: { ...selectNames(names, addHeadersOnExceeding), retryAfter: null },
    refused: selectNames(names, addHeaders)
  }
}

function selectNames (names: typeof X_RATELIMIT | typeof DRAFT, flags: Partial<Record<HeaderName, boolean>> = {}): HeaderNames {
  const selectName = (name: HeaderName) => flags[name] ?? true ? name : null
  return {
    limit: selectName(names.limit),
    remaining: selectName(names.remaining),
    reset: selectName(names.reset),
    retryAfter: selectName(names.retryAfter)
  }
}

export function writeHeaders (reply: FastifyReply, names: HeaderNames, max: number, remaining: number, seconds: number): void {
  if (names.limit !== null) reply.header(names.limit, max)
  if (names.remaining !== null) reply.header(names.remaining, remaining)
  if (names.reset !== null) reply.header(names.reset, seconds)
  if (names.retryAfter !== null) reply.header(names.retryAfter, seconds)
}
