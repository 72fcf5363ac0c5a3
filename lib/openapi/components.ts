import { isDeepStrictEqual } from 'node:util'
import type { ResolvedOptions } from '../config/schema/resolve-options.js'
import { isRecord, type JsonRecord } from '../common/type-guards.js'

/** The options that select the headers. */
export type HeaderOptions = Pick<ResolvedOptions, 'headers' | 'resetFormat'>

const units = { type: 'integer', minimum: 0 }
const seconds = { type: 'integer', minimum: 0 }

const X_RATELIMIT = {
  'X-RateLimit-Limit': { description: 'Units allowed at once. A request costs one unit unless stated otherwise.', schema: units },
  'X-RateLimit-Remaining': { description: 'Units that are still available.', schema: units },
  'X-RateLimit-Reset': { description: 'Seconds until the full limit is available again.', schema: seconds }
}

const X_RATELIMIT_EPOCH = {
  ...X_RATELIMIT,
  'X-RateLimit-Reset': { description: 'When the full limit is available again, in seconds since 1970.', schema: seconds }
}

const RATELIMIT = {
  'RateLimit-Policy': {
    description: 'The limits, in the format of draft-ietf-httpapi-ratelimit-headers: units (`q`) per window in seconds (`w`).',
    schema: { type: 'string' },
    example: '"default";q=100;w=60'
  },
  RateLimit: {
    description: 'For each limit, the units still available (`r`). ' +
      '`t` is the time in seconds until the full limit is available again; after a refusal, until the next attempt.',
    schema: { type: 'string' },
    example: '"default";r=42;t=35'
  }
}

const RETRY_AFTER = {
  description: 'Seconds to wait before the request is sent again. Absent if waiting does not help.',
  schema: { type: 'integer', minimum: 1 }
}

/** Problem details (RFC 9457). */
const PROBLEM = {
  type: 'object',
  required: ['type', 'title', 'status', 'detail', 'instance', 'violated-policies', 'limit', 'remaining'],
  properties: {
    type: { type: 'string', format: 'uri' },
    title: { type: 'string' },
    status: { type: 'integer', enum: [429] },
    detail: { type: 'string' },
    instance: { type: 'string', description: 'The ID of the request.' },
    'violated-policies': { type: 'array', items: { type: 'string' }, description: 'The names of the limits that refused the request.' },
    limit: { ...units, description: 'Units allowed at once.' },
    remaining: { ...units, description: 'Units that are still available.' },
    retryAfter: { type: 'integer', minimum: 1, description: 'Seconds to wait, as in `Retry-After`. Absent if waiting does not help.' }
  }
}

const CAPACITY_PROBLEM = { ...PROBLEM, properties: { ...PROBLEM.properties, status: { type: 'integer', enum: [503] } } }

/** The components that operations refer to. Each one is added to the document at its first use. */
export class Components {
  readonly #headers: Readonly<Record<string, object>>
  #all: JsonRecord

  /** `present`: the components that the document already has. */
  constructor (present: unknown, options: HeaderOptions) {
    this.#all = isRecord(present) ? present : {}
    this.#headers = selectHeaders(options)
  }

  get all (): JsonRecord {
    return this.#all
  }

  /** References to the headers of a counted response. */
  headers (): Record<string, object> {
    return Object.fromEntries(Object.entries(this.#headers).map(([name, header]) => [name, this.#refer('headers', name, header)]))
  }

  /** A reference to the 429 response. `hasOwnBody`: the application writes the body, so its schema is unknown. */
  refusal (hasOwnBody: boolean): object {
    const headers = { ...this.headers(), 'Retry-After': this.#refer('headers', 'Retry-After', RETRY_AFTER) }
    const description = 'Too many requests.'
    if (hasOwnBody) return this.#refer('responses', 'RateLimitedCustom', { description, headers })
    const content = { 'application/problem+json': { schema: this.#refer('schemas', 'RateLimitProblem', PROBLEM) } }
    return this.#refer('responses', 'RateLimited', { description, headers, content })
  }

  /** A reference to the 503 response of a concurrency limit of all clients together. `hasOwnBody`: as for `refusal`. */
  capacityRefusal (hasOwnBody: boolean): object {
    const headers = { 'Retry-After': this.#refer('headers', 'Retry-After', RETRY_AFTER) }
    const description = 'Too many requests of all clients are in flight.'
    if (hasOwnBody) return this.#refer('responses', 'CapacityReachedCustom', { description, headers })
    const content = { 'application/problem+json': { schema: this.#refer('schemas', 'CapacityProblem', CAPACITY_PROBLEM) } }
    return this.#refer('responses', 'CapacityReached', { description, headers, content })
  }

  /** A reference to a component. A number is appended to the name if another component already uses it. */
  #refer (kind: 'headers' | 'responses' | 'schemas', name: string, part: object): object {
    const present = this.#all[kind]
    const named = isRecord(present) ? present : {}
    let free = name
    for (let i = 2; Object.hasOwn(named, free) && !isDeepStrictEqual(named[free], part); i++) free = `${name}-${i}`
    if (!Object.hasOwn(named, free)) this.#all = { ...this.#all, [kind]: { ...named, [free]: part } }
    return { $ref: `#/components/${kind}/${free}` }
  }
}

function selectHeaders ({ headers, resetFormat }: HeaderOptions): Record<string, object> {
  const xRateLimit = resetFormat === 'epoch' ? X_RATELIMIT_EPOCH : X_RATELIMIT
  switch (headers) {
    case 'x-ratelimit': return xRateLimit
    case 'ratelimit': return RATELIMIT
    case 'both': return { ...xRateLimit, ...RATELIMIT }
    case 'off': return {}
    default: return headers satisfies never
  }
}
