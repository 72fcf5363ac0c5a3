import { isDeepStrictEqual } from 'node:util'
import { isRecord, type JsonRecord } from '../common/type-guards.js'

export type Dialect = 'x-ratelimit' | 'ratelimit' | 'both' | 'off'

const count = { type: 'integer', minimum: 0 }
const seconds = { type: 'integer', minimum: 0 }

const X_RATELIMIT = {
  'X-RateLimit-Limit': { description: 'The most units that can be had at once.', schema: count },
  'X-RateLimit-Remaining': { description: 'Units that are left.', schema: count },
  'X-RateLimit-Reset': { description: 'Seconds until nothing is used any more.', schema: seconds }
}

const RATELIMIT = {
  'RateLimit-Policy': { description: 'The limits, as draft-ietf-httpapi-ratelimit-headers has them.', schema: { type: 'string' }, example: '"default";q=100;w=60' },
  RateLimit: { description: 'What is left of each limit, and the seconds until it is there again.', schema: { type: 'string' }, example: '"default";r=42;t=35' }
}

const RETRY_AFTER = { description: 'Seconds until the request may be made again; absent where waiting does not help.', schema: { type: 'integer', minimum: 1 } }

/** Of RFC 9457. */
const PROBLEM = {
  type: 'object',
  required: ['type', 'title', 'status', 'detail', 'instance', 'violated-policies', 'limit', 'remaining'],
  properties: {
    type: { type: 'string', format: 'uri' },
    title: { type: 'string' },
    status: { type: 'integer', enum: [429] },
    detail: { type: 'string' },
    instance: { type: 'string', description: 'The id of the request.' },
    'violated-policies': { type: 'array', items: { type: 'string' }, description: 'The names of the limits that refused.' },
    limit: count,
    remaining: count,
    retryAfter: { type: 'integer', minimum: 1, description: 'Seconds, as in `Retry-After`.' }
  }
}

/** The parts of a document that its operations refer to, each made when it is first asked for. */
export class Components {
  readonly #headers: Readonly<Record<string, object>>
  #all: JsonRecord

  /** `present`: the document's own. */
  constructor (present: unknown, dialect: Dialect) {
    this.#all = isRecord(present) ? present : {}
    this.#headers = selectHeaders(dialect)
  }

  get all (): JsonRecord {
    return this.#all
  }

  /** The headers of every counted response. */
  headers (): Record<string, object> {
    return Object.fromEntries(Object.entries(this.#headers).map(([name, header]) => [name, this.#refer('headers', name, header)]))
  }

  /** The refusal. `hasOwnBody`: the application writes it, and nobody knows how. */
  refusal (hasOwnBody: boolean): object {
    const headers = { ...this.headers(), 'Retry-After': this.#refer('headers', 'Retry-After', RETRY_AFTER) }
    const description = 'Too many requests.'
    if (hasOwnBody) return this.#refer('responses', 'RateLimitedInOtherWords', { description, headers })
    const content = { 'application/problem+json': { schema: this.#refer('schemas', 'RateLimitProblem', PROBLEM) } }
    return this.#refer('responses', 'RateLimited', { description, headers, content })
  }

  /** A reference to a part, under a name that is free or stands for the very same. */
  #refer (kind: 'headers' | 'responses' | 'schemas', name: string, part: object): object {
    const present = this.#all[kind]
    const named = isRecord(present) ? present : {}
    let free = name
    for (let i = 2; Object.hasOwn(named, free) && !isDeepStrictEqual(named[free], part); i++) free = `${name}-${i}`
    if (!Object.hasOwn(named, free)) this.#all = { ...this.#all, [kind]: { ...named, [free]: part } }
    return { $ref: `#/components/${kind}/${free}` }
  }
}

function selectHeaders (dialect: Dialect): Record<string, object> {
  switch (dialect) {
    case 'x-ratelimit': return X_RATELIMIT
    case 'ratelimit': return RATELIMIT
    case 'both': return { ...X_RATELIMIT, ...RATELIMIT }
    case 'off': return {}
    default: return dialect satisfies never
  }
}
