/** One segment of a pattern: a text, any one segment, or all that follows. */
export type PatternSegment = { readonly kind: 'text', readonly text: string } | { readonly kind: 'one' } | { readonly kind: 'rest' }

/** Which paths a rule is for. A `rest` stands only at the end. */
export interface Pattern {
  readonly segments: readonly PatternSegment[]
}

/** Why a text is no pattern, in words that complete "got ...:". */
export interface PatternMistake {
  readonly mistake: string
}

/** The segments of a path, decoded; `null` for one that could not be learned and so may be any. */
export type PathSegments = ReadonlyArray<string | null>

const MAX_PATTERN_LENGTH = 1024
/** Of a pattern. */
export const MAX_SEGMENTS = 64

/**
 * Read a pattern such as `/api/:version/reports` or `/files/*`.
 *
 * A segment is a text, written as in a route: decoded, and `::` for a colon. A `*` or `:name` is exactly one segment, a
 * last `*` all that follows, also nothing: `/api/*` is `/api`, `/api/` and everything below. `*` alone is `/*`, and a
 * slash at the end means nothing. At most 1024 characters and 64 segments.
 */
export function parsePattern (text: string): Pattern | PatternMistake {
  if (text.length > MAX_PATTERN_LENGTH) return { mistake: `a pattern has at most ${MAX_PATTERN_LENGTH} characters` }
  if (text === '*') return { segments: [{ kind: 'rest' }] }
  if (!text.startsWith('/')) return { mistake: 'a pattern begins with "/"' }
  const parts = text.replace(/\/$/, '').split('/').slice(1)
  if (parts.length > MAX_SEGMENTS) return { mistake: `a pattern has at most ${MAX_SEGMENTS} segments` }
  const segments: PatternSegment[] = []
  for (const [index, part] of parts.entries()) {
    const segment = parseSegment(part, index === parts.length - 1)
    if ('mistake' in segment) return segment
    segments.push(segment)
  }
  return { segments }
}

function parseSegment (part: string, isLast: boolean): PatternSegment | PatternMistake {
  if (part === '*') return { kind: isLast ? 'rest' : 'one' }
  if (/^:\w+$/.test(part)) return { kind: 'one' }
  if (part === '') return { mistake: 'a segment is empty' }
  if (part === '.' || part === '..') return { mistake: 'a pattern has no "." or ".." segments' }
  if (part.includes('*')) return { mistake: 'a "*" is a segment of its own' }
  if (/[?#]/.test(part)) return { mistake: 'a pattern is a path without "?" or "#"' }
  if (/%[0-9a-f]{2}/i.test(part)) return { mistake: 'a pattern is written decoded, without "%"' }
  if (part.replaceAll('::', '').includes(':')) return { mistake: 'a ":name" is a segment of its own, and a colon in a text is written "::"' }
  return { kind: 'text', text: part.replaceAll('::', ':') }
}

/** The same pattern for paths in lower case. */
export function toLowerCasePattern (pattern: Pattern): Pattern {
  return { segments: pattern.segments.map((segment) => segment.kind === 'text' ? { kind: 'text', text: segment.text.toLowerCase() } : segment) }
}

// An end lies between: `/users/` is `/users` rather than a `/users/:id` with an empty id.
const RANK = { text: 0, end: 1, one: 2, rest: 3 } as const

/**
 * Order patterns, the more specific first: negative where `a` goes before `b`, 0 where only their texts differ, if anything.
 *
 * They are compared from the left, and the first segment that differs in kind decides: a text goes before the end of
 * the pattern, that before one wild segment, that before a last `*`.
 */
export function compareSpecificity (a: Pattern, b: Pattern): number {
  for (let i = 0; i < a.segments.length || i < b.segments.length; i++) {
    const difference = RANK[a.segments[i]?.kind ?? 'end'] - RANK[b.segments[i]?.kind ?? 'end']
    if (difference !== 0) return difference
  }
  return 0
}

/** Whether a path is the pattern's. A wild segment is also an empty one, as for Fastify's router. */
export function matchesPath (pattern: Pattern, path: PathSegments): boolean {
  const { segments } = pattern
  for (let i = 0; i < segments.length; i++) {
    const segment = segments[i]
    if (segment.kind === 'rest') return true
    if (i >= path.length) return false
    if (segment.kind === 'text' && path[i] !== null && path[i] !== segment.text) return false
  }
  return path.length === segments.length
}
