/** One segment of a pattern: a text, any one segment, or all following segments. */
export type PatternSegment = { readonly kind: 'text', readonly text: string } | { readonly kind: 'one' } | { readonly kind: 'rest' }

/** The paths of a rule. A `rest` is always the last segment. */
export interface Pattern {
  readonly segments: readonly PatternSegment[]
}

/** Why a text is not a valid pattern. Part of an error message. */
export interface PatternMistake {
  readonly mistake: string
}

/** The decoded segments of a path. `null` for an unknown segment: it matches every pattern. */
export type PathSegments = ReadonlyArray<string | null>

const MAX_PATTERN_LENGTH = 1024
/** The maximum for a pattern. */
export const MAX_SEGMENTS = 64

/**
 * Parse a pattern such as `/api/:version/reports` or `/files/*`.
 *
 * A text segment is written decoded, as in a route, with `::` for a colon. A `*` or `:name` matches exactly one segment.
 * A last `*` matches all that follows, or nothing: `/api/*` matches `/api`, `/api/` and every path below. `*` alone
 * equals `/*`. A slash at the end is ignored. At most 1024 characters and 64 segments.
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
  if (part.includes('*')) return { mistake: 'a "*" must be a whole segment' }
  if (/[?#]/.test(part)) return { mistake: 'a pattern is a path without "?" or "#"' }
  if (/^(?:\{.*\}|<.*>)$/.test(part)) return { mistake: 'a parameter is ":name"' }
  if (/%[0-9a-f]{2}/i.test(part)) return { mistake: 'a pattern is written decoded, without "%"' }
  if (part.replaceAll('::', '').includes(':')) return { mistake: 'a ":name" must be a whole segment; write a colon in a text as "::"' }
  return { kind: 'text', text: part.replaceAll('::', ':') }
}

/** Convert a pattern for a router that ignores case. */
export function toLowerCasePattern ({ segments }: Pattern): Pattern {
  return { segments: segments.map((segment) => segment.kind === 'text' ? { kind: 'text', text: segment.text.toLowerCase() } : segment) }
}

// The end ranks before a wild segment: `/users/` is `/users`, not `/users/:id` with an empty ID.
const RANK = { text: 0, end: 1, one: 2, rest: 3 } as const

/**
 * Compare patterns; the more specific one goes first. Negative if `a` goes before `b`; 0 if they differ in texts at most.
 *
 * Segments are compared from the left, and the first one of a different kind decides. The order is: a text, the end of
 * the pattern, one wild segment, a last `*`.
 */
export function compareSpecificity (a: Pattern, b: Pattern): number {
  for (let i = 0; i < a.segments.length || i < b.segments.length; i++) {
    const difference = RANK[a.segments[i]?.kind ?? 'end'] - RANK[b.segments[i]?.kind ?? 'end']
    if (difference !== 0) return difference
  }
  return 0
}

/** Whether a pattern matches a path. A wild segment also matches an empty one, as in Fastify's router. */
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
